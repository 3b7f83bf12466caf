"""Channels of a layer: detected by axis label, restored jointly or separately, on a real viewer."""

import json
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_deep_image_prior import Denoise, Inpaint, repeat, restore, restore_layer
from napari_deep_image_prior._napari.actions.repeat import run_again
from napari_deep_image_prior._napari.layers.files import read_layer, write_layer
from napari_deep_image_prior._napari.layers.provenance import (
    result_plane,
    source_plane,
    truth_plane,
)
from tests._napari.conftest import open_panel

pytestmark = [pytest.mark.usefixtures("_no_leftovers", "quick_presets")]
SAME = {"seed": 2, "threads": 1, "device": "cpu"}


@pytest.fixture
def stained(picture: np.ndarray) -> np.ndarray:
    """Two channels of different brightness."""
    noise = np.random.default_rng(0).normal(0, 5, (2, 24, 28))
    return np.stack([picture, 900 - 3 * picture[::-1]]) + noise


def lies_on(result: Any, source: Any) -> None:
    np.testing.assert_allclose(result.extent.world, source.extent.world)
    assert result.axis_labels == source.axis_labels
    assert result.units == source.units


@pytest.mark.parametrize("label", ["c", "Channel", " CHANNELS "])
def test_the_labeled_axis_is_restored_jointly(viewer: Any, stained: np.ndarray, label: str) -> None:
    source = viewer.add_image(
        stained, name="cells", axis_labels=(label, "y", "x"), scale=(2, 0.5, 0.5)
    )
    run = restore_layer(viewer, source, block=True, **SAME)
    alone = restore(Denoise(stained, channel_axis=0), **SAME)
    np.testing.assert_array_equal(run.layer.data, alone.image)
    lies_on(run.layer, source)
    made = json.loads(json.dumps(run.layer.metadata["deep_image_prior"]))
    assert made["source"]["channel_axis"] == 0
    assert made["source"]["channels"] == "jointly"
    assert made["source"]["plane"] == [None]
    np.testing.assert_array_equal(repeat(made, stained).image, run.layer.data)


def test_separately_each_channel_is_restored_as_it_would_be_alone(
    viewer: Any, stained: np.ndarray
) -> None:
    source = viewer.add_image(stained, axis_labels=("c", "y", "x"), units=("pixel", "um", "um"))
    run = restore_layer(viewer, source, channels="separately", block=True, **SAME)
    for restored, channel in zip(run.layer.data, stained, strict=True):
        np.testing.assert_array_equal(restored, restore(Denoise(channel), **SAME).image)
    lies_on(run.layer, source)
    made = run.layer.metadata["deep_image_prior"]
    assert made["source"]["channels"] == "separately"
    assert [each["index"] for each in made["planes"]] == [[0], [1]]
    assert run.result.stop_reason == "2 of 2 channels done"


@pytest.mark.parametrize("channels", ["jointly", "separately"])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_displayed_time_of_a_series_is_restored_with_its_channels(
    viewer: Any, stained: np.ndarray, axis: int, channels: str
) -> None:
    series = np.stack([stained, stained + 30, stained + 90], axis=1 - axis)
    labels = ("c", "t", "y", "x") if axis == 0 else ("t", "c", "y", "x")
    source = viewer.add_image(
        series, axis_labels=labels, scale=(3, 4, 0.5, 0.5), translate=(7, 8, 9, 10)
    )
    viewer.dims.set_current_step(1 - axis, 2)
    viewer.dims.set_current_step(axis, 1)
    run = restore_layer(
        viewer, source, task="super-resolve", factor=2, channels=channels, block=True
    )
    shape = (2, 1, 48, 56) if axis == 0 else (1, 2, 48, 56)
    assert run.layer.data.shape == shape
    # the same corners, in the plane of the third time point
    first, last = [0, 0], [0, 0]
    first[1 - axis], last[1 - axis], last[axis] = 2, 2, 1
    np.testing.assert_allclose(
        run.layer.data_to_world((0, 0, -0.5, -0.5)), source.data_to_world((*first, -0.5, -0.5))
    )
    end = [n - 1 for n in shape[:2]]
    np.testing.assert_allclose(
        run.layer.data_to_world((*end, 47.5, 55.5)), source.data_to_world((*last, 23.5, 27.5))
    )
    means = run.layer.data.squeeze().mean(axis=(1, 2))
    np.testing.assert_allclose(means, (stained + 90).mean(axis=(1, 2)), rtol=0.05)


