"""The Results widget as a user sees it, on a real viewer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_deep_image_prior import measure_quality, restore_layer
from napari_deep_image_prior._napari.commands import quick_denoise
from napari_deep_image_prior._napari.jobs.current import active_run
from napari_deep_image_prior._napari.jobs.queue import queue_of
from napari_deep_image_prior._napari.jobs.uncertainty import UncertaintyJob, active_uncertainty
from napari_deep_image_prior._napari.jobs.worker import wait_while
from tests._napari.conftest import PLUGIN, open_panel, press
from tests.conftest import QUICK

pytestmark = [pytest.mark.usefixtures("_no_leftovers", "quick_presets")]


@pytest.fixture
def results(viewer: Any) -> Any:
    return open_panel(viewer, "Results")


def _wait_for_run(qtbot: Any, viewer: Any) -> Any:
    run = active_run(viewer)
    qtbot.waitUntil(lambda: not run.is_active, timeout=30000)
    assert run.state == "done", run.message
    return run


def _restored(viewer: Any, results: Any, source: Any, **arguments: Any) -> Any:
    run = restore_layer(viewer, source, block=True, **arguments)
    results.result.value = run.layer
    return run


@pytest.mark.parametrize("proxied", [False, True], ids=["raw viewer", "proxied viewer"])
def test_run_again_gives_the_same_image(
    viewer: Any, picture: np.ndarray, qtbot: Any, proxied: bool
) -> None:
    widget = open_panel(viewer, "Results", proxied=proxied)
    source = viewer.add_image(
        np.stack([picture, picture + 1, picture + 2]), name="cells", scale=(3, 0.5, 0.5)
    )
    viewer.dims.set_current_step(0, 1)
    first = _restored(viewer, widget, source, seed=4)
    viewer.dims.set_current_step(0, 2)
    press(widget.run_again)
    again = _wait_for_run(qtbot, viewer)
    np.testing.assert_array_equal(again.layer.data, first.layer.data)
    assert again.layer is not first.layer
    assert viewer.dims.current_step[0] == 1, "the displayed plane is the restored one"


@pytest.mark.parametrize("task", ["inpaint", "super-resolve"])
def test_masks_factors_and_colors_are_repeated_too(
    viewer: Any,
    results: Any,
    picture: np.ndarray,
    hole: np.ndarray,
    qtbot: Any,
    task: str,
) -> None:
    colors = np.stack([picture, picture[::-1], 255 - picture, 0 * picture], axis=-1).astype(
        np.uint8
    )
    source = viewer.add_image(colors, rgb=True)
    labels = viewer.add_labels(hole.astype(int))
    first = _restored(viewer, results, source, task=task, missing=labels, factor=(2, 3))
    viewer.layers.remove(labels)
    press(results.run_again)
    again = _wait_for_run(qtbot, viewer)
    np.testing.assert_array_equal(again.layer.data, first.layer.data)


def test_the_script_on_the_clipboard_gives_the_same_image(
    viewer: Any, results: Any, picture: np.ndarray, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "cells.tif", np.stack([picture, picture + 9]).astype(np.uint16))
    source = viewer.open(str(tmp_path / "cells.tif"), plugin="napari")[0]
    viewer.dims.set_current_step(0, 1)
    first = _restored(viewer, results, source)
    press(results.copy)
    assert results.status.value == "The script is on the clipboard."
    names: dict[str, Any] = {}
    exec(QApplication.clipboard().text(), names)
    np.testing.assert_array_equal(names["restored"], first.layer.data[0])


def test_the_script_of_an_image_without_a_file_has_a_place_for_it(
    viewer: Any, results: Any, picture: np.ndarray
) -> None:
    first = _restored(viewer, results, viewer.add_image(picture, name="cells"))
    press(results.copy)
    assert "Insert the image" in results.status.value
    code = QApplication.clipboard().text()
    assert "layer 'cells'" in code
    names: dict[str, Any] = {"picture": picture}
    exec(code.replace("image = ...", "image = picture"), names)
    np.testing.assert_array_equal(names["restored"], first.layer.data)


def test_the_widget_shows_provenance_as_soon_as_it_is_known(
    viewer: Any, results: Any, picture: np.ndarray, qtbot: Any
) -> None:
    assert results.provenance.value == "Choose a result layer first."
    source = viewer.add_image(picture, name="cells")
    run = restore_layer(viewer, source, seed=6)
    assert results.result.choices == (), "the source is no result, and the run has none yet"
    run.wait()
    assert results.provenance.value.startswith("Denoise, preset fast, seed 6: ")
    assert run.result.stop_reason in results.provenance.value


def test_nothing_is_shown_of_a_deleted_or_another_result(
    viewer: Any, results: Any, picture: np.ndarray
) -> None:
    source = viewer.add_image(picture, name="cells")
    first, second = (restore_layer(viewer, source, seed=seed, block=True).layer for seed in (1, 2))
    results.result.value = first
    press(results.residual)
    assert results.status.value
    results.result.value = second
    assert not results.status.value, "the message is about the first"
    press(results.residual)
    viewer.layers.clear()
    assert results.provenance.value == "Choose a result layer first."
    assert not results.status.value


def test_an_obstacle_to_an_action_is_reported_in_one_line(
    viewer: Any, results: Any, picture: np.ndarray
) -> None:
    press(results.run_again)
    assert results.status.value == "Choose a result layer first."
    source = viewer.add_image(picture, name="cells")
    press(results.copy)
    assert results.status.value == "Choose a result layer first."
    run = _restored(viewer, results, source)
    source.data = picture + 1
    press(results.run_again)
    assert "another image than the restored one" in results.status.value
    source.data = picture[1:]
    press(results.run_again)
    assert "(23, 28)" in results.status.value
    viewer.layers.remove(source)
    viewer.add_labels(np.zeros((3, 3), dtype=int), name="cells")
    press(results.run_again)
    assert "image layer 'cells' is not in the viewer" in results.status.value.lower()
    run.layer.metadata = {"deep_image_prior": {"task": 3}}
    for button in (results.run_again, results.copy):
        press(button)
        assert "\n" not in results.status.value
    assert active_run(viewer) is None


def test_the_residual_is_a_layer_aligned_with_its_source(
    viewer: Any, results: Any, picture: np.ndarray
) -> None:
    source = viewer.add_image(
        np.stack([picture] * 2), name="cells", scale=(3, 0.5, 0.5), translate=(0, 4, 5)
    )
    viewer.dims.set_current_step(0, 1)
    run = _restored(viewer, results, source)
    viewer.dims.set_current_step(0, 0)  # the displayed plane does not matter
    press(results.residual)
    layer = viewer.layers["cells residual"]
    np.testing.assert_allclose(layer.data[0], picture - run.result.image, atol=1e-4)
    np.testing.assert_allclose(layer.data_to_world((0, 2, 3)), source.data_to_world((1, 2, 3)))
    assert layer.contrast_limits[0] == -layer.contrast_limits[1] < 0


@pytest.mark.parametrize("task", ["inpaint", "super-resolve"])
def test_residual_and_uncertainty_of_colors_are_gray_maps(
    viewer: Any,
    results: Any,
    picture: np.ndarray,
    hole: np.ndarray,
    qtbot: Any,
    task: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def followed(_model: object) -> Iterator[None]:
        return 0.5  # so short a fit on so small an image gets no weight
        yield

    monkeypatch.setattr(
        "napari_deep_image_prior.methods.super_resolution.model.SuperResolutionModel.correction_weight",
        followed,
    )
    colors = np.stack([picture, picture[::-1], 255 - picture], axis=-1).astype(np.uint8)
    source = viewer.add_image(colors, rgb=True, name="cells")
    _restored(viewer, results, source, task=task, missing=hole, factor=2)
    press(results.residual)
    left = viewer.layers["cells residual"]
    assert (left.data.shape, left.rgb) == ((24, 28), False)
    assert np.isnan(left.data).any() == (task == "inpaint")
    results.seeds.value = 2
    press(results.uncertainty)
    qtbot.waitUntil(lambda: "cells uncertainty" in viewer.layers, timeout=60000)
    map_ = viewer.layers["cells uncertainty"]
    assert map_.data.shape == ((24, 28) if task == "inpaint" else (48, 56))
    assert map_.data.max() > 0
    assert "standard deviation over 2 seeds" in results.status.value
    assert results.uncertainty.text == "Uncertainty"


@pytest.mark.usefixtures("endless_presets")
def test_a_stopped_fit_is_repeated_but_not_an_intermediate_image_or_a_fit_that_was_run_on(
    viewer: Any, results: Any, picture: np.ndarray, qtbot: Any
) -> None:
    def refused(words: str) -> None:
        for button in (results.run_again, results.copy, results.uncertainty):
            results.status.value = ""
            press(button)
            assert words in results.status.value
            assert "\n" not in results.status.value
        assert active_run(viewer) is None
        assert active_uncertainty(viewer) is None

    source = viewer.add_image(picture)
    run = restore_layer(viewer, source, task="super-resolve", factor=2)
    qtbot.waitUntil(lambda: len(run.history) > 1, timeout=30000)
    run.stop()
    stopped = run.wait(timeout=30)
    assert results.result.value is run.layer
    assert run.layer.metadata["deep_image_prior"]["stopped_after"] == run.step.iteration
    results.result.value = run.keep()
    assert "stopped by the user" in results.provenance.value, "a kept result is the result"
    results.result.value = run.layer
    run.scrub(0)
    assert "chosen by the user as it was at step" in results.provenance.value, (
        "the widget has been notified"
    )
    refused("before its end")
    results.result.value = run.keep()
    refused("before its end")
    results.result.value = run.layer
    run.run_on()
    assert "has no provenance" in results.provenance.value
    qtbot.waitUntil(lambda: run.step.iteration > stopped.iterations + 10, timeout=30000)
    run.cancel()
    np.testing.assert_array_equal(run.layer.data, stopped.image)
    made = run.layer.metadata["deep_image_prior"]
    assert made["step"] == made["iterations"] == stopped.iterations
    press(results.run_again)
    again = _wait_for_run(qtbot, viewer)
    np.testing.assert_array_equal(again.layer.data, stopped.image)
    again.run_on()
    qtbot.waitUntil(lambda: again.step.iteration > stopped.iterations + 10, timeout=30000)
    again.stop()
    again.wait(timeout=30)
    results.result.value = again.layer
    refused("run on after its end")


@pytest.mark.usefixtures("endless_presets")
def test_an_inpainting_with_a_repainted_mask_is_not_repeated(
    viewer: Any, results: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any
) -> None:
    labels = viewer.add_labels(hole.astype(int))
    run = restore_layer(viewer, viewer.add_image(picture), task="inpaint", missing=labels)
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    labels.data_setitem((np.array([3]), np.array([4])), 1 - int(hole[3, 4]))
    qtbot.waitUntil(lambda: bool(run._steps._record.repainted), timeout=30000)
    run.stop()
    run.wait(timeout=30)
    results.result.value = run.layer
    for button in (results.run_again, results.copy):
        press(button)
        assert "mask was repainted" in results.status.value
    press(results.residual)
    assert "input minus result" in results.status.value


@pytest.mark.usefixtures("endless_presets")
def test_no_uncertainty_starts_beside_a_restoration(
    viewer: Any, results: Any, picture: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(picture)
    restore_layer(viewer, source, settings=QUICK["denoise"], block=True)
    run = restore_layer(viewer, source)
    press(results.uncertainty)
    assert "a restoration is running" in results.status.value.lower()
    assert active_uncertainty(viewer) is None
    run.cancel()


def _with_an_uncertainty(viewer: Any, picture: np.ndarray, qtbot: Any) -> Any:
    """Start a long uncertainty estimate; return its panel and a panel to denoise."""
    results, panel = open_panel(viewer, "Results"), open_panel(viewer, "Denoise")
    _restored(viewer, results, viewer.add_image(picture, name="cells"))
    panel.image.value = viewer.layers["cells"]
    results.seeds.value = 50
    press(results.uncertainty)
    qtbot.waitUntil(lambda: active_uncertainty(viewer).step is not None, timeout=30000)
    return results, panel


def test_a_restoration_waits_for_an_uncertainty(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    results, panel = _with_an_uncertainty(viewer, picture, qtbot)
    press(panel.run)
    press(panel.queue)
    first, second = queue_of(viewer).jobs
    assert (first.state, second.state) == ("waiting", "waiting")
    assert panel.status.value.startswith("Queued: starts after the uncertainty estimate")
    assert active_uncertainty(viewer) is not None
    press(results.uncertainty)  # cancels it
    qtbot.waitUntil(lambda: second.state == "done", timeout=30000)
    assert first.state == "done"


def test_a_restoration_waits_for_an_uncertainty_even_if_an_earlier_thread_ends_meanwhile(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    results, panel = _with_an_uncertainty(viewer, picture, qtbot)
    lingering = restore_layer(viewer, viewer.layers["cells"])
    lingering.cancel()
    queue_of(viewer).at_work.append(lingering)  # as if it were in a slow step
    press(panel.run)
    queue_of(viewer).return_thread(lingering)
    assert active_run(viewer).state == "waiting"
    press(results.uncertainty)  # cancels it
    qtbot.waitUntil(lambda: not queue_of(viewer).jobs, timeout=30000)


def test_closing_the_window_cancels_runs_that_wait_for_an_uncertainty(
    make_napari_viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    _, panel = _with_an_uncertainty(viewer, picture, qtbot)
    press(panel.run)
    run = active_run(viewer)
    assert run.state == "waiting"
    viewer.close()
    qtbot.waitUntil(lambda: not queue_of(viewer).at_work, timeout=30000)
    qtbot.waitUntil(
        lambda: run.state == "cancelled" and active_uncertainty(viewer) is None, timeout=30000
    )


def test_the_newest_result_is_chosen_until_the_user_chooses(
    viewer: Any, results: Any, picture: np.ndarray
) -> None:
    source = viewer.add_image(picture, name="cells")
    assert results.truth.value is None, "the source would be a perfect truth"
    first = restore_layer(viewer, source, block=True)
    assert results.result.value is first.layer
    second = restore_layer(viewer, source, seed=1, block=True)
    assert results.result.value is second.layer
    results.result.value = first.layer
    restore_layer(viewer, source, seed=2, block=True)
    assert results.result.value is first.layer


@pytest.mark.usefixtures("endless_presets")
def test_closing_the_window_mid_run_with_all_widgets_open_raises_nothing(
    make_napari_viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    source = viewer.add_image(picture)
    earlier = restore_layer(viewer, source, settings=QUICK["denoise"], block=True)
    run = restore_layer(viewer, source)
    widgets = [open_panel(viewer, "Results"), open_panel(viewer, "Denoise")]
    assert widgets[0].result.value is earlier.layer
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    with qtbot.captureExceptions() as errors:
        viewer.close()
        qtbot.waitUntil(lambda: run._steps._generator.gi_frame is None, timeout=30000)
        for each in (run, earlier):  # like a fit that ends late
            each.layer.metadata = {"deep_image_prior": {}}
        run.changed.emit(run)
    assert not errors
    assert run.state == "cancelled"


@pytest.mark.usefixtures("endless_presets")
def test_a_running_uncertainty_can_be_cancelled_and_is_shown_by_a_reopened_widget(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(picture)
    run = restore_layer(viewer, source, task="super-resolve", factor=2)
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Results")
    run.stop()
    run.wait(timeout=30)
    provenance = run.layer.metadata["deep_image_prior"]
    run.layer.metadata = {"deep_image_prior": provenance | {"stopped_after": None}}
    press(widget.uncertainty)
    qtbot.waitUntil(lambda: "Seed 1 of 5" in widget.status.value, timeout=30000)
    viewer.window.remove_dock_widget(dock)
    again = open_panel(viewer, "Results")
    assert again.uncertainty.text == "Cancel"
    qtbot.waitUntil(lambda: "Seed 1 of 5" in again.status.value, timeout=30000)
    spread = active_uncertainty(viewer)
    press(again.uncertainty)
    assert again.status.value == "The uncertainty estimate was cancelled."
    assert again.uncertainty.text == "Uncertainty"
    qtbot.waitUntil(lambda: spread._steps.gi_frame is None, timeout=30000)
    assert len(viewer.layers) == 2


def test_a_failing_uncertainty_reports_the_reason(
    viewer: Any,
    results: Any,
    picture: np.ndarray,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def explode(*_args: object) -> None:
        raise RuntimeError("CUDA out of memory")

    _restored(viewer, results, viewer.add_image(picture))
    monkeypatch.setattr("napari_deep_image_prior.methods.denoising.restorer.Fit", explode)
    press(results.uncertainty)
    qtbot.waitUntil(lambda: "ot enough memory" in results.status.value, timeout=30000)
    assert results.uncertainty.text == "Uncertainty"


def test_closing_the_window_ends_an_uncertainty(
    make_napari_viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    widget = open_panel(viewer, "Results")
    _restored(viewer, widget, viewer.add_image(picture))
    widget.seeds.value = 50
    press(widget.uncertainty)
    spread = active_uncertainty(viewer)
    qtbot.waitUntil(lambda: spread.step is not None, timeout=30000)
    viewer.close()
    qtbot.waitUntil(lambda: not spread.is_active and spread._steps.gi_frame is None, timeout=30000)


def test_the_quality_of_result_and_source_is_measured_against_a_truth(
    viewer: Any, results: Any, picture: np.ndarray
) -> None:
    noisy = picture + np.random.default_rng(0).normal(0, 9, picture.shape)
    run = _restored(viewer, results, viewer.add_image(noisy, name="cells"))
    truth = viewer.add_image(np.stack([0 * picture, 3 * picture + 7]), name="truth")
    results.truth.value = truth
    viewer.dims.set_current_step(0, 1)
    results.fit_brightness.value = True
    press(results.measure)
    result, source = results.status.value.splitlines()
    expected = measure_quality(run.result.image, truth.data[1], fit_brightness=True)
    assert result.startswith(f"Result: PSNR {expected.psnr:.2f} dB, SSIM {expected.ssim:.3f}")
    assert source.startswith("Source: PSNR ")
    assert float(source.split()[2]) < expected.psnr
    viewer.dims.set_current_step(0, 0)
    press(results.measure)
    assert "is constant" in results.status.value
    results.truth.value = viewer.add_image(picture[1:], name="small")
    press(results.measure)
    assert "choose images of equal shape" in results.status.value
    results.truth.value = viewer.add_image([picture, picture[::2, ::2]], multiscale=True)
    press(results.measure)
    assert results.status.value.startswith("Result: PSNR"), "the full resolution is used"


@pytest.mark.usefixtures("quick_presets")
def test_residuals_and_uncertainties_are_neither_results_nor_images_to_restore(
    viewer: Any, results: Any, picture: np.ndarray
) -> None:
    denoise = open_panel(viewer, "Denoise")
    source = viewer.add_image(picture, name="cells")
    run = _restored(viewer, results, source)
    press(results.residual)
    assert "cells residual" in viewer.layers
    job = UncertaintyJob(viewer, run.layer, 2)
    job.start()
    wait_while(lambda: job.is_active, 60)
    assert "cells uncertainty" in viewer.layers
    assert list(results.result.choices) == [run.layer]
    assert list(denoise.image.choices) == [source, run.layer]
    viewer.layers.selection.active = viewer.layers["cells residual"]
    quick_denoise(viewer)
    assert active_run(viewer) is None


def test_no_error_leaves_a_button_disabled(viewer: Any, results: Any, picture: np.ndarray) -> None:
    buttons = (
        results.run_again,
        results.copy,
        results.save,
        results.compare,
        results.residual,
        results.measure,
    )
    source = viewer.add_image(picture, name="cells")
    for button in (*buttons, results.uncertainty):
        results.status.value = ""
        press(button)
        assert (
            results.status.value == "Choose a result layer first."
            or "no finished result" in results.status.value
        )
    run = _restored(viewer, results, source)
    for change in (
        lambda: setattr(source, "data", picture[:, 1:]),
        lambda: viewer.layers.remove(source),
        lambda: setattr(run.layer, "data", np.full(picture.shape, np.nan)),
        lambda: setattr(run.layer, "data", picture[1:]),
    ):
        change()
        for button in (results.run_again, results.residual, results.measure, results.uncertainty):
            results.status.value = ""
            press(button)
            assert results.status.value, button.name
            assert "\n" not in results.status.value or button is results.measure
    viewer.layers.clear()
    for button in (*buttons, results.uncertainty):
        press(button)
        assert results.status.value[0].isupper()
    assert active_run(viewer) is None
    assert active_uncertainty(viewer) is None


def test_the_widget_warns_of_what_a_prior_invents(results: Any) -> None:
    assert results.warning.value.startswith("A prior invents")


def test_saving_looks_at_no_server_that_a_record_names(
    viewer: Any, results: Any, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _restored(viewer, results, viewer.add_image(picture, name="cells"))
    made = dict(run.layer.metadata["deep_image_prior"])
    suggested: list[str] = []

    def ask(_: Any, __: str, path: str, ___: str) -> tuple[str, str]:
        suggested.append(path)
        return "", ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    for path in (r"\\server\share\a.tif", "//server/share/a.tif", "/folder/a.tif"):
        source = made["source"] | {"path": path}
        run.layer.metadata = {"deep_image_prior": made | {"source": source}}
        press(results.save)
    assert [Path(path).parent.as_posix() for path in suggested] == [".", ".", "/folder"]
