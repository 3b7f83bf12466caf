"""The Estimate button, on a real viewer."""

from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior._napari.jobs.queue import queue_of
from tests._napari.conftest import open_panel

pytestmark = [pytest.mark.usefixtures("_no_leftovers")]


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("panel", ["Denoise", "Inpaint", "Super-resolve"])
def test_the_button_reports_time_and_memory_and_starts_nothing(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any, panel: str
) -> None:
    viewer.add_image(picture, name="cells")
    viewer.add_labels(hole.astype(int), name="holes")
    widget = open_panel(viewer, panel)
    widget.estimate.native.click()
    assert widget.status.value == "Estimating …", "the window is not blocked"
    qtbot.waitUntil(lambda: widget.status.value.startswith("At most about"), timeout=30000)
    assert " s and 0." in widget.status.value
    assert "GB on cpu" in widget.status.value
    assert len(viewer.layers) == 2


def test_a_missing_image_is_reported(viewer: Any) -> None:
    widget = open_panel(viewer, "Denoise")
    widget.estimate.native.click()
    assert widget.status.value == "Choose an image layer first."


@pytest.mark.usefixtures("quick_presets")
def test_a_run_waits_for_an_estimate_whose_answer_stays_until_its_end(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Denoise")
    widget.estimate.native.click()
    widget.run.native.click()
    assert widget.status.value == "Queued: starts after the estimate."
    assert widget._run.state == "waiting", "each would slow the other down"
    seen: list[str] = []
    widget._run.changed.connect(lambda _run: seen.append(widget.status.value))
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert any(text.startswith("At most about ") for text in seen)
    assert widget.status.value.startswith("Done: ")
    assert widget.estimate.enabled


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("change", ["preset", "noise", "image"])
def test_an_answer_is_not_shown_for_other_settings_or_another_image(
    viewer: Any, picture: np.ndarray, qtbot: Any, change: str
) -> None:
    layer = viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Denoise")
    widget.estimate.native.click()
    qtbot.waitUntil(lambda: "about" in widget.status.value, timeout=30000)
    if change == "image":
        viewer.layers.remove(layer)
    else:
        getattr(widget, change).value = getattr(widget, change).choices[1]
    assert "about" not in widget.status.value


@pytest.mark.usefixtures("endless_presets")
@pytest.mark.parametrize("change", ["preset", "missing", "image"])
def test_an_estimate_ends_when_a_setting_or_the_image_changes(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any, change: str
) -> None:
    viewer.add_image(picture, name="other")
    viewer.add_image(picture, name="cells")
    for name in ("first", "second"):
        viewer.add_labels(hole.astype(int), name=name)
    widget = open_panel(viewer, "Inpaint")
    choice = getattr(widget, change)
    choice.value = choice.choices[0]
    widget.estimate.native.click()
    assert widget.estimate.is_active
    answers: list[object] = []
    widget.estimate.job._on_end = answers.append
    choice.value = choice.choices[1]
    if change != "image":
        assert widget.status.value == "The estimate was cancelled, as the settings have changed."
    assert widget.estimate.text == "Estimate"
    qtbot.waitUntil(lambda: not queue_of(viewer).at_work, timeout=30000)
    assert answers == []


@pytest.mark.usefixtures("endless_presets")
def test_an_estimate_reports_its_progress_and_is_cancelled_by_its_button(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Denoise")
    widget.estimate.native.click()
    assert widget.estimate.text == "Cancel estimate"
    assert widget.progress.native.maximum() == 0, "the bar moves without a value"
    qtbot.waitUntil(lambda: widget.status.value.startswith("Estimating: "), timeout=30000)
    widget.estimate.native.click()
    assert widget.status.value == "The estimate was cancelled."
    assert widget.estimate.text == "Estimate"
    assert widget.progress.native.maximum() > 0
    qtbot.waitUntil(lambda: not queue_of(viewer).at_work, timeout=30000)


@pytest.mark.parametrize("closed", ["the widget", "the window"])
def test_closing_cancels_an_estimate(
    viewer: Any, picture: np.ndarray, qtbot: Any, closed: str
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Denoise")
    widget.estimate.native.click()
    worker = widget.estimate.job._worker._worker  # napari's
    said: list[object] = []
    widget.estimate.job._on_end = said.append
    with qtbot.waitSignal(worker.finished, timeout=30000):
        if closed == "the window":
            viewer.close()
        else:
            viewer.window.remove_dock_widget(widget.native)
            widget.native.deleteLater()
    assert said == []


@pytest.mark.usefixtures("endless_presets")
def test_a_cancelled_estimate_is_freed_while_the_window_stays_open(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Inpaint")
    viewer.add_labels((picture > 150).astype(int), name="holes")
    widget.estimate.native.click()
    working = widget.estimate.job._worker._worker._gen.gi_frame.f_locals["generator"]
    widget.estimate.job.cancel()
    qtbot.waitUntil(lambda: working.gi_frame is None, timeout=30000)
