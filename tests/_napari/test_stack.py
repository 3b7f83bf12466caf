"""All planes of a stack in sequence, on a real viewer."""

import json
from pathlib import Path
from threading import Event
from typing import Any

import dask.array
import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_deep_image_prior import (
    Denoise,
    RestorationError,
    measure_quality,
    repeat,
    restore,
    restore_layer,
)
from napari_deep_image_prior._napari.jobs.queue import queue_of
from tests._napari.conftest import open_panel

pytestmark = [pytest.mark.usefixtures("_no_leftovers")]


@pytest.fixture
def stack(picture: np.ndarray) -> np.ndarray:
    """Three noisy planes, all different."""
    return np.stack([picture + level for level in (0, 40, 90)]) + np.random.default_rng(0).normal(
        0, 5, (3, 24, 28)
    )


@pytest.mark.usefixtures("quick_presets")
def test_each_plane_is_restored_as_it_would_be_alone(viewer: Any, stack: np.ndarray) -> None:
    source = viewer.add_image(
        stack, name="cells", scale=(3, 0.5, 0.5), translate=(1, 2, 3), units=["um"] * 3
    )
    viewer.dims.set_point(0, 0)
    run = restore_layer(viewer, source, planes="all", seed=2, threads=1, device="cpu", block=True)
    assert run.state == "done"
    assert run.layer.data.shape == stack.shape
    for index, plane in enumerate(stack):
        alone = restore(Denoise(plane), seed=2, threads=1, device="cpu")
        np.testing.assert_array_equal(run.layer.data[index], alone.image)
    np.testing.assert_allclose(run.layer.extent.world, source.extent.world)
    made = json.loads(json.dumps(run.layer.metadata["deep_image_prior"]))
    assert [plane["index"] for plane in made["planes"]] == [[0], [1], [2]]
    assert made["stack_shape"] == [3, 24, 28]
    assert (
        made["iterations"]
        == sum(plane["iterations"] for plane in made["planes"])
        == len(run.result.history)
    )
    assert run.result.stop_reason == "3 of 3 planes done"
    assert not run.can_run_on


