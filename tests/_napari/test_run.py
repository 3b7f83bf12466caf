"""The handle of a restoration, on a real viewer."""

import gc
import json
import time
import weakref
from typing import Any

import dask.array
import numpy as np
import pytest
import torch
from napari.utils.transforms import Affine

from napari_deep_image_prior import RestorationError, restore_layer
from napari_deep_image_prior._napari.jobs.current import active_run
from napari_deep_image_prior._napari.jobs.queue import queue_of
from napari_deep_image_prior._napari.layers.region import region_of

pytestmark = [
    pytest.mark.usefixtures("_no_leftovers"),
    pytest.mark.filterwarnings("ignore:Private attribute"),
]


def _settle(qtbot: Any, run: Any, state: str) -> None:
    qtbot.waitUntil(lambda: run.state == state, timeout=30000)


@pytest.mark.usefixtures("quick_presets")
def test_a_blocking_run_gives_one_new_layer_with_its_provenance(
    viewer: Any, picture: np.ndarray
) -> None:
    source = viewer.add_image(picture, name="cells", colormap="green", contrast_limits=(90, 180))
    run = restore_layer(viewer, source, block=True, seed=3)
    assert run.state == "done"
    assert [layer.name for layer in viewer.layers] == ["cells", "cells denoised"]
    assert run.layer is viewer.layers["cells denoised"]
    assert run.layer.colormap.name == "green"
    assert run.layer.contrast_limits == [90, 180]
    np.testing.assert_array_equal(run.layer.data, run.result.image)
    made = json.loads(json.dumps(run.layer.metadata["deep_image_prior"]))
    assert made["task"]["kind"] == "denoise"
    assert made["seed"] == 3
    assert made["stop_reason"] == run.result.stop_reason
    assert len(made["history"]) == made["iterations"] == run.result.iterations
    assert active_run(viewer) is None


