"""Trials on a part of an image, on a real viewer."""

from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior import repeat, restore_layer
from napari_deep_image_prior._napari.actions.repeat import run_again
from napari_deep_image_prior._napari.jobs.queue import queue_of
from napari_deep_image_prior._napari.layers.provenance import (
    provenance_of,
    result_plane,
    source_plane,
    truth_plane,
)
from napari_deep_image_prior._napari.layers.region import region_of
from napari_deep_image_prior._napari.viewer.canvas import camera, corners_shown, grid
from napari_deep_image_prior.restoration.script import script
from tests._napari.conftest import open_panel, press

pytestmark = [pytest.mark.usefixtures("_no_leftovers", "quick_presets")]
REGION = ((4, 22), (6, 26))
"""18x20 pixels of the picture."""


def _corners(layer: Any, region: Any) -> np.ndarray:
    """World coordinates of the outer corners of a part of the last two axes."""
    (top, bottom), (left, right) = region
    index = (0,) * (layer.ndim - 2)
    ends = [(y - 0.5, x - 0.5) for y in (top, bottom) for x in (left, right)]
    return np.array([layer.data_to_world((*index, *end)) for end in ends])


def _whole(layer: Any) -> Any:
    height, width = layer.data.shape[layer.ndim - 2 : layer.ndim]
    return ((0, height), (0, width))


@pytest.mark.parametrize(
    ("task", "factor"), [("denoise", None), ("super-resolve", 2), ("super-resolve", (1.5, 3))]
)
def test_a_part_of_a_rotated_source_is_restored_exactly_in_place(
    viewer: Any, picture: np.ndarray, task: str, factor: Any
) -> None:
    placed = {
        "scale": (0.5, 0.25),
        "rotate": 30,
        "translate": (7, -3),
        "affine": [[1, 0.2, 3], [0, 2, 1], [0, 0, 1]],
    }
    source = viewer.add_image(picture, name="cells", **placed)
    run = restore_layer(viewer, source, task=task, factor=factor, region=REGION, block=True)
    assert run.layer.name.endswith(" (part)")
    np.testing.assert_allclose(_corners(run.layer, _whole(run.layer)), _corners(source, REGION))
    assert provenance_of(run.layer)["source"]["region"] == [[4, 22], [6, 26]]
    assert run.history[-1].image.shape == run.layer.data.shape


def test_only_the_pixels_of_the_region_count(viewer: Any, picture: np.ndarray) -> None:
    source = viewer.add_image(picture)
    part = restore_layer(viewer, source, region=REGION, block=True)
    elsewhere = picture.copy()
    elsewhere[:4] = 0
    again = restore_layer(viewer, viewer.add_image(elsewhere), region=REGION, block=True)
    np.testing.assert_array_equal(part.layer.data, again.layer.data)
    np.testing.assert_array_equal(
        repeat(provenance_of(part.layer), picture[4:22, 6:26]).image, part.layer.data
    )


