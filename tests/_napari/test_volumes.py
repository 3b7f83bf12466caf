"""Volumes on a real viewer."""

from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior import (
    Denoise,
    measure_quality,
    repeat,
    residual,
    restore,
    restore_layer,
)
from napari_deep_image_prior._napari.actions.repeat import run_again
from tests._napari.conftest import open_panel

pytestmark = [pytest.mark.usefixtures("_no_leftovers", "quick_presets")]
VOLUME = (100 + np.random.default_rng(0).normal(0, 10, (5, 26, 30))).astype(np.float32)
HOW: dict[str, Any] = {"planes": "volume", "threads": 1, "device": "cpu", "block": True}


def test_a_volume_is_restored_with_the_voxels_of_its_layer(viewer: Any) -> None:
    source = viewer.add_image(
        VOLUME, name="cells", scale=(3000, 500, 500), translate=(1, 2, 3), units=["nm"] * 3
    )
    viewer.dims.set_point(0, 6001)
    run = restore_layer(viewer, source, seed=2, **HOW)
    assert run.state == "done"
    alone = restore(Denoise(VOLUME, spacing=(3000, 500, 500)), seed=2, threads=1, device="cpu")
    np.testing.assert_array_equal(run.layer.data, alone.image)
    np.testing.assert_allclose(run.layer.extent.world, source.extent.world)
    made = run.layer.metadata["deep_image_prior"]
    assert made["source"]["depth"] == 0
    np.testing.assert_array_equal(repeat(made, VOLUME).image, alone.image)
    again = run_again(viewer, run.layer)
    again.wait()
    np.testing.assert_array_equal(again.layer.data, alone.image)


def test_a_volume_is_restored_in_3d_and_rolled_views(viewer: Any) -> None:
    source = viewer.add_image(VOLUME, name="cells")
    viewer.dims.ndisplay = 3
    assert restore_layer(viewer, source, **HOW).state == "done"
    viewer.dims.ndisplay = 2
    viewer.dims.roll()
    assert restore_layer(viewer, source, **HOW).state == "done"


@pytest.mark.parametrize("channels", ["jointly", "separately"])
def test_the_volume_of_a_series_at_the_sliders_is_restored(viewer: Any, channels: str) -> None:
    series = np.stack([np.stack([VOLUME, VOLUME + 50]), np.stack([VOLUME + 100, VOLUME + 150])])
    source = viewer.add_image(series, axis_labels=["t", "c", "z", "y", "x"])
    viewer.dims.set_point(0, 1)
    run = restore_layer(viewer, source, channels=channels, **HOW)
    assert run.layer.data.shape == (1, 2, 5, 26, 30)
    assert run.layer.data[0, 0].mean() == pytest.approx(200, abs=1)
    assert run.layer.data[0, 1].mean() == pytest.approx(250, abs=1)
    assert run.layer.translate[0] == 1


def test_a_part_of_a_volume_is_restored(viewer: Any) -> None:
    source = viewer.add_image(VOLUME, name="cells", scale=(2, 0.5, 0.5))
    run = restore_layer(viewer, source, region=((4, 22), (3, 27)), **HOW)
    assert run.layer.data.shape == (5, 18, 24)
    np.testing.assert_allclose(run.layer.translate, (0, 2, 1.5))


def test_what_is_no_volume_is_refused(viewer: Any) -> None:
    series = viewer.add_image(VOLUME, axis_labels=["t", "y", "x"])
    with pytest.raises(ValueError, match="no depth axis"):
        restore_layer(viewer, series, **HOW)
    stack = viewer.add_image(VOLUME)
    with pytest.raises(ValueError, match="restores no volumes in napari"):
        restore_layer(viewer, stack, task="super-resolve", factor=2, **HOW)
    with pytest.raises(ValueError, match="displayed, all, volume"):
        restore_layer(viewer, stack, **{**HOW, "planes": "some"})


def test_the_panel_offers_volumes_by_the_names_of_the_axes(viewer: Any) -> None:
    viewer.add_image(VOLUME, name="cells", scale=(2, 0.5, 0.5), units=["um"] * 3)
    panel = open_panel(viewer, "Denoise")
    assert panel.planes.choices == ("displayed", "all", "volume")
    panel.planes.value = "volume"
    assert not panel.voxels.native.isHidden()
    assert "5 planes together, of voxels of 2 x 0.5 x 0.5 µm" in panel.voxels.value
    viewer.layers["cells"].scale = (3, 0.5, 0.5)
    assert "3 x 0.5 x 0.5" in panel.voxels.value
    viewer.layers["cells"].axis_labels = ("t", "y", "x")
    assert panel.planes.choices == ("displayed", "all")
    assert panel.planes.value == "displayed"
    assert panel.voxels.native.isHidden()
    viewer.layers["cells"].axis_labels = ("z", "y", "x")
    panel.planes.value = "volume"
    viewer.layers["cells"].scale = (1, 1, 1)
    viewer.layers["cells"].units = ("pixel",) * 3
    assert "cubes" in panel.voxels.value
    viewer.layers.clear()
    assert panel.planes.native.parent().isHidden()


def test_tasks_without_volumes_do_not_offer_them(viewer: Any) -> None:
    viewer.add_image(VOLUME, name="cells")
    assert open_panel(viewer, "Super-resolve").planes.choices == ("displayed", "all")


def test_a_run_from_the_panel_and_its_checks(viewer: Any) -> None:
    viewer.add_image(VOLUME, name="cells")
    panel = open_panel(viewer, "Denoise")
    panel.planes.value = "volume"
    panel.run.native.click()
    run = panel._run
    run.wait()
    assert run.layer.data.shape == VOLUME.shape
    results = open_panel(viewer, "Results")
    results.residual.native.click()
    expected = residual(run.task, run.layer.data)
    np.testing.assert_array_equal(viewer.layers["cells residual"].data, expected)
    truth = np.broadcast_to(100 + 0.1 * np.arange(30), VOLUME.shape).astype(np.float32)
    quality = measure_quality(run.layer.data, truth)
    assert quality.psnr > measure_quality(VOLUME, truth).psnr