@pytest.mark.usefixtures("endless_presets")
def test_the_layer_is_there_at_once_and_sharpens(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(np.where(hole, np.nan, picture))
    run = restore_layer(viewer, source, task="inpaint")
    assert run.layer in viewer.layers
    assert np.isfinite(run.layer.data).all()
    pictures = {run.layer.data.tobytes()}

    def has_changed_twice() -> bool:
        pictures.add(run.layer.data.tobytes())
        return len(pictures) > 2

    qtbot.waitUntil(has_changed_twice, timeout=30000)
    run.cancel()
    _settle(qtbot, run, "cancelled")


@pytest.mark.usefixtures("endless_presets")
def test_pause_holds_and_resume_continues(viewer: Any, picture: np.ndarray, qtbot: Any) -> None:
    run = restore_layer(viewer, viewer.add_image(picture), task="super-resolve", factor=2)
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    run.pause()
    assert run.state == "paused"
    qtbot.wait(300)  # the step that ran when the button was pressed
    held = run.step.iteration
    qtbot.wait(300)
    assert run.step.iteration == held
    run.resume()
    qtbot.waitUntil(lambda: run.step.iteration > held, timeout=30000)
    # if pressed faster than the worker can follow, the last press counts
    for _ in range(3):
        run.pause()
        run.resume()
    later = run.step.iteration
    qtbot.waitUntil(lambda: run.step.iteration > later, timeout=30000)
    run.cancel()


@pytest.mark.usefixtures("endless_presets")
@pytest.mark.parametrize("paused", [False, True])
def test_stop_keeps_the_best_image_and_reports_it(
    viewer: Any, picture: np.ndarray, qtbot: Any, paused: bool
) -> None:
    run = restore_layer(viewer, viewer.add_image(picture), task="super-resolve", factor=2)
    qtbot.waitUntil(lambda: run.step is not None and run.step.iteration > 3, timeout=30000)
    if paused:
        run.pause()
    run.stop()
    result = run.wait(timeout=30)
    assert run.state == "done"
    assert result.stop_reason.startswith("stopped by the user after")
    assert result.image.shape == run.layer.data.shape == (48, 56)


@pytest.mark.usefixtures("endless_presets")
def test_cancel_removes_the_layer_and_frees_the_fit(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    run = restore_layer(viewer, viewer.add_image(picture, name="cells"))
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    run.cancel()
    assert [layer.name for layer in viewer.layers] == ["cells"]
    qtbot.waitUntil(lambda: run._steps._generator.gi_frame is None, timeout=30000)
    assert run.wait() is None


@pytest.mark.usefixtures("endless_presets")
def test_deleting_the_result_cancels_the_run(viewer: Any, picture: np.ndarray, qtbot: Any) -> None:
    run = restore_layer(viewer, viewer.add_image(picture))
    qtbot.waitUntil(lambda: len(run.history) > 0, timeout=30000)
    viewer.layers.remove(run.layer)
    assert run.state == "cancelled"
    assert len(run.history) == 0, "nothing of it can be kept or saved"
    qtbot.waitUntil(lambda: run._steps._generator.gi_frame is None, timeout=30000)


@pytest.mark.usefixtures("quick_presets")
def test_deleting_the_source_does_not_disturb_the_run(viewer: Any, picture: np.ndarray) -> None:
    source = viewer.add_image(picture)
    run = restore_layer(viewer, source)
    viewer.layers.remove(source)
    assert run.wait(timeout=60) is not None
    assert run.layer in viewer.layers


@pytest.mark.usefixtures("quick_presets")
def test_runs_in_one_viewer_are_done_one_after_another(viewer: Any, picture: np.ndarray) -> None:
    source = viewer.add_image(picture, name="cells")
    first = restore_layer(viewer, source)
    second = restore_layer(viewer, source, task="super-resolve", factor=2)
    assert (first.state, second.state) == ("running", "waiting")
    assert second.layer not in viewer.layers
    third = restore_layer(viewer, source, task="denoise", seed=1, block=True)
    assert [run.state for run in (first, second, third)] == ["done"] * 3
    assert [layer.name for layer in viewer.layers] == [
        "cells",
        "cells denoised",
        "cells super-resolved",
        "cells denoised [1]",
    ]


@pytest.mark.usefixtures("endless_presets")
def test_a_waiting_run_is_moved_cancelled_and_dropped_with_its_image(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    sources = [viewer.add_image(picture, name=name) for name in "abcd"]
    a, b, c, d = (restore_layer(viewer, source) for source in sources)
    queue_of(viewer).move(d, -5)
    assert queue_of(viewer).jobs == [a, d, b, c], "not before the running one"
    queue_of(viewer).move(a, 1)
    queue_of(viewer).move(d, 1)
    assert queue_of(viewer).jobs == [a, b, d, c]
    b.cancel()
    assert b.state == "cancelled"
    assert b._steps._generator.gi_frame is None
    viewer.layers.remove(sources[3])
    assert d.state == "cancelled"
    a.cancel()
    qtbot.waitUntil(lambda: c.step is not None, timeout=30000)
    c.cancel()
    assert queue_of(viewer).jobs == []


@pytest.mark.usefixtures("endless_presets")
@pytest.mark.parametrize("way", ["by a call", "by the mouse"])
def test_closing_the_window_empties_the_queue(
    make_napari_viewer: Any, picture: np.ndarray, qtbot: Any, way: str
) -> None:
    viewer = make_napari_viewer()
    source = viewer.add_image(picture)
    runs = [restore_layer(viewer, source) for _ in range(3)]
    qtbot.waitUntil(lambda: runs[0].step is not None, timeout=30000)
    if way == "by a call":
        viewer.close()
    else:  # then napari tells the workers to quit, and the layers stay
        runs[0]._worker.quit()
    for run in runs:
        _settle(qtbot, run, "cancelled")
        qtbot.waitUntil(lambda run=run: run._steps._generator.gi_frame is None, timeout=30000)
    assert queue_of(viewer).jobs == []


@pytest.mark.usefixtures("endless_presets")
def test_closing_the_window_mid_run_ends_the_fit(
    make_napari_viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    run = restore_layer(viewer, viewer.add_image(picture))
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    viewer.close()
    _settle(qtbot, run, "cancelled")
    qtbot.waitUntil(lambda: run._steps._generator.gi_frame is None, timeout=30000)


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"), "not enough memory"),
        (torch.OutOfMemoryError("out of memory"), "not enough memory"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("some kernel failed"), "some kernel failed"),
        (KeyError("a bug"), "KeyError"),
    ],
    ids=repr,
)
def test_a_failing_fit_reports_the_reason_and_the_viewer_survives(
    viewer: Any,
    picture: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
    error: Exception,
    words: str,
) -> None:
    # superqt swallows a RuntimeError raised in a generator: it must not look like an endless run
    def explode(*_args: object) -> None:
        raise error

    monkeypatch.setattr("napari_deep_image_prior.methods.denoising.restorer.Fit", explode)
    source = viewer.add_image(picture)
    run = restore_layer(viewer, source)
    with pytest.raises(RestorationError, match=words):
        run.wait(timeout=30)
    assert run.state == "failed"
    monkeypatch.undo()
    assert active_run(viewer) is None, "the next run may start"


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_color_images_stay_in_color(viewer: Any, dtype: str) -> None:
    colors = np.random.default_rng(0).random((20, 22, 4)).astype("float32")
    colors = colors if dtype == "float32" else (colors * 200).astype(dtype)
    run = restore_layer(viewer, viewer.add_image(colors, rgb=True), block=True)
    assert run.layer.rgb
    assert run.layer.data.shape == (20, 22, 3)
    assert run.layer.data.dtype == colors.dtype


@pytest.mark.usefixtures("quick_presets")
def test_a_multiscale_layer_is_restored_at_full_resolution(
    viewer: Any, picture: np.ndarray
) -> None:
    source = viewer.add_image([picture, picture[::2, ::2]], multiscale=True)
    run = restore_layer(viewer, source, block=True)
    assert run.layer.data.shape == picture.shape


@pytest.mark.usefixtures("quick_presets")
def test_the_displayed_plane_of_a_lazy_stack_is_restored_in_place(
    viewer: Any, picture: np.ndarray
) -> None:
    loaded = []

    def load(block_info: Any = None) -> np.ndarray:
        place = block_info[None]["array-location"]
        loaded.append((place[0][0], place[1][0]))
        return (picture + place[1][0])[None, None]

    stack = dask.array.map_blocks(
        load, chunks=((1,) * 3, (1,) * 4, (24,), (28,)), dtype=float, meta=np.empty((0,) * 4)
    )
    source = viewer.add_image(
        stack, scale=(2, 3, 0.5, 0.5), translate=(0, 1, 5, 5), contrast_limits=(0, 255)
    )
    viewer.dims.set_current_step(0, 2)
    viewer.dims.set_current_step(1, 1)
    loaded.clear()
    run = restore_layer(viewer, source, block=True)
    assert set(loaded) == {(2, 1)}, "other planes are not loaded"
    assert run.layer.data.shape == (1, 1, 24, 28)
    np.testing.assert_allclose(
        run.layer.data_to_world((0, 0, 3, 4)), source.data_to_world((2, 1, 3, 4))
    )


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("factor", [2, 3, (2, 3)])
def test_a_result_is_exactly_aligned_with_a_scaled_rotated_source(
    viewer: Any, picture: np.ndarray, factor: Any
) -> None:
    source = viewer.add_image(
        picture,
        scale=(2, 0.5),
        translate=(7, -3),
        rotate=30,
        shear=[0.2],
        affine=[[1, 0.1, 3], [0, 2, 4], [0, 0, 1]],
        units=("um", "um"),
        axis_labels=("y", "x"),
    )
    run = restore_layer(viewer, source, task="super-resolve", factor=factor, block=True)
    factors = np.broadcast_to(factor, 2)
    for corner in [(-0.5, -0.5), (23.5, 27.5), (-0.5, 27.5)]:
        enlarged = (np.array(corner) + 0.5) * factors - 0.5
        np.testing.assert_allclose(
            run.layer.data_to_world(enlarged), source.data_to_world(corner), atol=1e-9
        )
    assert run.layer.units == source.units
    assert run.layer.axis_labels == ("y", "x")


@pytest.mark.usefixtures("quick_presets")
def test_a_painted_mask_is_filled_in(viewer: Any, picture: np.ndarray, hole: np.ndarray) -> None:
    source = viewer.add_image(np.where(hole, 0, picture))
    labels = viewer.add_labels(hole.astype(int) * 5)
    run = restore_layer(viewer, source, task="inpaint", missing=labels, block=True)
    np.testing.assert_allclose(run.result.image[~hole], picture[~hole], rtol=1e-5)
    assert np.abs(run.result.image - picture)[hole].mean() < 0.5 * np.abs(picture)[hole].mean()


def test_arguments_that_do_not_fit_are_refused_in_one_line(
    viewer: Any, picture: np.ndarray, hole: np.ndarray
) -> None:
    source = viewer.add_image(picture, name="cells")
    narrow = viewer.add_labels(hole[:, :20].astype(int))
    elsewhere = viewer.add_labels(hole.astype(int), translate=(50, 0))
    empty = viewer.add_labels(np.zeros(picture.shape, dtype=int))
    for arguments, words in [
        ({"task": "inpaint", "missing": elsewhere}, "do not lie on"),
        ({"task": "inpaint", "missing": empty}, "nothing is marked"),
        ({"task": "inpaint"}, "nothing is marked"),
        ({"task": "super-resolve"}, "factor"),
        ({"task": "super-resolve", "factor": 0}, "factor"),
        ({"task": "sharpen"}, "sharpen"),
        ({"preset": "slow"}, "slow"),
        ({"device": "abacus"}, "abacus"),
    ]:
        with pytest.raises(ValueError, match=words) as caught:
            restore_layer(viewer, source, **arguments)
        assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="image layer"):
        restore_layer(viewer, narrow)
    assert len(viewer.layers) == 4, "nothing was added"


def test_a_viewer_that_shows_no_plane_of_the_layer_is_reported(
    viewer: Any, picture: np.ndarray
) -> None:
    source = viewer.add_image(np.stack([picture] * 3))
    viewer.add_image(np.zeros((9, 5, 5)))
    viewer.dims.set_current_step(0, 8)
    with pytest.raises(ValueError, match="move the sliders"):
        restore_layer(viewer, source)
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="switch to 2D"):
        restore_layer(viewer, source)
    viewer.dims.ndisplay = 2
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(ValueError, match="roll or transpose"):
        restore_layer(viewer, source)


