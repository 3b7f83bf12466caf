"""The mask of an inpainting, before and during a run, and the size of an enlarged image."""

import re
from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior import restore_layer
from napari_deep_image_prior._napari.layers.holes import MAX_PIXELS, widest_hole
from tests._napari.conftest import open_panel, press

pytestmark = [pytest.mark.usefixtures("_no_leftovers")]


def disk(radius: float, size: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    return np.hypot(y, x) <= radius


@pytest.mark.parametrize("size", [101, 2 * int(MAX_PIXELS**0.5)])
def test_the_width_of_holes_is_the_diameter_of_the_largest_circle_in_them(size: int) -> None:
    mask = np.zeros((size, size), dtype=bool)
    assert widest_hole(mask) == 0
    mask[size // 4 : size // 4 + 3] = True
    assert widest_hole(mask) == pytest.approx(3, abs=size / 500)
    mask |= disk(size / 5, size)
    assert widest_hole(mask) == pytest.approx(2 * size / 5, abs=2 + size / 500)
    assert widest_hole(mask | True) == 0, "every pixel missing is an error of the task"


def test_a_hole_at_the_border_is_as_wide_as_its_distance_from_known_pixels_requires() -> None:
    mask = np.zeros((60, 60), dtype=bool)
    mask[:, :15] = True
    assert widest_hole(mask) == 29


def test_a_hole_that_is_too_wide_is_reported_while_it_is_painted(viewer: Any, qtbot: Any) -> None:
    viewer.add_image(np.random.default_rng(0).random((2, 80, 90)))
    widget = open_panel(viewer, "Inpaint")
    shown = widget.hole_width
    assert not shown.native.isVisibleTo(widget.native)
    press(widget.new_mask)
    mask = widget.missing.value
    assert not shown.native.isVisibleTo(widget.native)
    mask.data_setitem((np.zeros(9, int), np.arange(9), np.arange(9)), 1)
    mask.brush_size = 35
    mask.paint((0, 40, 45), 1)
    qtbot.waitUntil(lambda: shown.native.isVisibleTo(widget.native), timeout=5000)
    assert re.search("The widest hole is about 3[3-6] pixels wide", shown.value)
    assert "without structure" in shown.value
    mask.undo()
    qtbot.waitUntil(lambda: not shown.native.isVisibleTo(widget.native), timeout=5000)
    mask.redo()
    qtbot.waitUntil(lambda: shown.native.isVisibleTo(widget.native), timeout=5000)
    viewer.layers.remove(mask)
    assert not shown.native.isVisibleTo(widget.native), "the mask is gone"


@pytest.mark.usefixtures("endless_presets")
def test_the_outline_of_the_mask_stays_over_the_result_with_the_brush(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Inpaint")
    press(widget.new_mask)
    mask = widget.missing.value
    viewer.layers.move(1, 0)
    mask.brush_size = 3
    mask.paint((10, 10), 1)
    press(widget.run)
    assert [layer.name for layer in viewer.layers] == [
        "cells",
        "cells inpainted",
        "cells missing",
    ]
    assert viewer.layers.selection.active is mask
    assert set(viewer.layers.selection) == {mask}
    assert mask.mode == "paint"
    assert mask.contour == 1
    run = widget._run
    qtbot.waitUntil(lambda: run.step is not None and run.step.image is not None, timeout=30000)
    mask.paint((4, 20), 1)
    qtbot.waitUntil(lambda: run._steps.task.missing[4, 20], timeout=5000)
    press(widget.stop)
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert viewer.layers.selection.active is mask


@pytest.mark.usefixtures("endless_presets")
def test_a_hidden_mask_and_the_contour_of_the_user_stay_as_they_are(
    viewer: Any, picture: np.ndarray, hole: np.ndarray
) -> None:
    source = viewer.add_image(picture)
    mask = viewer.add_labels(hole.astype(int), visible=False)
    run = restore_layer(viewer, source, task="inpaint", missing=mask)
    assert mask.contour == 0
    assert not mask.visible
    assert viewer.layers[-1] is run.layer
    run.cancel()
    mask.visible, mask.contour = True, 3
    run = restore_layer(viewer, source, task="inpaint", missing=mask)
    assert mask.contour == 3
    assert mask.mode == "pan_zoom"
    run.cancel()


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [
        ((1, 1, 1), None, "pixel size 1/4 of a pixel of the image."),
        ((5, 0.2, 0.2), "um", "pixel size 0.05 \u00b5m."),
        ((5, 0.2, 0.1), "um", "pixel size 0.025 x 0.05 \u00b5m."),
    ],
)
def test_the_size_of_the_result_is_shown_before_the_run(
    viewer: Any, scale: Any, units: Any, expected: str
) -> None:
    widget = open_panel(viewer, "Super-resolve")
    assert widget.result_size.value == ""
    viewer.add_image(np.zeros((3, 24, 28)), scale=scale, units=units and [units] * 3)
    assert widget.result_size.value == f"Result: 112 x 96 pixels, {expected}"
    widget.factor.value = 2
    assert widget.result_size.value.startswith("Result: 56 x 48 pixels")