@pytest.mark.parametrize("channels", ["jointly", "separately"])
def test_all_planes_are_restored_with_their_channels(
    viewer: Any, stained: np.ndarray, channels: str
) -> None:
    series = np.stack([stained, stained + 30], axis=1)  # C, T, Y, X
    source = viewer.add_image(series, axis_labels=("c", "t", "y", "x"))
    run = restore_layer(viewer, source, planes="all", channels=channels, block=True, **SAME)
    assert run.layer.data.shape == series.shape
    planes = run.layer.metadata["deep_image_prior"]["planes"]
    if channels == "jointly":
        assert [plane["index"] for plane in planes] == [[None, 0], [None, 1]]
        second = restore(Denoise(series[:, 1], channel_axis=0), **SAME).image
    else:
        assert [plane["index"] for plane in planes] == [[0, 0], [0, 1], [1, 0], [1, 1]]
        second = np.stack([restore(Denoise(plane), **SAME).image for plane in series[:, 1]])
    np.testing.assert_array_equal(run.layer.data[:, 1], second)
    lies_on(run.layer, source)


def test_an_axis_without_a_label_counts_planes_until_it_is_named(
    viewer: Any, stained: np.ndarray
) -> None:
    source = viewer.add_image(stained)
    assert restore_layer(viewer, source, block=True).layer.data.shape == (1, 24, 28)
    assert (
        restore_layer(viewer, source, channel_axis=-3, block=True).layer.data.shape == stained.shape
    )
    labeled = viewer.add_image(stained, axis_labels=("c", "y", "x"))
    assert restore_layer(viewer, labeled, channel_axis=None, block=True).layer.data.shape == (
        1,
        24,
        28,
    )
    # all planes of an image with only a channel axis: one joint fit
    both = restore_layer(viewer, labeled, planes="all", block=True)
    assert both.can_run_on
    assert both.layer.data.shape == stained.shape


def test_what_is_no_channel_axis_is_refused(viewer: Any, stained: np.ndarray) -> None:
    source = viewer.add_image(stained, name="cells")
    for axis in (1, 2, 3, -1, -4):
        with pytest.raises(ValueError, match="no axis before Y and X of layer 'cells'"):
            restore_layer(viewer, source, channel_axis=axis)
    with pytest.raises(TypeError, match="whole number"):
        restore_layer(viewer, source, channel_axis=0.0)
    with pytest.raises(ValueError, match="choose jointly or separately"):
        restore_layer(viewer, source, channels="one by one")
    colors = viewer.add_image(np.zeros((4, 24, 28, 3), np.uint8), rgb=True)
    with pytest.raises(ValueError, match="is RGB"):
        restore_layer(viewer, colors, channel_axis=0)


@pytest.mark.parametrize("channels", ["jointly", "separately"])
def test_a_mask_of_one_plane_applies_to_all_channels(
    viewer: Any, stained: np.ndarray, hole: np.ndarray, channels: str
) -> None:
    source = viewer.add_image(stained, axis_labels=("c", "y", "x"))
    flat = viewer.add_labels(hole.astype(int))
    of_the_other = viewer.add_labels(hole[None].astype(int), translate=(1, 0, 0))
    results = [
        restore_layer(
            viewer, source, task="inpaint", missing=missing, channels=channels, block=True, **SAME
        )
        for missing in (flat, of_the_other, hole)
    ]
    wanted = restore(Inpaint(stained, missing=hole, channel_axis=0), **SAME).image
    for run in results:
        assert (run.layer.data[:, hole] != stained[:, hole].astype(np.float32)).mean() > 0.9
        np.testing.assert_allclose(run.layer.data[:, ~hole], stained[:, ~hole], rtol=1e-5)
        if channels == "jointly":
            np.testing.assert_array_equal(run.layer.data, wanted)