@pytest.mark.parametrize("task", ["denoise", "inpaint", "super-resolve"])
def test_the_window_stays_responsive_during_a_fit(viewer: Any, qtbot: Any, task: str) -> None:
    y, x = np.mgrid[:256, :256]
    image = (
        100
        + 50 * np.sin(x / 9) * np.cos(y / 5)
        + np.random.default_rng(0).normal(0, 10, (256, 256))
    )
    if task == "inpaint":
        image[np.random.default_rng(1).random(image.shape) < 0.3] = np.nan
    source = viewer.add_image(image, contrast_limits=(0, 200))
    run = restore_layer(
        viewer, source, task=task, factor=2 if task == "super-resolve" else None, device="cpu"
    )
    gaps = []
    before = time.perf_counter()
    while len(gaps) < 3000 and sum(gaps) < 5:
        qtbot.wait(1)
        now = time.perf_counter()
        gaps.append(now - before)
        before = now
    assert run.is_active
    assert run.step is not None
    run.cancel()
    assert np.percentile(gaps, 95) < 0.1, "seconds for which the event loop was blocked"


@pytest.mark.usefixtures("quick_presets")
def test_finished_runs_free_their_memory(viewer: Any, picture: np.ndarray, qtbot: Any) -> None:
    run = restore_layer(viewer, viewer.add_image(picture), block=True)
    handle, fit = weakref.ref(run), weakref.ref(run._steps)
    viewer.layers.remove(run.layer)
    del run

    def is_gone() -> bool:
        gc.collect()
        return handle() is None and fit() is None

    qtbot.waitUntil(is_gone, timeout=10000)