def test_trials_of_colors_levels_and_lazy_planes_are_aligned(
    viewer: Any, picture: np.ndarray
) -> None:
    da = pytest.importorskip("dask.array")
    loaded = []

    def load(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        loaded.append(block_info[0]["chunk-location"])
        return block

    colored = viewer.add_image(
        np.stack([picture] * 3, axis=-1).astype(np.uint8), rgb=True, name="colored"
    )
    levels = viewer.add_image([picture, picture[::2, ::2]], multiscale=True, name="levels")
    whole = np.stack([picture, picture[::-1], picture + 5])
    blocks = da.from_array(whole, chunks=(1, 12, 28)).map_blocks(
        load, dtype=float, meta=np.empty((0, 0, 0))
    )
    stack = viewer.add_image(blocks, name="stack", scale=(3, 1, 1), contrast_limits=(0, 255))
    viewer.dims.set_point(0, 6)
    for source, shape in ((colored, (18, 20, 3)), (levels, (18, 20))):
        run = restore_layer(viewer, source, region=REGION, block=True)
        assert run.layer.data.shape == shape
        np.testing.assert_allclose(_corners(run.layer, _whole(run.layer)), _corners(source, REGION))
    loaded.clear()
    task_region = ((12, 24), (0, 28))
    with pytest.raises(ValueError, match="12x28 pixels"):
        restore_layer(viewer, stack, region=task_region)
    run = restore_layer(viewer, stack, region=((5, 24), (0, 28)), block=True)
    assert {place[0] for place in loaded} == {2}, "only the displayed plane is loaded"
    assert run.layer.data.shape == (1, 19, 28)
    assert run.layer.data_to_world((0, 0, 0)) == stack.data_to_world((2, 5, 0))
    np.testing.assert_array_equal(source_plane(viewer, run.layer)[1].values, whole[2, 5:])


def test_the_visible_part_is_what_napari_draws(viewer: Any, picture: np.ndarray) -> None:
    source = viewer.add_image(np.tile(picture, (10, 10)), scale=(0.5, 0.25), rotate=20)
    camera(viewer).zoom = 30
    camera(viewer).center = (20, 30)
    viewer.screenshot()  # draws
    (top, bottom), (left, right) = region_of(viewer, source, "visible")
    drawn = source.corner_pixels
    assert np.abs(drawn - [[top, left], [bottom - 1, right - 1]]).max() <= 1
    assert (top, left) != (0, 0), "the view is a part"
    viewer.reset_view()
    assert region_of(viewer, source, "visible") is None, "all of it"


def test_the_bounding_box_of_the_selected_shape_is_used(viewer: Any, picture: np.ndarray) -> None:
    source = viewer.add_image(
        np.stack([np.tile(picture, (4, 4))] * 3), scale=(1, 2, 2), translate=(0, 10, 10)
    )
    shapes = viewer.add_shapes(ndim=2, name="parts")
    with pytest.raises(ValueError, match=r"no shape on 'parts': draw a rectangle"):
        region_of(viewer, source, shapes)
    shapes.add_rectangles([[29, 39], [29, 99], [79, 99], [79, 39]])  # edges between pixels
    shapes.selected_data = set()
    assert region_of(viewer, source, shapes) == ((10, 35), (15, 45))
    shapes.add_lines([[0, 0], [50, 50]])
    shapes.selected_data = set()
    assert region_of(viewer, source, shapes) == ((10, 35), (15, 45)), "the only rectangle"
    diamond = np.array([[60, 90], [90, 120], [60, 150], [30, 120]])
    shapes.add_rectangles(diamond)
    shapes.selected_data = set()
    with pytest.raises(ValueError, match=r"3 shapes on 'parts': select one"):
        region_of(viewer, source, shapes)
    shapes.selected_data = {2}
    assert region_of(viewer, source, shapes) == ((10, 41), (40, 71)), "around the tilted one"
    viewer.layers.remove(shapes)
    far = viewer.add_shapes([[[-90, 0], [-50, 30]]], shape_type="rectangle", name="far")
    with pytest.raises(
        ValueError, match=r"shape on 'far' does not lie on image .* \(96x112 pixels\)"
    ):
        region_of(viewer, source, far)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("everything", "region='everything' is unknown; use 'visible', a Shapes layer"),
        (((0, 20), 3), r"is invalid: use 'visible'"),
        (((0.5, 20), (0, 20)), r"is invalid: use 'visible'"),
        (((30, 50), (0, 20)), r"does not lie on image 'cells' \(24x28 pixels\)"),
        (((20, 4), (0, 20)), "does not lie on image"),
        (
            ((-9, 9), (0, 20)),
            "has 9x20 pixels of image 'cells': at least 16x16 are needed",
        ),
    ],
)
def test_an_invalid_region_is_refused_in_one_line(
    viewer: Any, picture: np.ndarray, region: Any, message: str
) -> None:
    source = viewer.add_image(picture, name="cells")
    with pytest.raises((ValueError, TypeError), match=message):
        restore_layer(viewer, source, region=region)
    assert len(viewer.layers) == 1


