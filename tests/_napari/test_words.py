"""The words of the panels: those of a microscopist, not those of Python."""

import re
from typing import Any, get_args

import numpy as np
import pytest

from napari_deep_image_prior.methods.denoising.task import NoiseKind
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
