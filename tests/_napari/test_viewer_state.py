"""The state of the plugin for a viewer and its layers, and when it is freed."""

import gc
from typing import Any
from weakref import ref

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from napari_deep_image_prior import Denoise, iter_restore, restore_layer
from napari_deep_image_prior._napari.actions.before_after import compare
from napari_deep_image_prior._napari.jobs.mask_follower import THROTTLE_MS
from napari_deep_image_prior._napari.jobs.queue import queue_of
from napari_deep_image_prior._napari.jobs.run import Run
from napari_deep_image_prior._napari.layers.plane import displayed_plane
from napari_deep_image_prior._napari.layers.provenance import METADATA, provenance_of
from napari_deep_image_prior._napari.viewer.side_by_side import comparison_in
from napari_deep_image_prior._napari.viewer.state import state_of
from tests.conftest import QUICK

pytestmark = [pytest.mark.usefixtures("_no_leftovers")]


def test_the_state_of_a_viewer_is_freed_with_it(picture: np.ndarray) -> None:
    viewer = ViewerModel()
    source = viewer.add_image(picture, name="cells")
    steps = iter_restore(Denoise(picture), settings=QUICK["denoise"])
    for _step in steps:
        pass
    run = Run(viewer, Denoise(picture), displayed_plane(viewer, source), steps)
    viewer.add_layer(run.layer)
    run.layer.metadata[METADATA] = {
        **steps.result.provenance,
        "source": {"layer": "cells", "plane": [], "path": None, "rgb": False},
    }
    queue_of(viewer).remember(run)
    assert (
        comparison_in(viewer).of("denoise") is None
    )  # while shown, napari's links hold the layers
    compare(viewer)
    kept = [ref(thing) for thing in (viewer, state_of(viewer), queue_of(viewer), run, source)]
    del viewer, source, run, steps, _step
    gc.collect()
    assert [reference() for reference in kept] == [None] * len(kept)


def test_each_viewer_has_one_state_of_its_own() -> None:
    first, second = ViewerModel(), ViewerModel()
    assert queue_of(first) is queue_of(first)
    assert queue_of(first) is not queue_of(second)


def _ours(layer: Layer) -> list[str]:
    """The attributes of a layer that hold objects of this package."""
    package = restore_layer.__module__.split(".", maxsplit=1)[0]
    return [name for name, value in vars(layer).items() if package in type(value).__module__]


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("task", ["denoise", "inpaint"])
def test_a_run_adds_no_attributes_to_layers(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, task: str
) -> None:
    source = viewer.add_image(picture, name="cells")
    labels = viewer.add_labels(hole.astype(int), name="holes")
    plain = {kind: set(vars(layer)) for kind, layer in ((Image, source), (Labels, labels))}
    missing = {"missing": labels} if task == "inpaint" else {}
    run = restore_layer(viewer, source, task=task, block=True, **missing)
    assert provenance_of(run.layer)["task"]["kind"] == task
    for layer in (source, labels, run.layer):
        assert set(vars(layer)) == plain[type(layer)], layer.name
        assert _ours(layer) == [], layer.name


@pytest.fixture
def repainted(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The masks that fits receive while they run."""
    masks: list[np.ndarray] = []
    monkeypatch.setattr(
        "napari_deep_image_prior.restoration.steps.Steps.repaint",
        lambda _steps, missing: masks.append(missing),
    )
    return masks


@pytest.mark.usefixtures("endless_presets")
def test_a_brush_stroke_changes_the_mask_of_a_fit_once(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any, repainted: list[np.ndarray]
) -> None:
    labels = viewer.add_labels(hole.astype(int))
    run = restore_layer(viewer, viewer.add_image(picture), task="inpaint", missing=labels)
    for column in range(12, 20):
        labels.data_setitem((np.array([2]), np.array([column])), 1)
    qtbot.waitUntil(lambda: len(repainted) > 0, timeout=5000)
    qtbot.wait(2 * THROTTLE_MS)
    assert len(repainted) == 1
    np.testing.assert_array_equal(repainted[0], labels.data != 0)
    run.cancel()


@pytest.mark.usefixtures("endless_presets")
def test_pixels_painted_just_before_the_viewer_closes_are_ignored(
    make_napari_viewer: Any,
    picture: np.ndarray,
    hole: np.ndarray,
    qtbot: Any,
    repainted: list[np.ndarray],
) -> None:
    viewer = make_napari_viewer()
    labels = viewer.add_labels(hole.astype(int))
    run = restore_layer(viewer, viewer.add_image(picture), task="inpaint", missing=labels)
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    labels.data_setitem((np.array([2]), np.array([15])), 1)
    viewer.close()
    qtbot.wait(2 * THROTTLE_MS)
    assert repainted == []
    qtbot.waitUntil(lambda: not run.is_active, timeout=30000)
