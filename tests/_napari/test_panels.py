"""The widgets as a user sees them, on a real viewer."""

import gc
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import PIL.Image
import pytest
from napari.layers import Image, Labels
from napari.utils import progress
from qtpy.QtWidgets import QFileDialog

from napari_deep_image_prior import restore_layer
from napari_deep_image_prior._napari.jobs import activity
from napari_deep_image_prior._napari.jobs import waiting as waiting_module
from tests._napari.conftest import PLUGIN, open_panel, press
from tests.conftest import QUICK

pytestmark = [pytest.mark.usefixtures("_no_leftovers")]
MEMBERS = {"image", "preset", "device", "seed", "run", "pause", "stop", "cancel"}


def _wait(qtbot: Any, condition: Any) -> None:
    qtbot.waitUntil(condition, timeout=30000)


@pytest.mark.parametrize(
    ("display_name", "own"),
    [
        ("Denoise", {"noise"}),
        ("Inpaint", {"missing"}),
        ("Super-resolve", {"factor"}),
        ("Deconvolve", {"psf_from"}),
    ],
)
def test_a_widget_opens_from_the_menu_with_its_members(
    viewer: Any, display_name: str, own: set[str]
) -> None:
    widget = open_panel(viewer, display_name)
    for name in MEMBERS | own:
        assert getattr(widget, name).name == name
        assert widget[name].name == name
    assert widget.preset.choices == ("fast", "best", "paper")
    assert widget.preset.value == "fast"
    with pytest.raises(AttributeError, match="nonsense"):
        widget.nonsense  # noqa: B018


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize(
    ("panel", "suffix"),
    [
        ("Denoise", "denoised"),
        ("Inpaint", "inpainted"),
        ("Super-resolve", "super-resolved"),
        ("Deconvolve", "deconvolved"),
    ],
)
@pytest.mark.parametrize("proxied", [False, True], ids=["raw viewer", "proxied viewer"])
def test_a_widget_runs_to_its_end(
    viewer: Any,
    picture: np.ndarray,
    hole: np.ndarray,
    qtbot: Any,
    panel: str,
    suffix: str,
    proxied: bool,
) -> None:
    viewer.add_image(picture, name="cells")
    viewer.add_labels(hole.astype(int), name="holes")
    widget = open_panel(viewer, panel, proxied=proxied)
    assert not widget.pause.enabled
    press(widget.run)
    assert f"cells {suffix}" in viewer.layers, "the result layer appears at once"
    assert not widget.run.enabled
    _wait(qtbot, lambda: widget.run.enabled)
    assert widget.status.value.startswith("Done: ")
    assert widget.progress.value == widget.progress.max
    assert not any(button.enabled for button in (widget.pause, widget.stop, widget.cancel))
    assert "deep_image_prior" in viewer.layers[f"cells {suffix}"].metadata