@pytest.mark.parametrize("channels", ["jointly", "separately"])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_part_with_all_its_channels_is_aligned(
    viewer: Any, picture: np.ndarray, axis: int, channels: str
) -> None:
    stained = np.stack([picture, 900 - 3 * picture[::-1]])
    series = np.stack([stained, stained + 30], axis=1 - axis)
    labels = ("c", "t", "y", "x") if axis == 0 else ("t", "c", "y", "x")
    source = viewer.add_image(
        series, name="cells", axis_labels=labels, scale=(3, 4, 0.5, 0.25), translate=(1, 2, 3, 4)
    )
    viewer.dims.set_current_step(1 - axis, 1)
    run = restore_layer(
        viewer, source, task="super-resolve", factor=2, channels=channels, region=REGION, block=True
    )
    assert run.layer.data.squeeze().shape == (2, 36, 40)
    first, last = [0, 0], [0, 0]
    first[1 - axis], last[1 - axis], last[axis] = 1, 1, 1
    for own, given in (([0, 0], first), ([0, 1] if axis else [1, 0], last)):
        for mine, theirs in (((-0.5, -0.5), (3.5, 5.5)), ((35.5, 39.5), (21.5, 25.5))):
            at = source.data_to_world((*given, *theirs))
            np.testing.assert_allclose(run.layer.data_to_world((*own, *mine)), at)
    described = provenance_of(run.layer)["source"]
    assert described["region"] == [[4, 22], [6, 26]]
    assert (described["channel_axis"], described["channels"]) == (axis, channels)
    if channels == "separately":
        return  # of several fits
    plane = source_plane(viewer, run.layer)[1]
    np.testing.assert_array_equal(plane.values, (stained + 30)[:, 4:22, 6:26])
    assert script(provenance_of(run.layer)).find("rows 4 to 21, columns 6 to 25") > 0
    large = viewer.add_image(
        np.kron(series, np.ones((2, 2))), scale=(3, 4, 0.25, 0.125), translate=(1, 2, 3, 4)
    )
    truth = truth_plane(viewer, result_plane(viewer, run.layer), large)
    np.testing.assert_array_equal(truth.values, np.kron(plane.values, np.ones((2, 2))))
    viewer.dims.set_current_step(1 - axis, 0)
    again = run_again(viewer, run.layer)
    again.wait(60)
    np.testing.assert_array_equal(again.layer.data, run.layer.data)
    np.testing.assert_allclose(again.layer.extent.world, run.layer.extent.world)


@pytest.mark.parametrize("channels", ["jointly", "separately"])
def test_only_the_region_of_masks_of_channels_counts(
    viewer: Any, picture: np.ndarray, channels: str
) -> None:
    stained = np.stack([picture, 900 - 3 * picture[::-1]])
    source = viewer.add_image(stained, axis_labels=("c", "y", "x"))
    holes = np.zeros(stained.shape, dtype=int)
    holes[:, 0:3, 0:3] = holes[0, 10:12, 8:11] = holes[1, 15:17, 20:22] = 1
    layer = viewer.add_labels(holes)
    asked = {"task": "inpaint", "region": REGION, "channels": channels, "block": True}
    runs = [restore_layer(viewer, source, missing=missing, **asked) for missing in (layer, holes)]
    inside = (slice(None), slice(4, 22), slice(6, 26))
    known = holes[inside] == 0
    for run in runs:
        np.testing.assert_allclose(run.layer.data[known], stained[inside][known], rtol=1e-5)
        assert (run.layer.data[~known] != stained[inside][~known].astype(np.float32)).all()
    np.testing.assert_array_equal(runs[0].layer.data, runs[1].layer.data)
    if channels == "jointly":
        again = run_again(viewer, runs[0].layer)
        again.wait(60)
        np.testing.assert_array_equal(again.layer.data, runs[0].layer.data)


def test_the_copied_script_restores_the_part_of_all_channels(
    viewer: Any, picture: np.ndarray, tmp_path: Any
) -> None:
    path = tmp_path / "cells.npy"
    np.save(path, np.stack([[picture, picture[::-1]]] * 2, axis=1))  # C, T, Y, X
    source = viewer.add_image(np.load(path), axis_labels=("c", "t", "y", "x"))
    source._source = source.source.model_copy(update={"path": str(path)})
    run = restore_layer(viewer, source, region=REGION, block=True)
    namespace: dict[str, Any] = {}
    exec(script(provenance_of(run.layer)), namespace)
    np.testing.assert_array_equal(namespace["restored"], run.layer.data[:, 0])