@pytest.mark.usefixtures("quick_presets")
def test_a_finished_fit_is_scrubbed_and_any_step_is_kept(viewer: Any, picture: np.ndarray) -> None:
    source = viewer.add_image(picture, name="cells", scale=(2, 0.5))
    run = restore_layer(viewer, source, task="super-resolve", factor=2, block=True, seed=5)
    result = run.layer.data.copy()
    assert len(run.history) > 1
    run.scrub(0)
    first = run.history[0]
    assert run.layer.data.shape == result.shape
    np.testing.assert_array_equal(run.layer.data, first.image)
    made = run.layer.metadata["deep_image_prior"]
    assert made["step"] == first.iteration
    assert made["iterations"] == len(made["history"]) == first.iteration
    assert made["stop_reason"] == f"chosen by the user as it was at step {first.iteration}"
    json.dumps(made, allow_nan=False)
    kept = run.keep()
    assert kept.name == f"cells super-resolved, step {first.iteration}"
    assert kept in viewer.layers
    assert kept.metadata["deep_image_prior"] == made
    run.scrub(len(run.history) - 1)
    np.testing.assert_array_equal(run.layer.data, result)
    assert run.layer.metadata["deep_image_prior"]["stop_reason"] == run.result.stop_reason
    np.testing.assert_array_equal(kept.data, first.image)
    np.testing.assert_allclose(kept.data_to_world((0, 0)), run.layer.data_to_world((0, 0)))