@pytest.mark.usefixtures("quick_presets")
def test_the_layer_fills_plane_by_plane_and_progress_covers_all_planes(
    viewer: Any, stack: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(stack)
    viewer.dims.set_point(0, 0)
    run = restore_layer(viewer, source, planes="all")
    np.testing.assert_array_equal(run.layer.data, stack.astype(np.float32))
    reports: list[Any] = []
    run.changed.connect(
        lambda _run: reports.append((run.step, run.seconds_left)) if run.step else None
    )
    qtbot.waitUntil(
        lambda: run.step is not None and "plane 1 (2 of 3)" in run.step.note, timeout=30000
    )
    assert not np.array_equal(run.layer.data[0], stack[0].astype(np.float32))
    np.testing.assert_array_equal(run.layer.data[2], stack[2].astype(np.float32))
    run.wait(60)
    counted = [step.iteration for step, _ in reports]
    assert counted == sorted(counted)
    assert all(step.iteration <= step.total for step, _ in reports)
    assert any(left for _, left in reports)


@pytest.mark.usefixtures("endless_presets")
@pytest.mark.parametrize("paused", [False, True])
def test_stop_keeps_the_finished_planes(
    viewer: Any, stack: np.ndarray, qtbot: Any, paused: bool
) -> None:
    run = restore_layer(
        viewer, viewer.add_image(stack), planes="all", task="super-resolve", factor=2
    )
    qtbot.waitUntil(lambda: run.step is not None and run.step.iteration > 3, timeout=30000)
    with pytest.raises(RestorationError, match="no result"):
        run._steps.result  # noqa: B018
    if paused:
        run.pause()
        assert run.state == "paused"
    run.stop()
    result = run.wait(30)
    assert result.image.shape == run.layer.data.shape == (3, 48, 56)
    at_step = f"at step {result.iterations}"
    assert result.stop_reason == f"stopped by the user in plane 1 (1 of 3), {at_step}"
    assert len(run.layer.metadata["deep_image_prior"]["planes"]) == 1
    np.testing.assert_array_equal(run.layer.data[0, ::2, ::2], stack[0].astype(np.float32))


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("task", ["denoise", "inpaint"])
def test_the_displayed_plane_is_restored_first_and_the_record_repeats_this_order(
    viewer: Any, stack: np.ndarray, hole: np.ndarray, task: str
) -> None:
    source = viewer.add_image(stack)
    options: dict[str, Any] = {"missing": hole} if task == "inpaint" else {}
    results = []
    for displayed, order in ((0, [0, 1, 2]), (1, [1, 2, 0])):
        viewer.dims.set_point(0, displayed)
        run = restore_layer(viewer, source, task=task, planes="all", threads=1, **options)
        notes: list[str] = []
        run.changed.connect(lambda run, notes=notes: run.step and notes.append(run.step.note))
        run.wait(60)
        made = run.layer.metadata["deep_image_prior"]
        assert [plane["index"] for plane in made["planes"]] == [[i] for i in order]
        assert notes[0].startswith(f"plane {displayed} (1 of 3)")
        np.testing.assert_array_equal(repeat(made, stack).image, run.layer.data)
        results.append(run.layer.data)
    assert np.array_equal(*results) is (task == "denoise"), "a warm start depends on the order"


@pytest.mark.usefixtures("quick_presets")
def test_planes_without_data_are_kept_and_reported(
    viewer: Any, stack: np.ndarray, qtbot: Any
) -> None:
    stack[1] = np.nan
    viewer.add_image(stack, name="cells")
    widget = open_panel(viewer, "Denoise")
    viewer.dims.set_point(0, 1)
    widget.run.native.click()
    assert widget.status.value == (
        "This plane of 'cells' has no data: all its pixels, or all of a channel, are NaN or "
        "infinite."
    )
    widget.planes.value, widget.fit_contrast.value = "all", False
    widget.run.native.click()
    assert "No data in plane 1, which is kept as it is." in widget.status.value
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert widget.status.value == (
        "Done: 2 of 2 planes.\nNo data in plane 1, which is kept as it is."
    )
    assert np.isnan(viewer.layers["cells denoised"].data[1]).all()
    stack[:2] = np.nan
    viewer.add_image(stack, name="more")
    run = restore_layer(viewer, viewer.layers["more"], planes="all", block=True)
    assert run.notices["data"] == "No data in 2 planes (0; 1), which are kept as they are."


@pytest.mark.usefixtures("endless_presets")
def test_cancel_and_closing_free_all_fits(viewer: Any, stack: np.ndarray, qtbot: Any) -> None:
    source = viewer.add_image(stack, name="cells")
    run = restore_layer(viewer, source, planes="all")
    waiting = restore_layer(viewer, source, planes="all")
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    waiting.cancel()
    run.cancel()
    assert [layer.name for layer in viewer.layers] == ["cells"]
    qtbot.waitUntil(lambda: not queue_of(viewer).at_work, timeout=30000)
    for each in (run, waiting):
        assert each._steps._current._generator.gi_frame is None


@pytest.mark.usefixtures("quick_presets")
def test_a_mask_of_one_plane_applies_to_all_and_planes_without_holes_stay(
    viewer: Any, stack: np.ndarray, hole: np.ndarray
) -> None:
    source = viewer.add_image(stack)
    run = restore_layer(
        viewer, source, task="inpaint", missing=viewer.add_labels(hole.astype(int)), planes="all"
    )
    assert "painting on it does not change this run" in run.notices["mask"]
    run.wait(60)
    assert not run.notices.get("mask"), "it is of no use after the end"
    assert (run.layer.data[:, hole] != stack[:, hole].astype(np.float32)).mean() > 0.9
    np.testing.assert_allclose(run.layer.data[:, ~hole], stack[:, ~hole], rtol=1e-5)
    only_one = np.zeros(stack.shape, dtype=bool)
    only_one[1] = hole
    run = restore_layer(viewer, source, task="inpaint", missing=only_one, planes="all", block=True)
    np.testing.assert_array_equal(run.layer.data[[0, 2]], stack[[0, 2]].astype(np.float32))
    assert run.result.stop_reason == "1 of 1 planes done"
    with pytest.raises(ValueError, match="nothing is marked"):
        restore_layer(viewer, source, task="inpaint", missing=only_one & False, planes="all")
    with pytest.raises(ValueError, match="does not match the stack"):
        restore_layer(viewer, source, task="inpaint", missing=hole[1:], planes="all")


@pytest.mark.parametrize(
    ("shape", "placed"),
    [
        ((24, 28), {"translate": (5, 0)}),
        ((24, 28), {"rotate": 90}),
        ((24, 28), {"affine": [[1, 0, 8], [0, 1, 0], [0, 0, 1]]}),
        ((24, 28), {"scale": (2, 2)}),
        ((3, 24, 28), {"scale": (2, 1, 1)}),
        ((3, 24, 28), {"translate": (1, 0, 0)}),
    ],
)
def test_a_misaligned_mask_is_refused_for_all_planes(
    viewer: Any, stack: np.ndarray, hole: np.ndarray, shape: tuple[int, ...], placed: dict[str, Any]
) -> None:
    source = viewer.add_image(stack)
    labels = viewer.add_labels(np.broadcast_to(hole, shape).astype(int), **placed)
    with pytest.raises(ValueError, match="do not lie on the stack"):
        restore_layer(viewer, source, task="inpaint", missing=labels, planes="all")


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("shape", [(24, 28), (3, 24, 28), (1, 24, 28)])
def test_a_mask_aligned_with_a_rotated_stack_is_accepted(
    viewer: Any, stack: np.ndarray, hole: np.ndarray, shape: tuple[int, ...]
) -> None:
    source = viewer.add_image(stack, scale=(3, 0.5, 0.25), rotate=30, translate=(7, 8, 9))
    leading = len(shape) - 2
    labels = viewer.add_labels(
        np.broadcast_to(hole, shape).astype(int),
        scale=(3, 0.5, 0.25)[1 - leading :],
        rotate=30,
        translate=(7, 8, 9)[1 - leading :],
    )
    run = restore_layer(viewer, source, task="inpaint", missing=labels, planes="all", block=True)
    np.testing.assert_allclose(run.layer.data[:, ~hole], stack[:, ~hole], rtol=1e-5)
    assert (run.layer.data[:, hole] != stack[:, hole].astype(np.float32)).mean() > 0.9


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("asked", ["planes", "channels", "mask"])
def test_a_stack_is_repeated_by_the_button_and_by_the_script(
    viewer: Any, stack: np.ndarray, hole: np.ndarray, asked: str, tmp_path: Path
) -> None:
    series = np.stack([stack, stack[::-1]]).astype(np.float32)  # T, C, Y, X
    tifffile.imwrite(tmp_path / "cells.tif", series)
    source = viewer.open(str(tmp_path / "cells.tif"), plugin="napari")[0]
    viewer.dims.set_point(0, 1)
    options: dict[str, Any] = {
        "planes": {"planes": "all", "channel_axis": 1},
        "channels": {"channel_axis": 1, "channels": "separately"},
        "mask": {"planes": "all", "task": "inpaint", "missing": hole},
    }[asked]
    first = restore_layer(viewer, source, block=True, **options).layer
    results = open_panel(viewer, "Results")
    results.result.value = first
    viewer.dims.set_point(0, 0)
    results.run_again.native.click()
    queue_of(viewer).jobs[0].wait()
    again = viewer.layers[-1]
    assert again is not first
    np.testing.assert_array_equal(again.data, first.data)
    results.copy.native.click()
    assert results.status.value == "The script is on the clipboard."
    names: dict[str, Any] = {}
    exec(QApplication.clipboard().text(), names)
    np.testing.assert_array_equal(names["restored"], first.data)
    source.data = source.data + 1
    results.run_again.native.click()
    assert "another image than the restored one" in results.status.value


@pytest.mark.usefixtures("quick_presets")
def test_colors_and_two_more_axes_are_kept(viewer: Any, stack: np.ndarray) -> None:
    colors = np.stack([stack] * 3, axis=-1)[None, :2].astype(np.uint8)  # T, Z, Y, X, color
    source = viewer.add_image(colors, rgb=True)
    run = restore_layer(viewer, source, task="super-resolve", factor=2, planes="all", block=True)
    assert run.layer.rgb
    assert run.layer.data.dtype == np.uint8
    assert run.layer.data.shape == (1, 2, 48, 56, 3)
    # the corner of the first pixel stays where it was
    np.testing.assert_allclose(run.layer.data_to_world((0, 0, -0.5, -0.5)), (0, 0, -0.5, -0.5))


def test_a_single_plane_is_no_stack(viewer: Any, picture: np.ndarray) -> None:
    source = viewer.add_image(picture)
    with pytest.raises(ValueError, match="only one plane"):
        restore_layer(viewer, source, planes="all")
    with pytest.raises(ValueError, match="choose displayed, all, volume"):
        restore_layer(viewer, source, planes="both")


@pytest.mark.usefixtures("quick_presets")
def test_the_widget_offers_all_planes_for_stacks_only(
    viewer: Any, stack: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(stack[0], name="plane")
    viewer.add_image(stack, name="stack")
    for panel in ("Inpaint", "Denoise"):
        widget = open_panel(viewer, panel)
        widget.image.value = viewer.layers["plane"]
        assert not widget.planes.native.isVisibleTo(widget.native)
        widget.image.value = viewer.layers["stack"]
        assert widget.planes.native.isVisibleTo(widget.native)
    widget.planes.value = "all"
    widget.estimate.native.click()
    qtbot.waitUntil(lambda: widget.status.value.startswith("At most about"), timeout=30000)
    widget.run.native.click()
    qtbot.waitUntil(lambda: "Plane 2 (3 of 3)" in widget.status.value, timeout=30000)
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert widget.status.value.startswith("Done: 3 of 3 planes.")
    assert not widget.history.enabled
    widget.image.value = viewer.layers["plane"]
    widget.run.native.click()
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert viewer.layers["plane denoised"].data.shape == (24, 28)


@pytest.mark.usefixtures("quick_presets")
def test_results_measures_the_displayed_plane_and_examines_single_planes_only(
    viewer: Any, stack: np.ndarray, picture: np.ndarray
) -> None:
    truth = np.stack([picture + level for level in (0, 40, 90)])
    layer = viewer.add_image(np.stack([stack, stack[::-1]]), name="stack")  # T, Z, Y, X
    result = restore_layer(viewer, layer, planes="all", block=True).layer
    results = open_panel(viewer, "Results")
    results.result.value = result
    results.truth.value = viewer.add_image(np.stack([truth, truth[::-1]]), name="truth")
    told = []
    for place in ((0, 1), (1, 0)):
        viewer.dims.set_point((0, 1), place)
        results.measure.native.click()
        true = np.stack([truth, truth[::-1]])[place]
        own, given = (measure_quality(data[place], true) for data in (result.data, layer.data))
        assert f"Result: PSNR {own.psnr:.2f} dB" in results.status.value
        assert f"Source: PSNR {given.psnr:.2f} dB" in results.status.value
        told.append(results.status.value)
    assert told[0] != told[1]
    layer.data = layer.data + 1
    results.measure.native.click()
    assert "Source" not in results.status.value, "it is no longer what was restored"
    for button in (results.residual, results.uncertainty):
        button.native.click()
        assert "restore the plane of interest alone" in results.status.value
    with pytest.raises(ValueError, match="another stack"):
        repeat(result.metadata["deep_image_prior"], stack[0])


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("planes", ["all", "volume"])
def test_the_window_lives_while_a_lazy_stack_is_read(
    viewer: Any, stack: np.ndarray, planes: str
) -> None:
    is_alive, answers = Event(), []

    def load(block_info: Any = None) -> np.ndarray:
        answers.append(is_alive.wait(5))
        return stack[block_info[None]["chunk-location"][0]][None]

    lazy = dask.array.map_blocks(load, chunks=((1,) * 3, (24,), (28,)), meta=np.empty((0,) * 3))
    viewer.add_image(lazy, name="film", contrast_limits=(0, 255), visible=False)
    answers.clear()
    is_alive.clear()
    QTimer.singleShot(50, is_alive.set)
    run = restore_layer(viewer, viewer.layers["film"], planes=planes)
    assert answers, "nothing was read"
    assert all(answers), "the window was frozen"
    assert run.wait() is not None
    np.testing.assert_array_equal(run.layer.data.shape, stack.shape)


@pytest.mark.usefixtures("quick_presets")
def test_what_happens_to_a_lazy_stack_while_it_is_read_is_counted(
    viewer: Any, stack: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over = Event()

    def load(block_info: Any = None) -> np.ndarray:
        is_over.wait(5)
        return stack[block_info[None]["chunk-location"][0]][None]

    lazy = dask.array.map_blocks(load, chunks=((1,) * 3, (24,), (28,)), meta=np.empty((0,) * 3))
    source = viewer.add_image(lazy, name="film", contrast_limits=(0, 255), visible=False)
    window = viewer.window._qt_window
    closed: list[bool] = []
    closed_later: list[bool] = []

    def close_and_delete() -> None:
        closed.append(window.close())
        # the fixture closes the window itself
        monkeypatch.setattr(window, "close", lambda: closed_later.append(True))
        viewer.layers.remove(source)
        is_over.set()

    is_over.clear()
    QTimer.singleShot(50, close_and_delete)
    with pytest.raises(ValueError, match="'film' was deleted while it was read"):
        restore_layer(viewer, source, planes="all")
    assert closed == [False], "the window waits for what is being read"
    assert len(viewer.layers) == 0
    assert not closed_later
    QApplication.processEvents()
    assert closed_later
    monkeypatch.undo()