def test_a_region_of_all_planes_or_of_a_volume_is_refused(viewer: Any, picture: np.ndarray) -> None:
    source = viewer.add_image(np.stack([picture, picture]))
    with pytest.raises(ValueError, match="part of the displayed plane only"):
        restore_layer(viewer, source, region=REGION, planes="all")
    flat = viewer.add_image(picture)
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="switch to 2D"):
        restore_layer(viewer, flat, region="visible")


def test_only_the_region_of_a_mask_counts(viewer: Any, picture: np.ndarray) -> None:
    source = viewer.add_image(picture, name="film")
    holes = np.zeros((24, 28), dtype=int)
    holes[0:3, 0:3] = holes[10:12, 8:11] = 1
    mask = viewer.add_labels(holes)
    run = restore_layer(viewer, source, task="inpaint", missing=mask, region=REGION, block=True)
    assert provenance_of(run.layer)["task"]["missing_pixels"] == 6
    known = holes[4:22, 6:26] == 0
    np.testing.assert_allclose(run.layer.data[known], picture[4:22, 6:26][known], rtol=1e-6)
    of_array = restore_layer(
        viewer, source, task="inpaint", missing=holes != 0, region=REGION, block=True
    )
    np.testing.assert_array_equal(of_array.layer.data, run.layer.data)
    again = run_again(viewer, run.layer)
    again.wait(timeout=60)
    np.testing.assert_array_equal(again.layer.data, run.layer.data)
    mask.data = np.where(np.arange(24)[:, None] < 3, holes, 0)
    with pytest.raises(ValueError, match="nothing is marked as missing within the region"):
        restore_layer(viewer, source, task="inpaint", missing=mask, region=REGION)
    # nor is a mask that ends before the region
    small = viewer.add_labels(np.ones((3, 3), dtype=int))
    with pytest.raises(ValueError, match="nothing is marked as missing within the region"):
        restore_layer(viewer, source, task="inpaint", missing=small, region=REGION)