@pytest.mark.parametrize("channels", ["jointly", "separately"])
def test_a_mask_with_channels_applies_channel_by_channel(
    viewer: Any, stained: np.ndarray, hole: np.ndarray, channels: str
) -> None:
    source = viewer.add_image(stained, axis_labels=("c", "y", "x"))
    painted = viewer.add_labels(np.stack([hole, hole[::-1]]).astype(int))
    run = restore_layer(
        viewer, source, task="inpaint", missing=painted, channels=channels, block=True
    )
    for restored, channel, missing in zip(run.layer.data, stained, (hole, hole[::-1]), strict=True):
        assert (restored[missing] != channel[missing].astype(np.float32)).mean() > 0.9
        np.testing.assert_allclose(restored[~missing], channel[~missing], rtol=1e-5)
    three = viewer.add_labels(np.stack([hole] * 3).astype(int))
    with pytest.raises(ValueError, match="have 3 channels, but image"):
        restore_layer(viewer, source, task="inpaint", missing=three, channels=channels)


def test_a_new_mask_is_visible_on_all_channels(
    viewer: Any, stained: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(
        np.stack([stained] * 3), name="cells", axis_labels=("t", "c", "y", "x"), scale=(1, 2, 1, 1)
    )
    widget = open_panel(viewer, "Inpaint")
    viewer.dims.set_current_step(0, 1)
    widget.new_mask.native.click()
    mask = widget.missing.value
    mask.data[..., 5:9, 5:9] = 1
    mask.refresh()
    assert mask.world_to_data((1, 0, 0, 0))[0] == 0
    for channel in (0, 1):
        viewer.dims.set_current_step(1, channel)
        assert mask.get_value((1, 2 * channel, 6, 6), world=True) == 1
    widget.run.native.click()
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert widget.status.value.startswith("Done"), widget.status.value
    restored = viewer.layers["cells inpainted"].data
    assert restored.shape == (1, 2, 24, 28)
    assert (restored[0, :, 5:9, 5:9] != stained[:, 5:9, 5:9].astype(np.float32)).all()


def test_the_widget_takes_the_roles_from_the_labels_and_lets_them_be_changed(
    viewer: Any, stained: np.ndarray, qtbot: Any
) -> None:
    flat = viewer.add_image(stained[0], name="plane")
    plain = viewer.add_image(stained, name="plain")
    labeled = viewer.add_image(
        np.stack([stained, stained]), name="labeled", axis_labels=("t", "c", "y", "x")
    )
    colors = viewer.add_image(np.zeros((4, 24, 28, 3), np.uint8), rgb=True)
    widget = open_panel(viewer, "Denoise")
    for layer in (flat, colors):
        widget.image.value = layer
        assert not widget.channels.native.isVisibleTo(widget.native)
    widget.image.value = labeled
    assert widget.channels.native.isVisibleTo(widget.native)
    assert widget.channels.choices == ("no channel axis", "axis 0 (t)", "axis 1 (c)")
    assert widget.channels.value == "axis 1 (c)"
    assert widget.planes.native.isVisibleTo(widget.native)
    widget.image.value = plain
    assert widget.channels.choices == ("no channel axis", "axis 0")
    assert widget.channels.value == "no channel axis"
    assert not widget.together.enabled
    plain.axis_labels = ("C", "y", "x")
    assert widget.channels.value == "axis 0 (C)"
    assert not widget.planes.native.isVisibleTo(widget.native)
    widget.channels.value = "no channel axis"
    assert widget.planes.native.isVisibleTo(widget.native)
    widget.channels.value, widget.together.value = "axis 0 (C)", "separately"
    widget.run.native.click()
    qtbot.waitUntil(lambda: "Channel 1 (2 of 2)" in widget.status.value, timeout=30000)
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert widget.status.value.startswith("Done: 2 of 2 channels.\nchannel 0: noise of ")


def test_results_examines_all_channels_of_one_fit(
    viewer: Any, stained: np.ndarray, qtbot: Any
) -> None:
    source = viewer.add_image(
        np.stack([stained, stained + 9]), name="cells", axis_labels=("t", "c", "y", "x")
    )
    viewer.dims.set_current_step(0, 1)
    run = restore_layer(viewer, source, block=True, **SAME)
    task, plane = source_plane(viewer, run.layer)
    np.testing.assert_array_equal(plane.values, stained + 9)
    assert task.channel_axis == 0
    assert (
        result_plane(viewer, run.layer).values.shape
        == truth_plane(viewer, result_plane(viewer, run.layer), source).values.shape
    )
    widget = open_panel(viewer, "Results")
    widget.result.value, widget.truth.value = run.layer, source
    widget.measure.native.click()
    assert "PSNR" in widget.status.value
    widget.residual.native.click()
    residual = viewer.layers["cells residual"]
    np.testing.assert_allclose(residual.data[0], stained + 9 - run.layer.data[0], atol=1e-3)
    widget.seeds.value = 2
    widget.uncertainty.native.click()
    qtbot.waitUntil(lambda: "cells uncertainty" in viewer.layers, timeout=30000)
    assert viewer.layers["cells uncertainty"].data.shape == (1, 2, 24, 28)
    viewer.dims.set_current_step(0, 0)
    again = run_again(viewer, run.layer)
    again.wait(60)
    np.testing.assert_array_equal(again.layer.data, run.layer.data)


@pytest.mark.parametrize("channels", ["jointly", "separately"])
def test_a_saved_result_opens_with_its_channels_at_its_position(
    viewer: Any, stained: np.ndarray, tmp_path: Any, channels: str
) -> None:
    source = viewer.add_image(
        stained[None], axis_labels=("t", "c", "y", "x"), scale=(1, 2, 0.5, 0.5), units=["um"] * 4
    )
    run = restore_layer(viewer, source, channels=channels, block=True)
    path = str(tmp_path / "cells.dip.ome.tif")
    write_layer(path, *run.layer.as_layer_data_tuple()[:2])
    with tifffile.TiffFile(path) as tiff:
        assert tiff.series[0].axes == "CYX"
    ((data, options, _kind),) = read_layer(path)
    opened = viewer.add_image(data, **options)
    np.testing.assert_array_equal(opened.data, run.layer.data)
    lies_on(opened, run.layer)
    made = run.layer.metadata["deep_image_prior"]
    assert opened.metadata["deep_image_prior"] == json.loads(json.dumps(made))
    series = viewer.add_image(np.concatenate([stained[None]] * 2), axis_labels=("t", "c", "y", "x"))
    all_times = restore_layer(viewer, series, channels=channels, planes="all", block=True)
    write_layer(path, *all_times.layer.as_layer_data_tuple()[:2])
    with tifffile.TiffFile(path) as tiff:
        assert tiff.series[0].axes == "TCYX"
    ((data, _options, _kind),) = read_layer(path)
    np.testing.assert_array_equal(data, all_times.layer.data)


def test_an_animation_shows_the_displayed_channel(
    viewer: Any, stained: np.ndarray, tmp_path: Any
) -> None:
    run = restore_layer(viewer, viewer.add_image(stained, axis_labels=("c", "y", "x")), block=True)
    run.write_animation(tmp_path / "channel.gif")
    assert (tmp_path / "channel.gif").read_bytes().startswith(b"GIF")


def test_all_channels_are_enlarged_and_estimated_from_the_widget(
    viewer: Any, stained: np.ndarray, qtbot: Any
) -> None:
    viewer.add_image(stained, name="cells", axis_labels=("c", "y", "x"))
    widget = open_panel(viewer, "Super-resolve")
    widget.factor.value = 2
    widget.estimate.native.click()
    qtbot.waitUntil(lambda: widget.status.value.startswith("At most about"), timeout=30000)
    widget.run.native.click()
    first = viewer.layers["cells super-resolved"].data
    np.testing.assert_array_equal(first[:, ::2, ::2], stained.astype(np.float32))
    qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
    assert viewer.layers["cells super-resolved"].data.shape == (2, 48, 56)


def test_the_labels_of_a_panel_are_equally_wide_in_the_displayed_font(
    make_napari_viewer: Any, stained: np.ndarray, qtbot: Any
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(stained, axis_labels=("c", "y", "x"))
    inpaint = open_panel(viewer, "Inpaint")
    shown = {
        inpaint: ("image", "missing", "channel_controls", "preset"),
        open_panel(viewer, "Results"): ("result", "truth", "uncertainty_row"),
    }
    for widget, names in shown.items():
        natives = [getattr(widget, name).native for name in names]

        def lefts(panel: Any = widget.native, natives: Any = natives) -> set[int]:
            return {native.mapTo(panel, native.rect().topLeft()).x() for native in natives}

        qtbot.waitUntil(lambda lefts=lefts: len(lefts()) == 1, timeout=5000)
    inpaint.more_toggle.native.click()
    options = [inpaint.device.native, inpaint.seed.native, inpaint.snapshot_memory.native]
    qtbot.waitUntil(lambda: len({native.x() for native in options}) == 1, timeout=5000)
