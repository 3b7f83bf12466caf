"""The contrast limits of a result."""

from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior import restore_layer
from tests._napari.conftest import open_panel, press

pytestmark = [pytest.mark.usefixtures("_no_leftovers", "quick_presets")]


@pytest.fixture
def noisy(picture: np.ndarray) -> np.ndarray:
    return picture + np.random.default_rng(0).normal(0, 40, picture.shape)


def test_limits_widened_by_noise_are_fitted_to_the_result_and_reported(
    viewer: Any, noisy: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(noisy, name="cells")
    widget = open_panel(viewer, "Denoise")
    assert widget.fit_contrast.value, "on by default"
    press(widget.run)
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    layer = viewer.layers["cells denoised"]
    assert layer.contrast_limits == pytest.approx([layer.data.min(), layer.data.max()])
    assert source.contrast_limits == pytest.approx([noisy.min(), noisy.max()])
    assert "Contrast limits fitted to the result: " in widget.status.value
    widget.fit_contrast.value = False
    press(widget.run)
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert viewer.layers[-1].contrast_limits == source.contrast_limits
    assert "Contrast" not in widget.status.value


@pytest.mark.parametrize("where", ["source", "result"])
def test_limits_chosen_by_the_user_are_kept(viewer: Any, noisy: np.ndarray, where: str) -> None:
    source = viewer.add_image(noisy)
    if where == "source":
        source.contrast_limits = (100, 150)
    run = restore_layer(viewer, source)
    if where == "result":
        run.layer.contrast_limits = (100, 150)
    run.wait(60)
    assert run.layer.contrast_limits == [100, 150]


def test_a_part_and_an_image_without_noise_keep_the_limits(
    viewer: Any, noisy: np.ndarray, picture: np.ndarray
) -> None:
    source = viewer.add_image(noisy)
    run = restore_layer(viewer, source, region=((0, 20), (0, 20)), block=True)
    assert run.layer.contrast_limits == source.contrast_limits
    clean = viewer.add_image(picture)
    run = restore_layer(viewer, clean, task="super-resolve", factor=2, block=True)
    assert run.layer.contrast_limits == clean.contrast_limits


def test_one_plane_of_a_stack_and_the_whole_stack_get_their_own_limits(
    viewer: Any, noisy: np.ndarray
) -> None:
    source = viewer.add_image(np.stack([noisy, noisy[::-1] * 1.2]))
    for planes in ("displayed", "all"):
        layer = restore_layer(viewer, source, planes=planes, block=True).layer
        assert layer.contrast_limits == pytest.approx([layer.data.min(), layer.data.max()])


def test_no_data_and_unsigned_integers_do_not_spoil_the_limits(
    viewer: Any, noisy: np.ndarray
) -> None:
    noisy = np.clip(noisy, 0, 255)
    frames = np.stack([noisy, np.full_like(noisy, np.nan)])
    run = restore_layer(viewer, viewer.add_image(frames), planes="all", block=True)
    assert np.isfinite(run.layer.contrast_limits).all()
    run = restore_layer(viewer, viewer.add_image(noisy.astype(np.uint16)), block=True)
    assert run.layer.contrast_limits == pytest.approx([run.layer.data.min(), run.layer.data.max()])