@pytest.mark.usefixtures("endless_presets")
def test_pixels_painted_in_the_region_during_its_trial_are_filled(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    holes = np.zeros((24, 28), dtype=int)
    holes[10:12, 8:11] = 1
    mask = viewer.add_labels(holes)
    run = restore_layer(
        viewer, viewer.add_image(picture), task="inpaint", missing=mask, region=REGION
    )
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    mask.data_setitem((np.array([15, 1]), np.array([20, 1])), 1)
    qtbot.waitUntil(lambda: run.mask._missing.sum() == 7, timeout=30000)
    assert run.mask._missing[11, 14], "in the region's own pixels"
    run.cancel()


@pytest.mark.parametrize("task", ["denoise", "super-resolve"])
def test_results_examines_a_part_like_a_whole_image(
    viewer: Any, picture: np.ndarray, tmp_path: Any, qtbot: Any, task: str
) -> None:
    from qtpy.QtWidgets import QApplication

    path = tmp_path / "cells.npy"
    np.save(path, picture)
    source = viewer.add_image(picture, name="cells", scale=(0.5, 0.5))
    source._source = source.source.model_copy(update={"path": str(path)})
    factor = 2 if task == "super-resolve" else None
    run = restore_layer(viewer, source, task=task, factor=factor, region=REGION, block=True)
    results = open_panel(viewer, "Results")
    results.result.value = run.layer
    assert (
        "Part of the image: layer 'cells', rows 4 to 21, columns 6 to 25."
        in results.provenance.value
    )
    results.residual.native.click()
    residual = viewer.layers["cells residual"]
    np.testing.assert_allclose(_corners(residual, _whole(residual)), _corners(source, REGION))
    results.copy.native.click()
    namespace: dict[str, Any] = {}
    exec(QApplication.clipboard().text(), namespace)
    np.testing.assert_array_equal(namespace["restored"], run.layer.data)
    results.compare.native.click()
    assert not run.layer.visible
    results.compare.native.click()
    assert run.layer.visible
    truth = viewer.add_image(
        picture if factor is None else np.kron(picture, np.ones((2, 2))), name="truth"
    )
    results.truth.value = truth
    results.measure.native.click()
    assert results.status.value.startswith("Result: PSNR")
    assert ("Source: PSNR" in results.status.value) == (factor is None)
    truth.data = truth.data[:10]
    results.measure.native.click()
    assert results.status.value.startswith("Truth 'truth' is too small")
    truth.data = np.asarray(run.layer.data)
    results.measure.native.click()
    assert "PSNR inf dB" in results.status.value, "a truth of just the part"
    results.run_again.native.click()
    qtbot.waitUntil(lambda: "deep_image_prior" in viewer.layers[-1].metadata, timeout=30000)
    np.testing.assert_array_equal(viewer.layers[-1].data, run.layer.data)


def _names(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers]


def _zoom_in(viewer: Any, size: float = 20) -> None:
    """Show `size` pixels of the middle of the picture, along one axis."""
    camera(viewer).center = (12, 14)
    corners = corners_shown(viewer)
    camera(viewer).zoom *= min(corners[-1][-2:] - corners[0][-2:]) / size


@pytest.mark.parametrize("proxied", [False, True], ids=["raw viewer", "proxied viewer"])
def test_trials_are_compared_and_the_chosen_one_is_applied_to_the_image(
    viewer: Any, picture: np.ndarray, qtbot: Any, proxied: bool
) -> None:
    source = viewer.add_image(picture, name="cells")
    shapes = viewer.add_shapes(name="part")
    widget = open_panel(viewer, "Denoise", proxied=proxied)
    widget.image.value = source
    buttons = (widget.beside, widget.apply, widget.discard)
    assert not any(button.enabled for button in buttons), "there is no trial yet"
    press(widget.trying_toggle)
    assert widget.region.choices == ("visible", shapes)
    widget.region.value = shapes
    press(widget.add_trial)
    assert widget.status.value == "There is no shape on 'part': draw a rectangle on it first."
    shapes.add_rectangles([[3.5, 5.5], [3.5, 25.5], [21.5, 25.5], [21.5, 5.5]])
    press(widget.add_trial)
    widget.noise.value, widget.seed.value = "gaussian", 3
    press(widget.add_trial)
    assert _names(viewer) == ["cells", "part", "trial 1 (fast) of cells"]
    assert [run.layer.name for run in queue_of(viewer).jobs] == [
        "trial 1 (fast) of cells",
        TRIAL_2,
    ], "after the first"
    assert widget._queue.list.item(1).text() == f"waiting: {TRIAL_2}"
    assert widget.trial_text.value.startswith(
        "18x20 pixels: rows 4 to 21, columns 6 to 25. Too few to detect shot noise"
    )
    assert not widget.region.enabled, "all trials restore the same part"
    qtbot.waitUntil(lambda: not queue_of(viewer).jobs, timeout=60000)
    assert _names(viewer)[2:] == ["trial 1 (fast) of cells", TRIAL_2]
    assert provenance_of(viewer.layers[TRIAL_2])["seed"] == 3
    for trial in viewer.layers[2:]:
        np.testing.assert_allclose(_corners(trial, _whole(trial)), _corners(source, REGION))
    widget.noise.value, widget.seed.value = "poisson", 0
    widget.trial.value = viewer.layers[TRIAL_2]
    press(widget.apply)
    assert (widget.noise.value, widget.seed.value) == ("gaussian", 3)
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=60000)
    whole = viewer.layers["cells denoised"]
    assert whole.data.shape == picture.shape
    assert (provenance_of(whole)["task"]["noise"], provenance_of(whole)["seed"]) == ("gaussian", 3)
    press(widget.discard)
    assert _names(viewer) == ["cells", "part", "cells denoised"]
    assert widget.region.enabled


def test_a_trial_reports_its_strength_and_the_image_is_restored_with_it(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Denoise")
    for strength in (1, 0.55):
        widget.strength.value = strength
        press(widget.add_trial)
    qtbot.waitUntil(lambda: not queue_of(viewer).jobs, timeout=60000)
    assert _names(viewer)[1:] == [
        "trial 1 (fast) of cells",
        "trial 2 (fast, strength 0.55) of cells",
    ]
    widget.strength.value = 1
    press(widget.apply)
    assert widget.strength.value == 0.55
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=60000)
    assert provenance_of(viewer.layers["cells denoised"])["task"]["strength"] == 0.55