@pytest.mark.usefixtures("endless_presets")
def test_the_buttons_pause_resume_stop_and_start_again(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Super-resolve")
    widget.factor.value = 2
    press(widget.run)
    _wait(qtbot, lambda: "step" in widget.status.value and "left" in widget.status.value)
    assert "cpu" in widget.status.value or "cuda" in widget.status.value
    press(widget.pause)
    assert widget.pause.text == "Resume"
    assert widget.status.value.startswith("Paused")
    press(widget.pause)
    assert widget.pause.text == "Pause"
    press(widget.stop)
    _wait(qtbot, lambda: widget.run.enabled)
    assert "stopped by the user" in widget.status.value
    press(widget.run)
    press(widget.cancel)
    _wait(qtbot, lambda: widget.run.enabled)
    assert [layer.name for layer in viewer.layers] == ["cells", "cells super-resolved"]


@pytest.mark.usefixtures("endless_presets")
def test_the_history_is_scrubbed_kept_and_run_on_in_the_widget(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Super-resolve")
    assert not any(part.enabled for part in (widget.history, widget.keep, widget.run_on))
    press(widget.run)
    run = widget._run
    _wait(qtbot, lambda: len(run.history) > 2)
    assert not widget.history.enabled, "a running fit shows its newest image"
    press(widget.stop)
    _wait(qtbot, lambda: widget.run.enabled)
    assert widget.history.value == widget.history.max == len(run.history) - 1
    assert widget.history_text.value.startswith("Showing the result, step")
    widget.history.value = 1
    np.testing.assert_array_equal(run.layer.data, run.history[1].image)
    assert widget.history_text.value.startswith(f"Showing step {run.history[1].iteration}\n")
    press(widget.keep)
    assert f"cells super-resolved, step {run.history[1].iteration}" in viewer.layers
    widget.snapshot_memory.value = 0
    assert len(run.history) == 1
    assert widget.history_text.value.endswith("1 snapshot, 0 of 0 MB")
    press(widget.run_on)
    assert not widget.run.enabled
    press(widget.cancel)
    _wait(qtbot, lambda: widget.run.enabled)
    assert "earlier result is shown again" in widget.status.value


@pytest.mark.usefixtures("endless_presets")
@pytest.mark.parametrize("colors", [False, True])
def test_the_history_is_saved_as_a_gif(
    viewer: Any,
    picture: np.ndarray,
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    colors: bool,
) -> None:
    asked = []

    def answer(name: str) -> None:
        def get_name(_parent: Any, _title: str, suggested: str, _filter: str) -> tuple[str, str]:
            asked.append(suggested)
            return name, ""

        monkeypatch.setattr(QFileDialog, "getSaveFileName", get_name)
        press(widget.gif)

    image = (
        np.stack([picture, picture / 2, 0 * picture], axis=-1).astype(np.uint8)
        if colors
        else picture
    )
    viewer.add_image(image, rgb=colors, name="cells: a")
    widget = open_panel(viewer, "Super-resolve")
    assert not widget.gif.enabled, "there is nothing to save yet"
    press(widget.run)
    run = widget._run
    _wait(qtbot, lambda: len(run.history) > 3)
    press(widget.stop)
    _wait(qtbot, lambda: widget.status.value.startswith("Done"))
    run.layer.contrast_limits = (100, 200)
    answer("")
    assert asked == ["cells_ a super-resolved.gif"]
    assert widget.status.value == "Nothing was saved."
    answer(str(tmp_path / "mine"))
    assert widget.status.value == f"Saved as {tmp_path / 'mine.gif'}"
    with PIL.Image.open(tmp_path / "mine.gif") as gif:
        assert 1 < gif.n_frames <= len(run.history)  # identical consecutive frames are merged
        gif.seek(gif.n_frames - 1)
        last = np.asarray(gif.convert("RGB")).astype(float)
    expected = (
        run.result.image if colors else np.clip(2.55 * (run.result.image[..., None] - 100), 0, 255)
    )
    np.testing.assert_allclose(last, np.broadcast_to(expected, last.shape), atol=9 if colors else 2)
    answer(str(tmp_path / "nowhere" / "a.gif"))
    assert "does not exist" in widget.status.value
    assert "\n" not in widget.status.value


@pytest.mark.usefixtures("quick_presets")
def test_strength_is_visible_and_grayed_out_where_it_has_no_effect(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Denoise")
    assert widget.strength.native.isVisibleTo(widget.native)
    assert widget.strength.value == 1
    widget.strength.value = 1.4
    widget.preset.value = "paper"
    assert not widget.strength.enabled
    assert "no noise level" in widget.strength.tooltip
    assert widget._arguments()["strength"] == 1
    widget.preset.value = "fast"
    assert widget.strength.enabled
    press(widget.run)
    _wait(qtbot, lambda: widget.run.enabled)
    made = viewer.layers["cells denoised"].metadata["deep_image_prior"]
    assert made["task"]["strength"] == 1.4


@pytest.mark.usefixtures("quick_presets")
def test_outliers_are_filled_where_the_panel_says_so(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    hot = picture.copy()
    hot[7, 9] = 60_000
    viewer.add_image(hot, name="cells")
    widget = open_panel(viewer, "Denoise")
    assert widget.outliers.value == "keep"
    widget.outliers.value = "fill"
    press(widget.run)
    _wait(qtbot, lambda: widget.run.enabled)
    result = viewer.layers["cells denoised"]
    assert result.metadata["deep_image_prior"]["task"]["outliers"] == "fill"
    assert result.data.max() < 2 * picture.max()
    assert "outlying pixels filled" in widget.status.value


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("what", ["no data", "transparency", "masked array", "inverted mask"])
def test_the_panel_reports_what_may_be_a_mistake(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any, what: str
) -> None:
    image, expected = picture.astype(np.float32), ""
    if what == "no data":
        image, expected = np.where(hole, -9999, image), "-9999 and count as unknown (no data)."
    elif what == "transparency":
        image = np.dstack([picture] * 3 + [255 * hole]).astype(np.uint8)
        expected = "The transparency of 'cells' is left out"
    elif what == "masked array":
        image = np.ma.masked_array(np.where(hole, 60_000, picture).astype(np.uint16), hole)
    viewer.add_image(image, name="cells", rgb=image.ndim == 3)
    widget = open_panel(viewer, "Inpaint" if what == "inverted mask" else "Denoise")
    if what == "inverted mask":
        labels = np.ones(picture.shape, dtype=np.uint8)
        labels[3:6] = 0
        viewer.add_labels(labels, name="mask")
        expected = "if the mask marks the known pixels, invert it."
    press(widget.run)
    _wait(qtbot, lambda: widget.run.enabled)
    assert expected in widget.status.value
    result = viewer.layers[-1].data
    if what in ("no data", "masked array"):
        assert result.min() > -500
        assert result.max() < 10_000


def test_more_options_are_collapsed(viewer: Any) -> None:
    widget = open_panel(viewer, "Denoise")
    assert not widget.seed.native.isVisibleTo(widget.native)
    press(widget.more_toggle)
    assert widget.seed.native.isVisibleTo(widget.native)
    press(widget.more_toggle)
    assert not widget.seed.native.isVisibleTo(widget.native)


@pytest.mark.parametrize("name", ["Denoise", "Inpaint", "Super-resolve", "Results"])
def test_a_widget_scrolls_in_a_low_window_and_warns_of_what_a_prior_may_invent(
    viewer: Any, qtbot: Any, name: str
) -> None:
    widget = open_panel(viewer, name)
    inside = widget.image.native if name != "Results" else widget.result.native
    assert widget.native.minimumSizeHint().height() < 200, "the window may be low"
    assert widget.native.minimumSizeHint().width() > inside.minimumSizeHint().width()
    warning = widget._warning if name != "Results" else widget.warning
    assert warning.native.isVisibleTo(widget.native)
    assert "Do not count, measure or diagnose" in warning.value


@pytest.mark.usefixtures("endless_presets")
def test_a_reopened_widget_shows_the_run(viewer: Any, picture: np.ndarray, qtbot: Any) -> None:
    viewer.add_image(picture)
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise")
    press(widget.run)
    viewer.window.remove_dock_widget(dock)
    again = open_panel(viewer, "Denoise")
    _wait(qtbot, lambda: "step" in again.status.value)
    press(again.cancel)
    _wait(qtbot, lambda: again.run.enabled)


@pytest.mark.usefixtures("quick_presets")
def test_a_reopened_widget_shows_a_finished_fit(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    # without noise there is nothing to correct: the correction weight could stay 0
    viewer.add_image(picture + np.random.default_rng(0).normal(0, 9, picture.shape), name="picture")
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise")
    press(widget.run)
    qtbot.waitUntil(lambda: viewer.layers[-1].name.endswith("denoised"), timeout=60000)
    layer = viewer.layers[-1]
    run = widget._run
    run.wait()
    message = widget.status.value
    viewer.window.remove_dock_widget(dock)
    del dock, widget, run
    gc.collect()
    again = open_panel(viewer, "Denoise")
    assert again.status.value == message
    before = layer.data.copy()
    press(again.run_on)
    _wait(qtbot, lambda: again.run_on.enabled)
    assert not np.array_equal(layer.data, before)
    run = again._run
    viewer.layers.remove(layer)
    assert not run.can_run_on, "its memory is freed with the layer"


def test_the_fit_is_held_by_its_layer_and_freed_with_it(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    run = ref(
        restore_layer(viewer, viewer.add_image(picture), block=True, settings=QUICK["denoise"])
    )
    assert run() is not None, "the layer holds it"
    viewer.layers.clear()

    def is_freed() -> bool:
        gc.collect()
        return run() is None or not (run().can_run_on or run().history)

    _wait(qtbot, is_freed)  # its thread may be about to end


@pytest.mark.usefixtures("quick_presets")
def test_a_stack_has_no_earlier_images_to_animate(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(np.stack([picture] * 2))
    widget = open_panel(viewer, "Denoise")
    for planes, may in (("all", False), ("displayed", True)):
        widget.planes.value = planes
        press(widget.run)
        _wait(qtbot, lambda: widget.run.enabled and widget.keep.enabled)
        assert widget.gif.enabled is may


@pytest.mark.usefixtures("endless_presets")
def test_a_run_of_another_widget_waits_its_turn(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture)
    first, second = open_panel(viewer, "Denoise"), open_panel(viewer, "Super-resolve")
    assert not first.queue.enabled
    press(first.run)
    press(second.run)
    assert second.status.value == "Queued: starts after 1 other."
    press(first.cancel)
    _wait(qtbot, lambda: "step" in second.status.value)
    press(second.cancel)


@pytest.mark.usefixtures("endless_presets")
def test_the_queue_is_listed_moved_and_cancelled_and_survives_reopening(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    for name in ("a", "b", "c"):
        viewer.add_image(picture, name=name)
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise")
    for name, add in (("a", widget.run), ("b", widget.queue), ("c", widget.queue)):
        widget.image.value = viewer.layers[name]
        widget.seed.value = 7 if name == "c" else 0
        press(add)
    viewer.window.remove_dock_widget(dock)
    widget = open_panel(viewer, "Denoise")
    listed = widget._queue

    def lines() -> list[str]:
        return [listed.list.item(row).text() for row in range(listed.list.count())]

    assert lines() == [
        "running: a denoised (fast)",
        "waiting: b denoised (fast)",
        "waiting: c denoised (fast, seed 7)",
    ]
    listed.list.setCurrentRow(2)
    listed.up.click()
    assert lines() == [
        "running: a denoised (fast)",
        "waiting: c denoised (fast, seed 7)",
        "waiting: b denoised (fast)",
    ]
    press(widget.pause)
    assert lines()[0] == "paused: a denoised (fast)"
    press(widget.pause)
    assert lines()[0] == "running: a denoised (fast)"
    assert listed.list.currentRow() == 1
    assert not listed.up.isEnabled()
    listed.down.click()
    listed.list.setCurrentRow(1)
    listed.remove.click()
    assert lines() == ["running: a denoised (fast)", "waiting: c denoised (fast, seed 7)"]
    press(widget.cancel)
    assert widget.status.value == "Queued: starts when the last step before it has ended."
    _wait(qtbot, lambda: "step" in widget.status.value)
    assert widget._run.layer.name == "c denoised", "the widget shows the next one"
    assert not listed.isVisibleTo(widget.native)
    press(widget.cancel)
    assert [layer.name for layer in viewer.layers] == ["a", "b", "c"]


def test_run_without_an_image_asks_for_one(viewer: Any) -> None:
    widget = open_panel(viewer, "Denoise")
    press(widget.run)
    assert widget.status.value == "Choose an image layer first."
    assert widget.run.enabled


def test_the_panel_states_the_next_action(viewer: Any, picture: np.ndarray) -> None:
    widget = open_panel(viewer, "Denoise")
    assert widget.status.value == "Open an image to begin."
    viewer.add_image(picture)
    assert widget.status.value.startswith("Press Run")


@pytest.mark.usefixtures("endless_presets")
def test_the_panel_reports_that_its_image_was_deleted_and_offers_no_result_in_its_place(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Denoise")
    press(widget.run)
    _wait(qtbot, lambda: "step" in widget.status.value)
    viewer.layers.remove("cells")
    notice = "'cells' was deleted: choose or open another image.\n"
    assert widget.image.value is None
    assert widget.status.value.startswith(notice)
    _wait(qtbot, lambda: len(widget._run.misfits) > 0)
    assert widget.status.value.startswith(notice), "the next steps do not overwrite it"
    press(widget.stop)
    _wait(qtbot, lambda: widget.run.enabled)
    assert widget.status.value.startswith(notice + "Done: ")
    assert widget.image.value is None
    press(widget.run)
    assert widget.status.value == "Choose an image layer first."
    widget.image.value = viewer.layers["cells denoised"]  # the user may restore it again
    viewer.add_image(picture, name="other")
    assert widget.image.value is viewer.layers["cells denoised"]
    press(widget.run)
    assert "deleted" not in widget.status.value
    press(widget.cancel)
    viewer.layers.remove("cells denoised")
    assert widget.image.value is viewer.layers["other"]
    assert "the image is now 'other'" in widget.status.value


@pytest.mark.usefixtures("endless_presets")
def test_deleting_an_image_reports_its_waiting_runs_in_one_line(
    viewer: Any, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(waiting_module, "show_warning", told.append)
    cells, other = viewer.add_image(picture, name="cells"), viewer.add_image(picture, name="other")
    first, *waiting = (restore_layer(viewer, each) for each in (cells, cells, other, cells))
    viewer.layers.remove(cells)
    assert [run.state for run in waiting] == ["cancelled", "waiting", "cancelled"]
    assert told == ["'cells' was deleted: 2 waiting restorations of it cancelled."]
    assert first.state == "running", "its pixels are in memory"
    waiting[1].cancel()
    first.cancel()


@pytest.mark.usefixtures("quick_presets")
def test_the_bar_the_curve_and_the_text_begin_anew_and_end_with_the_layers(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Denoise")
    press(widget.run)
    _wait(qtbot, lambda: widget.run.enabled)
    assert widget._curve.label == "held-out error (first estimate = 1)"
    assert widget._curve.marked == widget._run.result.iterations
    widget.history.value = 1
    assert widget._curve.marked == widget._run.shown.iteration
    press(widget.run)
    assert (widget.progress.value, widget._curve.label) == (0, "")
    _wait(qtbot, lambda: widget.run.enabled)
    viewer.layers.remove(widget._run.layer)
    assert (widget.progress.value, widget._curve.label) == (0, "")
    assert widget.status.value.startswith("Press Run")
    press(widget.run)
    _wait(qtbot, lambda: widget.run.enabled)
    viewer.layers.remove(source)
    assert (widget.progress.value, widget._curve.label) == (0, "")
    assert widget.status.value == "'cells' was deleted: choose or open another image."
    assert widget.keep.enabled, "the result is still there"


@pytest.mark.usefixtures("endless_presets")
def test_a_run_is_shown_in_the_activity_dock_and_a_long_one_ends_with_a_notification(
    viewer: Any, picture: np.ndarray, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(activity, "show_info", said.append)
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Super-resolve")
    for long in (60.0, 0.0):
        monkeypatch.setattr(activity, "LONG", long)
        press(widget.run)
        _wait(qtbot, lambda: any("fitting, step" in bar.desc for bar in progress._all_instances))
        press(widget.stop)
        _wait(qtbot, lambda: widget.run.enabled)
        assert not progress._all_instances
    (message,) = said
    assert message.startswith("cells super-resolved [1]: done after ")


def test_a_long_layer_name_does_not_widen_the_panel(viewer: Any, picture: np.ndarray) -> None:
    viewer.add_image(picture, name="cells")
    widgets = [
        open_panel(viewer, "Denoise"),
        open_panel(viewer, "Inpaint"),
        open_panel(viewer, "Results"),
    ]
    before = [widget.native.sizeHint().width() for widget in widgets]
    viewer.add_labels(np.zeros((4, 4), dtype=int), name="mask of " * 30)
    viewer.add_image(picture, name="cells of the " * 30)
    for widget in widgets[:2]:
        widget.image.value = viewer.layers[-1]
    viewer.layers[-1].metadata = {"deep_image_prior": {}}
    widgets[2].reset_choices()
    widgets[2].result.value = viewer.layers[-1]
    assert [widget.native.sizeHint().width() for widget in widgets] == before


def test_without_bad_pixels_nothing_is_marked(viewer: Any, picture: np.ndarray) -> None:
    viewer.add_image(picture)
    widget = open_panel(viewer, "Inpaint")
    widget.marked.value = "NaN"
    press(widget.mark)
    assert widget.status.value == "No pixel of this plane is NaN: nothing was marked."
    assert len(viewer.layers) == 1, "no empty mask was added"


def test_a_hidden_mask_is_marked_too(viewer: Any) -> None:
    stack = np.random.default_rng(0).random((2, 40, 40))
    stack[:, 21, 30] = np.nan
    viewer.add_image(np.zeros((9, 40, 40)), translate=(-4, 0, 0))
    viewer.dims.set_current_step(0, 0)  # beside the stack
    image = viewer.add_image(stack, name="cells")
    mask = viewer.add_labels(np.zeros(stack.shape, dtype=int), visible=False)
    viewer.dims.set_current_step(0, 5)  # its second plane
    widget = open_panel(viewer, "Inpaint")
    widget.image.value, widget.missing.value = image, mask
    widget.marked.value = "NaN"
    press(widget.mark)
    np.testing.assert_array_equal(
        mask.data != 0, np.isnan(stack) & (np.arange(2) == 1)[:, None, None]
    )


@pytest.mark.usefixtures("quick_presets")
def test_the_panel_reports_the_estimated_noise_and_the_kept_step(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture + np.random.default_rng(0).normal(0, 9, picture.shape), name="cells")
    widget = open_panel(viewer, "Denoise")
    widget.fit_contrast.value = False
    press(widget.run)
    _wait(qtbot, lambda: widget.run.enabled)
    done, found = widget.status.value.split("\n")
    assert done.startswith("Done: ")
    assert found.lower() == widget._run.result.provenance["found"].lower() != ""
    press(widget.keep)
    assert widget.status.value == f"Kept as '{viewer.layers[-1].name}'."


def test_a_new_mask_fits_its_image_and_is_ready_to_paint(viewer: Any, picture: np.ndarray) -> None:
    image = viewer.add_image(np.stack([picture] * 3), scale=(4, 0.5, 0.5), translate=(1, 2, 3))
    viewer.dims.set_current_step(0, 1)
    widget = open_panel(viewer, "Inpaint")
    press(widget.new_mask)
    mask = viewer.layers.selection.active
    assert isinstance(mask, Labels)
    assert widget.missing.value is mask
    assert mask.mode == "paint"
    assert mask.data.shape == (1, 24, 28)
    np.testing.assert_allclose(mask.data_to_world((0, 2, 3)), image.data_to_world((1, 2, 3)))
    press(widget.run)
    assert "paint the pixels" in widget.status.value


@pytest.mark.usefixtures("quick_presets")
def test_pixels_painted_on_the_new_mask_are_filled(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(np.stack([picture] * 3), scale=(4, 0.5, 0.5))
    viewer.dims.set_current_step(0, 1)
    widget = open_panel(viewer, "Inpaint")
    press(widget.new_mask)
    widget.missing.value.paint((0, 10, 10), 1)
    press(widget.run)
    _wait(qtbot, lambda: widget.run.enabled)
    assert widget.status.value.startswith("Done: ")


def test_pixels_are_marked_by_their_values_on_a_fitting_mask(
    viewer: Any, picture: np.ndarray
) -> None:
    image = np.stack([picture] * 3)
    image[1, 4, 3:6] = 0
    image[2] = 0
    viewer.add_image(image, scale=(2, 0.5, 0.5))
    viewer.dims.set_current_step(0, 1)
    widget = open_panel(viewer, "Inpaint")
    widget.marked.value = "dead (0)"
    assert not widget.mark_value.enabled
    press(widget.mark)
    mask = widget.missing.value
    assert mask.data.shape == (1, 24, 28)
    assert sorted(map(tuple, np.argwhere(mask.data[0]))) == [(4, 3), (4, 4), (4, 5)]
    assert widget.status.value.startswith("Marked 3 pixels on 'image missing'")
    widget.marked.value = "above"
    assert widget.mark_value.enabled
    widget.mark_value.value = float(picture.max()) - 0.01
    press(widget.mark)
    assert widget.missing.value is mask, "more is added to the same mask"
    assert mask.data.sum() == 3 + (picture > picture.max() - 0.01).sum()
    mask.undo()
    assert mask.data.sum() == 3


@pytest.mark.parametrize(
    ("key", "kinds"), [("noisy", [Image]), ("scratched", [Image, Labels]), ("small", [Image])]
)
def test_samples_open_without_a_network(
    viewer: Any, key: str, kinds: list[type], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    viewer.open_sample(PLUGIN, key)
    assert [type(layer) for layer in viewer.layers] == kinds


def test_the_manifest_offers_the_widgets_where_users_look(plugins: Any) -> None:
    manifest = plugins.get_manifest(PLUGIN)
    assert manifest.display_name == "Deep Image Prior"
    assert [widget.display_name for widget in manifest.contributions.widgets] == [
        "Denoise",
        "Inpaint",
        "Super-resolve",
        "Deconvolve",
        "Results",
    ]
    menus = {
        menu: [item.command for item in items]
        for menu, items in manifest.contributions.menus.items()
    }
    assert menus == {
        "napari/layers/filter": [f"{PLUGIN}.{n}" for n in ("denoise", "inpaint", "deconvolve")],
        "napari/layers/transform": [f"{PLUGIN}.super_resolve"],
        "napari/layers/measure": [f"{PLUGIN}.results"],
    }
    for command in manifest.contributions.commands:
        assert plugins.commands.get(command.id) is not None
