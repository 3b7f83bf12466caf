"""The Results widget as a user meets it, on a real viewer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QApplication

from napari_deep_image_prior import restore_layer
from napari_deep_image_prior._napari.results import ResultsWidget
from napari_deep_image_prior._napari.run import active_run

pytestmark = [pytest.mark.usefixtures("_no_leftovers", "quick_presets")]


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    return make_napari_viewer(ndisplay=2)


@pytest.fixture
def results(viewer: Any) -> ResultsWidget:
    widget = ResultsWidget(viewer)
    viewer.window.add_dock_widget(widget)
    return widget


def _press(button: Any) -> None:
    assert button.enabled, f"{button.name} is greyed out"
    button.native.click()


def _wait_for_run(qtbot: Any, viewer: Any) -> Any:
    run = active_run(viewer)
    qtbot.waitUntil(lambda: not run.is_active, timeout=30000)
    assert run.state == "done", run.message
    return run


def _restored(viewer: Any, results: ResultsWidget, source: Any, **arguments: Any) -> Any:
    run = restore_layer(viewer, source, block=True, **arguments)
    results.result.value = run.layer
    return run


@pytest.mark.parametrize("docked", [True, False], ids=["raw viewer", "proxied viewer"])
def test_run_again_gives_the_same_image(viewer: Any, picture: np.ndarray, qtbot: Any, docked: bool) -> None:
    if docked:
        widget = ResultsWidget(viewer)
        viewer.window.add_dock_widget(widget)
    else:
        _, widget = viewer.window.add_plugin_dock_widget("napari-deep-image-prior", "Results")
    source = viewer.add_image(np.stack([picture, picture + 1, picture + 2]), name="cells", scale=(3, 0.5, 0.5))
    viewer.dims.set_current_step(0, 1)
    first = _restored(viewer, widget, source, seed=4)
    viewer.dims.set_current_step(0, 2)
    _press(widget.run_again)
    again = _wait_for_run(qtbot, viewer)
    np.testing.assert_array_equal(again.layer.data, first.layer.data)
    assert again.layer is not first.layer
    assert viewer.dims.current_step[0] == 1, "the plane on display is the restored one"


@pytest.mark.parametrize("task", ["inpaint", "super-resolve"])
def test_masks_factors_and_colours_are_repeated_too(
    viewer: Any, results: ResultsWidget, picture: np.ndarray, hole: np.ndarray, qtbot: Any, task: str
) -> None:
    colours = np.stack([picture, picture[::-1], 255 - picture, 0 * picture], axis=-1).astype(np.uint8)
    source = viewer.add_image(colours, rgb=True)
    labels = viewer.add_labels(hole.astype(int))
    first = _restored(viewer, results, source, task=task, missing=labels, factor=(2, 3))
    viewer.layers.remove(labels)
    _press(results.run_again)
    again = _wait_for_run(qtbot, viewer)
    np.testing.assert_array_equal(again.layer.data, first.layer.data)


def test_the_script_on_the_clipboard_gives_the_same_image(
    viewer: Any, results: ResultsWidget, picture: np.ndarray, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", np.stack([picture, picture + 9]).astype(np.uint16))
    source = viewer.open(str(tmp_path / "cells.tif"), plugin="napari")[0]
    viewer.dims.set_current_step(0, 1)
    first = _restored(viewer, results, source)
    _press(results.copy)
    assert results.status.value == "The script is on the clipboard."
    names: dict[str, Any] = {}
    exec(QApplication.clipboard().text(), names)
    np.testing.assert_array_equal(names["restored"], first.layer.data[0])


def test_the_script_of_an_image_without_a_file_says_where_to_put_it(
    viewer: Any, results: ResultsWidget, picture: np.ndarray
) -> None:
    first = _restored(viewer, results, viewer.add_image(picture, name="cells"))
    _press(results.copy)
    assert "says where to put the image" in results.status.value
    code = QApplication.clipboard().text()
    assert "layer 'cells'" in code
    names: dict[str, Any] = {"picture": picture}
    exec(code.replace("image = ...", "image = picture"), names)
    np.testing.assert_array_equal(names["restored"], first.layer.data)


def test_the_widget_tells_how_a_result_was_made_as_soon_as_that_is_known(
    viewer: Any, results: ResultsWidget, picture: np.ndarray, qtbot: Any
) -> None:
    assert results.made.value == "Choose a result layer first."
    source = viewer.add_image(picture, name="cells")
    assert "does not say how it was made" in results.made.value
    run = restore_layer(viewer, source, seed=6)
    results.result.value = run.layer
    assert "does not say how it was made" in results.made.value
    run.wait()
    assert results.made.value.startswith("Denoise, preset fast, seed 6: ")
    assert run.result.stop_reason in results.made.value
    results.result.value = source
    assert "does not say how it was made" in results.made.value


def test_what_stands_against_an_action_is_said_in_one_line(
    viewer: Any, results: ResultsWidget, picture: np.ndarray
) -> None:
    _press(results.run_again)
    assert results.status.value == "Choose a result layer first."
    source = viewer.add_image(picture, name="cells")
    _press(results.copy)
    assert "'cells' does not say how it was made" in results.status.value
    run = _restored(viewer, results, source)
    source.data = picture + 1
    _press(results.run_again)
    assert "another image than the one restored" in results.status.value
    source.data = picture[1:]
    _press(results.run_again)
    assert "(23, 28)" in results.status.value
    viewer.layers.remove(source)
    viewer.add_labels(np.zeros((3, 3), dtype=int), name="cells")
    _press(results.run_again)
    assert "image layer 'cells' is not in the viewer" in results.status.value.lower()
    run.layer.metadata = {"deep_image_prior": {"task": 3}}
    for button in (results.run_again, results.copy):
        _press(button)
        assert "\n" not in results.status.value
    assert active_run(viewer) is None