def test_joint_and_separate_channels_are_tried_side_by_side_for_any_displayed_channel(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    stained = np.stack([picture, 900 - 3 * picture[::-1]])
    viewer.add_image(
        np.stack([stained, stained + 9]), name="cells", axis_labels=("t", "c", "y", "x")
    )
    widget = open_panel(viewer, "Denoise")
    _zoom_in(viewer)
    viewer.dims.set_current_step(0, 1)
    press(widget.add_trial)
    viewer.dims.set_current_step(1, 1 - viewer.dims.current_step[1])
    widget.together.value = "separately"
    press(widget.add_trial)
    assert widget.trial.current_choice == "2: fast, channels one by one"
    qtbot.waitUntil(lambda: not queue_of(viewer).jobs, timeout=60000)
    trials = [
        viewer.layers["trial 1 (fast) of cells"],
        viewer.layers["trial 2 (fast, channels one by one) of cells"],
    ]
    assert {layer.data.shape[:2] for layer in trials} == {(1, 2)}
    np.testing.assert_allclose(trials[0].extent.world, trials[1].extent.world)
    press(widget.beside)
    assert sum(layer.visible for layer in viewer.layers) == 3
    widget.channels.value = "no channel axis"
    press(widget.add_trial)
    assert widget.status.value.startswith(
        "The existing trials show all channels of plane 1 of 'cells': go back"
    )
    widget.trial.value = trials[1]
    press(widget.apply)
    assert (widget.channels.value, widget.together.value) == ("axis 1 (c)", "separately")
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=60000)
    assert provenance_of(viewer.layers["cells denoised"])["source"]["channels"] == "separately"
    assert viewer.layers["cells denoised"].data.shape == (1, 2, 24, 28)


TRIAL_2 = "trial 2 (fast, noise gaussian, seed 3) of cells"