@pytest.mark.usefixtures("endless_presets")
def test_looking_back_in_a_pause_ends_with_the_pause(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    run = restore_layer(viewer, viewer.add_image(picture), task="super-resolve", factor=2)
    qtbot.waitUntil(lambda: len(run.history) > 2, timeout=30000)
    with pytest.raises(RuntimeError, match="pause or stop it first"):
        run.scrub(0)
    run.pause()
    run.scrub(0)
    qtbot.wait(300)  # a late preview from before the pause is ignored
    assert run.shown is run.history[0]
    kept = run.keep()
    assert kept.metadata["deep_image_prior"]["step"] == run.history[0].iteration
    run.resume()
    assert run.shown is run.history[-1]
    assert "deep_image_prior" not in run.layer.metadata
    run.cancel()
    assert kept in viewer.layers


@pytest.mark.usefixtures("endless_presets")
def test_a_stopped_fit_runs_on_and_cancel_restores_the_result(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    run = restore_layer(viewer, viewer.add_image(picture), task="super-resolve", factor=2)
    qtbot.waitUntil(lambda: run.step is not None and run.step.iteration > 3, timeout=30000)
    run.stop()
    stopped = run.wait(timeout=30)
    snapshots = len(run.history)
    run.run_on()  # at once: the worker may not have left yet
    assert run.state == "running"
    assert active_run(viewer) is run
    qtbot.waitUntil(lambda: run.step.iteration > stopped.iterations + 10, timeout=30000)
    run.stop()
    further = run.wait(timeout=30)
    assert further.iterations > stopped.iterations + 10
    assert further.history[: stopped.iterations] == stopped.history
    assert len(run.history) > snapshots
    run.run_on()
    qtbot.waitUntil(lambda: run.history[-1].iteration > further.iterations, timeout=30000)
    run.cancel()
    assert run.state == "cancelled"
    shown = [snapshot.iteration for snapshot in run.history]
    assert shown == sorted(set(shown)), "one of each step"
    assert shown[-1] == further.iterations, "nothing of the cancelled steps is left"
    np.testing.assert_array_equal(run.layer.data, further.image)
    assert not run.can_run_on
    qtbot.waitUntil(lambda: run._steps._generator.gi_frame is None, timeout=30000)
    run.scrub(0)


@pytest.mark.usefixtures("quick_presets")
def test_a_finished_fit_is_freed_with_its_layer_or_by_the_next_run(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(picture)
    first = restore_layer(viewer, source, block=True)
    assert first.can_run_on
    second = restore_layer(viewer, source, block=True)
    assert not first.can_run_on
    assert len(first.history) == 0
    with pytest.raises(RestorationError, match="closed"):
        first.run_on()
    viewer.layers.remove(second.layer)
    assert not second.can_run_on
    assert len(second.history) == 0
    qtbot.waitUntil(lambda: second._steps._generator.gi_frame is None, timeout=30000)


@pytest.mark.usefixtures("quick_presets")
def test_a_finished_fit_is_freed_when_the_viewer_closes(
    make_napari_viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    run = restore_layer(viewer, viewer.add_image(picture), block=True)
    viewer.close()
    qtbot.waitUntil(lambda: run._steps._generator.gi_frame is None, timeout=30000)
    assert len(run.history) == 0


@pytest.mark.usefixtures("endless_presets")
def test_pixels_painted_during_inpainting_are_filled_within_a_second(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any
) -> None:
    spoiled = picture.copy()
    spoiled[4:7, 20:23] = 5000
    source = viewer.add_image(np.stack([spoiled] * 3))
    labels = viewer.add_labels(np.stack([hole & (spoiled < 5000)] * 3).astype(int))
    viewer.dims.set_current_step(0, 1)
    run = restore_layer(viewer, source, task="inpaint", missing=labels)
    qtbot.waitUntil(lambda: run.step is not None and len(run.history) > 0, timeout=30000)
    assert run.layer.data.max() > 4000
    viewer.dims.set_current_step(0, 2)  # the mask of the restored plane counts
    viewer.dims.set_current_step(0, 1)
    labels.data_setitem((np.full(9, 1), np.repeat([4, 5, 6], 3), np.tile([20, 21, 22], 3)), 1)
    qtbot.waitUntil(lambda: run.layer.data.max() < 1000, timeout=1500)
    labels.undo()
    qtbot.waitUntil(lambda: run.layer.data.max() > 4000, timeout=1500)
    labels.data = np.zeros_like(labels.data)  # nothing to fill: the last mask stays
    qtbot.wait(400)
    assert run.state == "running"
    run.cancel()


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scale": (2, 2), "translate": (0.5, 0.5)}, (slice(4, 8), slice(6, 10))),
        ({"scale": (1, 1), "translate": (3, -1)}, (slice(5, 7), slice(2, 4))),
        ({"rotate": 90, "translate": (10, 0)}, (slice(6, 8), slice(2, 4))),
    ],
    ids=str,
)
def test_a_mask_on_another_grid_is_resampled_to_the_image(
    viewer: Any, picture: np.ndarray, options: dict[str, Any], expected: Any
) -> None:
    source = viewer.add_image(picture, scale=(0.5, 0.5), translate=(7, 7))
    painted = np.zeros((9, 8), dtype=int)
    painted[2:4, 3:5] = 1
    # the options are in pixels of the image
    linear = Affine(**options).affine_matrix
    onto = Affine(scale=(0.5, 0.5), translate=(7, 7)).affine_matrix @ linear
    labels = viewer.add_labels(painted, affine=onto)
    run = restore_layer(viewer, source, task="inpaint", missing=labels, block=True)
    missing = np.zeros(picture.shape, dtype=bool)
    missing[expected] = True
    np.testing.assert_array_equal(run.task.missing, missing)


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("planes", ["displayed", "all"])
def test_a_mask_and_a_region_in_other_units_lie_where_they_are_shown(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, planes: str
) -> None:
    image = viewer.add_image(
        np.stack([picture] * 2), scale=(2, 0.5, 0.5), units=("um",) * 3, name="cells"
    )
    labels = viewer.add_labels(
        np.stack([hole] * 2).astype(int), scale=(2000, 500, 500), units=("nm",) * 3
    )
    viewer.dims.set_current_step(0, 1)
    run = restore_layer(viewer, image, task="inpaint", missing=labels, planes=planes, block=True)
    assert run.state == "done"
    np.testing.assert_array_equal(run.task.missing, hole)
    if planes == "displayed":
        # rows 2 to 20 and columns 4 to 22, in nm
        shapes = viewer.add_shapes(
            np.array([[900.0, 1900], [900, 11100], [10100, 11100], [10100, 1900]]),
            units=("nm",) * 2,
        )
        assert region_of(viewer, image, shapes) == ((2, 21), (4, 23))
        part = restore_layer(viewer, image, region=shapes, block=True)
        np.testing.assert_array_equal(part.task.image, picture[2:21, 4:23])


@pytest.mark.usefixtures("quick_presets")
def test_a_mask_of_the_same_numbers_in_other_units_does_not_lie_on_the_image(
    viewer: Any, picture: np.ndarray, hole: np.ndarray
) -> None:
    image = viewer.add_image(picture, translate=(1000, 1000), units=("um",) * 2)
    labels = viewer.add_labels(hole.astype(int), translate=(1000, 1000), units=("nm",) * 2)
    with pytest.raises(ValueError, match="do not lie on image"):
        restore_layer(viewer, image, task="inpaint", missing=labels)
