"""The words of the panels: those of a microscopist, not those of Python."""

import re
from dataclasses import replace
from typing import Any, get_args

import dask.array
import numpy as np
import pytest
from napari.layers import Image

from napari_deep_image_prior import restore_layer
from napari_deep_image_prior._napari.layers.noise import fit_text, with_channel_name
from napari_deep_image_prior._napari.panels.status import status_text
from napari_deep_image_prior.methods.denoising.task import NoiseKind
from napari_deep_image_prior.restoration.base import FINISHING, FITTING
from tests._napari.conftest import open_panel, press

pytestmark = [pytest.mark.usefixtures("_no_leftovers", "quick_presets")]
PYTHON = re.compile(r"\w=|True|False|None|dtype|astype|\(\d+,|image_sha256|channel_axis")


def _said(widget: Any, name: str = "run") -> str:
    press(getattr(widget, name))
    return str(widget.status.value)


def test_the_kinds_of_noise_are_in_words(viewer: Any) -> None:
    noise = open_panel(viewer, "Denoise").noise
    assert noise.choices == get_args(NoiseKind)
    combo = noise.native
    words = [combo.itemText(index) for index in range(combo.count())]
    assert words[0] == "detect in the image"
    assert not any(word in get_args(NoiseKind) for word in words)


def test_messages_about_unsuitable_layers_are_without_python(
    viewer: Any, picture: np.ndarray
) -> None:
    widget = open_panel(viewer, "Denoise")
    messages = [_said(widget)]
    for image in (picture > 100, np.full_like(picture, np.nan)):
        widget.image.value = viewer.add_image(image)
        messages += [_said(widget), _said(widget, "estimate"), _said(widget, "add_trial")]
    widget = open_panel(viewer, "Inpaint")
    messages.append(_said(widget))
    widget.image.value = viewer.add_image(picture)
    press(widget.new_mask)
    widget.missing.value.data = np.ones(picture.shape, dtype=int)
    messages.append(_said(widget))
    assert "every pixel of a channel is missing" in messages[-1].lower()
    stack = viewer.add_image(np.stack([picture] * 3))
    widget.image.value, widget.planes.value = stack, "all"
    widget.missing.reset_choices()
    widget.missing.value = viewer.add_labels(np.ones((2, 24, 28), dtype=int))
    messages.append(_said(widget))
    assert "2 x 24 x 28 pixels" in messages[-1]
    for message in messages:
        assert message[0].isupper()
        assert not PYTHON.search(message), message


@pytest.mark.parametrize("mode", ["jointly", "separately"])
@pytest.mark.parametrize("names", [None, ["DAPI", "GFP"]])
def test_the_noise_of_each_channel_has_the_name_of_the_channel(
    viewer: Any, picture: np.ndarray, qtbot: Any, mode: str, names: Any
) -> None:
    noise = np.random.default_rng(0).normal(0, 1, (2, *picture.shape))
    image = np.stack([picture, picture]) + noise * np.array([5, 20])[:, None, None]
    metadata = {"channel_names": names} if names else {}
    viewer.add_image(image, axis_labels=("c", "y", "x"), metadata=metadata)
    widget = open_panel(viewer, "Denoise")
    widget.together.value = mode
    widget.fit_contrast.value = False
    press(widget.run)
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    lines = widget.status.value.split("\n")[1:]
    first, second = names or ("channel 0", "channel 1")
    assert [line.split(": noise of standard deviation")[0] for line in lines] == [first, second]
    if names:
        told = open_panel(viewer, "Results").provenance.value.split("\n")
        assert [line for line in told if "standard deviation" in line] == lines


def test_the_noise_of_colors_is_named_by_the_color(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    noise = np.random.default_rng(0).normal(0, 1, (*picture.shape, 3)) * [2, 9, 20]
    viewer.add_image((picture[..., None] + noise).clip(0, 255).astype(np.uint8), rgb=True)
    widget = open_panel(viewer, "Denoise")
    press(widget.run)
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    lines = widget.status.value.split("\n")[1:]
    assert [line.split(": ")[0] for line in lines] == ["red", "green", "blue"]
    told = open_panel(viewer, "Results").provenance.value.split("\n")
    assert [line for line in told if "standard deviation" in line] == lines


def test_the_state_of_a_fit_is_short_for_many_channels() -> None:
    layer = Image(np.zeros((2, 8, 8)), metadata={"channel_names": ["DAPI", "GFP"]})
    noise = "channel 0: noise of standard deviation 5; channel 1: noise of standard deviation 9"
    assert fit_text(f"{noise}; error falling", layer) == "Error falling"
    assert fit_text(f"plane 3 (1 of 6): {noise}", layer) == "Plane 3 (1 of 6)"
    assert fit_text("channel 1 (2 of 2): error falling", layer) == "GFP (2 of 2): error falling"
    assert fit_text("channel 3 (2 of 2)", layer) == "Channel 3 (2 of 2)"
    assert fit_text("noise of standard deviation 5", layer) == "Noise of standard deviation 5"
    assert fit_text("", layer) == ""
    formula = "photon noise, variance = 2 x (intensity - 95.6)"
    assert fit_text(formula, layer).endswith("x (intensity\u00a0-\u00a095.6)"), "in one piece"
    reason = "stopped by the user in channel 0 (1 of 2), at step 9"
    assert with_channel_name(reason, layer) == "stopped by the user in DAPI (1 of 2), at step 9"


def test_a_fit_that_ends_has_no_time_left_of_its_planned_steps(
    viewer: Any, picture: np.ndarray
) -> None:
    run = restore_layer(viewer, viewer.add_image(picture), block=True)
    stopping = replace(run.step, stage=FITTING, place="fitting, step 4 of 9", seconds_left=60.0)
    run.state, run.step = "stopping", replace(stopping, note="finishing")
    assert status_text(run).splitlines() == [
        "Stopping: fitting, step 4 of 9",
        run.device,
        "Finishing",
    ]
    run.step = replace(stopping, stage=FINISHING, place="finishing: averaging", note="finishing")
    assert status_text(run).splitlines() == ["Finishing: averaging, about 60 s left", run.device]
    run.step = replace(run.step, seconds_left=0.4)
    assert status_text(run).splitlines() == ["Finishing: averaging", run.device]
    run.state = "done"


def test_an_image_that_cannot_be_read_is_named_in_one_line(viewer: Any) -> None:
    def load(block_info: Any = None) -> np.ndarray:
        if block_info[None]["chunk-location"][0] == 2:
            raise OSError("the drive is gone\n(really)")
        return np.ones((1, 8, 9))

    stack = dask.array.map_blocks(load, chunks=((1,) * 3, (8,), (9,)), meta=np.empty((0,) * 3))
    viewer.add_image(stack, name="film", contrast_limits=(0, 1))
    widget = open_panel(viewer, "Denoise")
    widget.planes.value = "all"
    assert _said(widget) == "Layer 'film' cannot be read: the drive is gone."