def test_side_by_side_shows_only_input_and_trials_and_back_restores_the_view(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(picture, name="cells")
    viewer.add_image(picture, name="other")
    hidden = viewer.add_image(picture, name="hidden", visible=False)
    widget = open_panel(viewer, "Super-resolve")
    widget.image.value, widget.factor.value = source, 2
    _zoom_in(viewer)
    before = (camera(viewer).center, camera(viewer).zoom)
    for factor in (2, 3):
        widget.factor.value = factor
        press(widget.add_trial)
    qtbot.waitUntil(lambda: not queue_of(viewer).jobs, timeout=60000)
    source.contrast_limits = (90, 150)
    press(widget.beside)
    shown = ["cells", "trial 1 (fast, 2x) of cells", "trial 2 (fast, 3x) of cells"]
    assert grid(viewer).enabled
    assert widget.beside.text == "Back"
    assert [layer.name for layer in viewer.layers if layer.visible] == shown
    trials = [viewer.layers[name] for name in shown[1:]]
    assert all(layer.name_overlay.visible for layer in (source, *trials)), "each shows its name"
    assert all(tuple(layer.contrast_limits) == (90, 150) for layer in trials)
    trials[0].contrast_limits = (80, 160)
    assert tuple(source.contrast_limits) == tuple(trials[1].contrast_limits) == (80, 160), (
        "moved together"
    )
    press(widget.beside)
    assert not grid(viewer).enabled
    assert (camera(viewer).center, camera(viewer).zoom) == before
    assert [layer.name for layer in viewer.layers if not layer.visible] == ["hidden"]
    assert not any(layer.name_overlay.visible for layer in viewer.layers)
    source.contrast_limits = (0, 255)
    assert tuple(trials[0].contrast_limits) == (80, 160), "each on its own again"
    assert not hidden.visible


def test_layers_added_and_removed_side_by_side_join_and_leave(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(picture, name="cells")
    viewer.add_image(picture, name="other")
    widget = open_panel(viewer, "Denoise")
    widget.image.value = source
    press(widget.add_trial)
    press(widget.beside)
    press(widget.add_trial)
    qtbot.waitUntil(lambda: not queue_of(viewer).jobs, timeout=60000)
    second = viewer.layers["trial 2 (fast) of cells"]
    assert second.visible
    assert second.name_overlay.visible
    grid(viewer).enabled = False  # by napari's own button
    assert viewer.layers["other"].visible
    assert widget.beside.text == "Side by side"
    press(widget.beside)
    viewer.layers.remove(second)
    assert grid(viewer).enabled
    viewer.layers.remove(source)
    assert not grid(viewer).enabled, "there is nothing to compare with"
    press(widget.beside)
    assert widget.status.value.startswith("The image of these trials is no longer in the viewer")
    press(widget.apply)
    assert widget.status.value.startswith("The image of these trials is no longer in the viewer")
    press(widget.discard)
    assert _names(viewer) == ["other"]


@pytest.mark.usefixtures("endless_presets")
def test_a_fifth_trial_and_one_of_another_part_are_refused_until_there_is_room(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(np.stack([picture, picture]), name="stack")
    other = viewer.add_image(picture, name="other")
    widget = open_panel(viewer, "Denoise")
    widget.planes.value = "all"  # a trial still restores one plane
    widget.image.value = viewer.layers["stack"]
    _zoom_in(viewer)
    viewer.dims.set_point(0, 1)
    for seed in range(4):
        widget.seed.value = seed
        press(widget.add_trial)
    press(widget.add_trial)
    assert widget.status.value.startswith("There are 4 trials already: delete the layer of one")
    queue_of(viewer).jobs[1].cancel()
    assert [text for text, _ in widget._trials._trial_choices()] == [
        "1: fast",
        "3: fast, seed 2",
        "4: fast, seed 3",
    ]
    viewer.dims.set_point(0, 0)
    press(widget.add_trial)
    assert widget.status.value.startswith(
        "The existing trials show plane 1 of 'stack': go back to it, or"
    )
    widget.image.value = other
    press(widget.add_trial)
    assert "go back to it" in widget.status.value
    widget.image.value = viewer.layers["stack"]
    viewer.dims.set_point(0, 1)
    viewer.reset_view()  # a later trial restores the part of the first
    press(widget.add_trial)
    parts = {layer.data.shape for layer in widget._trials._trials()}
    assert len(parts) == 1
    assert parts != {(1, 24, 28)}
    assert [run.layer.name.split(" (")[0] for run in queue_of(viewer).jobs] == [
        f"trial {n}" for n in (1, 3, 4, 2)
    ]
    press(widget.discard)
    assert queue_of(viewer).jobs == []
    assert _names(viewer) == ["stack", "other"]
    qtbot.waitUntil(lambda: not queue_of(viewer).at_work, timeout=30000)


@pytest.mark.usefixtures("endless_presets")
def test_a_trial_is_steered_like_a_run_and_a_reopened_widget_shows_it(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(picture, name="film")
    mask = viewer.add_labels(hole.astype(int), name="holes")
    widget = open_panel(viewer, "Inpaint")
    press(widget.add_trial)
    assert widget.trial_text.value.startswith(
        "The region is the whole of 'film': zoom in to try a part."
    )
    viewer.window.remove_dock_widget(widget.native)
    widget.native.deleteLater()
    widget = open_panel(viewer, "Inpaint")
    assert widget.trial.current_choice == "1: fast"
    qtbot.waitUntil(lambda: widget._run.step is not None, timeout=30000)
    press(widget.stop)
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert "stopped by the user" in widget.status.value
    press(widget.add_trial)
    press(widget.cancel)
    assert _names(viewer) == ["film", "trial 1 (fast) of film", "holes"]
    press(widget.add_trial)
    viewer.layers.remove("trial 2 (fast) of film")
    assert widget.trial.choices == (viewer.layers["trial 1 (fast) of film"],)
    mask.data = 0 * mask.data
    press(widget.add_trial)
    assert widget.status.value.startswith("Nothing is marked as missing")
    viewer.layers.remove("film")
    press(widget.add_trial)
    assert (
        widget.status.value.startswith("Choose an image layer first")
        or "show 'film'" in widget.status.value
    )


@pytest.mark.usefixtures("endless_presets")
def test_closing_the_window_with_trials_side_by_side_is_quiet(
    make_napari_viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    viewer.add_image(picture, name="cells")
    widget = open_panel(viewer, "Denoise")
    press(widget.add_trial)
    press(widget.add_trial)
    press(widget.beside)
    runs = list(queue_of(viewer).jobs)
    qtbot.waitUntil(lambda: runs[0].step is not None, timeout=30000)
    viewer.close()
    qtbot.waitUntil(lambda: not queue_of(viewer).at_work, timeout=30000)
    assert [run.state for run in runs] == ["cancelled"] * 2
