"""Planes and channels restored in sequence, without a window."""

import gc
import json
from collections.abc import Callable
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
import torch

from napari_deep_image_prior import (
    CompactNetwork,
    DeepImagePriorFit,
    Denoise,
    Inpaint,
    InpaintingFit,
    RestorationError,
    SuperResolve,
    repeat,
    restore,
)
from napari_deep_image_prior.arrays import selection
from napari_deep_image_prior.methods.inpainting.restorer import InpaintingRestorer
from napari_deep_image_prior.restoration.script import script
from napari_deep_image_prior.restoration.stack import StackPart, StackSteps
from tests.conftest import QUICK

TWO_STEPS = DeepImagePriorFit(iterations=2)


def test_planes_with_channels_are_restored_in_place_and_the_others_stay(
    picture: np.ndarray,
) -> None:
    series = np.stack(
        [np.stack([picture, picture + 50, picture - 20]), np.stack([picture] * 3)]
    )  # C, T, Y, X
    tasks = [(t, Denoise(series[:, t], channel_axis=0)) for t in (0, 2)]
    planes = [((None, t), lambda task=task: task) for t, task in tasks]
    steps = StackSteps(planes, series.astype(np.float32), {"settings": TWO_STEPS}, called="time")
    notes = [step.note for step in steps]
    assert notes[0].startswith("time 0 (1 of 2)")
    assert steps.result.stop_reason == notes[-1] == "2 of 2 times done"
    assert [plane["index"] for plane in steps.result.provenance["planes"]] == [[None, 0], [None, 2]]
    for t, task in tasks:
        np.testing.assert_array_equal(steps.image[:, t], restore(task, settings=TWO_STEPS).image)
    np.testing.assert_array_equal(steps.image[:, 1], series[:, 1].astype(np.float32))


def test_a_stack_is_as_precise_as_its_plane_with_the_largest_offset(picture: np.ndarray) -> None:
    series = np.stack([picture, picture + 1e12])
    parts = [
        StackPart((number,), lambda plane=plane: (plane, Denoise(plane)))
        for number, plane in enumerate(series)
    ]
    steps = StackSteps.of((2,), parts, {"settings": TWO_STEPS})
    for _step in steps:
        pass
    assert steps.result.image.dtype == steps.dtype == np.float64
    assert np.ptp(steps.result.image[1]) > 20


class _Store:
    """What a chunked store offers: a shape, a dtype, and access by index."""

    def __init__(self, content: np.ndarray) -> None:
        self._content, self.written = content, 0
        self.shape, self.dtype, self.ndim = content.shape, content.dtype, content.ndim

    def __getitem__(self, index: object) -> np.ndarray:
        return self._content[index].copy()

    def __setitem__(self, index: tuple[int | slice, ...], values: np.ndarray) -> None:
        self._content[index] = values
        self.written += 1


@pytest.mark.parametrize("kind", ["store", "memmap"])
def test_planes_are_restored_into_a_store(picture: np.ndarray, tmp_path: Path, kind: str) -> None:
    series = np.stack([picture, picture + 50, picture - 20]).astype(np.float32)
    if kind == "store":
        destination = _Store(series.copy())
    else:
        destination = np.memmap(tmp_path / "out", np.float32, "w+", shape=series.shape)
        destination[:] = series
    planes = [((t,), lambda t=t: Denoise(series[t])) for t in (0, 2)]
    steps = StackSteps(planes, destination, {"settings": TWO_STEPS})
    assert steps.initial_image is destination
    for step in steps:
        assert step.image is None or step.image is destination
    assert steps.result.image is destination
    assert steps.result.provenance["stack_shape"] == list(series.shape)
    for t in (0, 2):
        expected = restore(Denoise(series[t]), settings=TWO_STEPS).image
        np.testing.assert_array_equal(destination[t], expected)
    np.testing.assert_array_equal(destination[1], series[1])
    if isinstance(destination, _Store):
        assert destination.written >= 2
    else:
        destination.flush()
        stored = np.fromfile(tmp_path / "out", np.float32).reshape(series.shape)
        np.testing.assert_array_equal(stored, steps.result.image)


def test_the_script_of_a_plane_with_channels_loads_all_of_them(picture: np.ndarray) -> None:
    made = restore(
        Denoise(np.stack([picture, picture]), channel_axis=0), settings=TWO_STEPS
    ).provenance
    source = {"layer": "cells", "plane": [3, None], "path": "cells.tif", "rgb": False}
    assert "image = tifffile.imread('cells.tif')[3, :]\n" in script({**made, "source": source})
    assert "layer 'cells', plane 3, all" in script({**made, "source": {**source, "path": None}})


def _holed(series: np.ndarray, hole: np.ndarray, **options: object) -> StackSteps:
    places = np.ndindex(series.shape[:-2])
    planes = [(index, lambda index=index: Inpaint(series[index], missing=hole)) for index in places]
    return StackSteps(planes, series.astype(np.float32), {"settings": QUICK["inpaint"]}, **options)


def test_each_plane_to_inpaint_starts_from_the_one_before_in_a_quarter_of_the_steps(
    picture: np.ndarray, hole: np.ndarray
) -> None:
    series = np.stack([picture, picture + 3, picture + 6])
    cold, warm = _holed(series, hole), _holed(series, hole, warm_start=True)
    reports = [(step.iteration, step.total) for step in warm]
    list(cold)
    assert reports == sorted(reports)
    assert len({total for _, total in reports[:-1]}) == 1
    assert [made["iterations"] for made in warm.result.provenance["planes"]] == [40, 10, 10]
    assert [made["iterations"] for made in cold.result.provenance["planes"]] == [40, 40, 40]
    np.testing.assert_array_equal(warm.image[0], cold.image[0])
    assert warm.result.history[40:50] != cold.result.history[40:50], "started from another network"
    assert ["warm_start" in made for made in warm.result.provenance["planes"]] == [
        False,
        True,
        True,
    ]
    again = _holed(series, hole, warm_start=True)
    list(again)
    np.testing.assert_array_equal(again.image, warm.image)


def test_channels_restored_one_by_one_start_from_the_same_channel(
    picture: np.ndarray, hole: np.ndarray
) -> None:
    series = np.stack(
        [np.stack([picture, 255 - picture]), np.stack([picture + 3, 250 - picture])]
    )  # Z, C, Y, X
    steps = _holed(series, hole, warm_start=True, channel_axis=1)
    list(steps)
    assert [made["iterations"] for made in steps.result.provenance["planes"]] == [40, 40, 10, 10]
    alone = _holed(series[:, 1], hole, warm_start=True)
    list(alone)
    np.testing.assert_array_equal(steps.image[:, 1], alone.image)


def test_a_stop_in_the_first_plane_leaves_the_others_as_they_were(
    picture: np.ndarray, hole: np.ndarray
) -> None:
    series = np.stack([picture, picture + 3])
    steps = _holed(series, hole, warm_start=True)
    next(steps)
    steps.stop()
    list(steps)
    assert "stopped by the user in plane 0 (1 of 2), at step " in steps.result.stop_reason
    np.testing.assert_array_equal(steps.image[1], series[1].astype(np.float32))
    with pytest.raises(ValueError, match="it is a stack, and was stopped"):
        repeat(steps.result.provenance, series)


def test_a_stopped_stack_counts_the_steps_of_the_network_alone(picture: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 9, (2, *picture.shape))
    planes = [((z,), lambda z=z: Denoise(noise[z] + picture)) for z in range(2)]
    steps = StackSteps(planes, np.zeros(noise.shape), {"settings": QUICK["denoise"]})
    notes = []
    for step in steps:
        notes.append(step.note)
        if step.fitted == 3:
            steps.stop()
    assert steps.result.stop_reason == "stopped by the user in plane 0 (1 of 2), at step 3"
    assert not [note for note in notes if note.endswith(": ") or ": ;" in note]


def test_the_time_left_of_a_stopped_stack_is_that_of_its_plane(picture: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 9, (9, *picture.shape))
    planes = [((z,), lambda z=z: Denoise(noise[z] + picture)) for z in range(9)]
    steps = StackSteps(planes, np.zeros(noise.shape), {"settings": QUICK["denoise"]})
    before = after = 0.0
    for step in steps:
        if step.fitted < 8:
            before = step.seconds_left or before
        else:
            steps.stop()
            after = max(after, step.seconds_left or 0.0) if step.stage == "finishing" else after
    assert 0 < after < before / 3


def test_an_intermediate_stack_is_not_repeated(picture: np.ndarray, hole: np.ndarray) -> None:
    series = np.stack([picture, picture + 3])
    steps = _holed(series, hole)
    next(steps)
    with pytest.raises(ValueError, match="it shows a fit before its end"):
        repeat(steps.provenance("looked at"), series)
    list(steps)
    assert "snapshot" not in steps.result.provenance


@pytest.mark.parametrize("kind", ["denoise", "inpaint", "super-resolve"])
@pytest.mark.parametrize("joint", [False, True])
def test_a_stack_is_repeated_from_its_provenance(
    picture: np.ndarray, hole: np.ndarray, kind: str, joint: bool
) -> None:
    rng = np.random.default_rng(0)
    series = np.stack(
        [np.stack([picture, picture[::-1]]), 255 - np.stack([picture, picture])]
    )  # Z, C, Y, X
    parts = []
    for index in [(z, None) for z in range(2)] if joint else list(np.ndindex(2, 2)):
        pixels = series[selection(index)]
        options = {"channel_axis": 0 if joint else None}
        mask = (hole, hole[::-1])[index[0]] & (rng.random(hole.shape) < 0.9)
        task = {
            "denoise": lambda: Denoise(pixels, noise="gaussian", strength=0.7, **options),  # noqa: B023
            "inpaint": lambda: Inpaint(pixels, missing=mask, **options),  # noqa: B023
            "super-resolve": lambda: SuperResolve(pixels, factor=(2, 3), **options),  # noqa: B023
        }[kind]()
        parts.append(StackPart(index, lambda pixels=pixels, task=task: (pixels, task)))
    if kind != "super-resolve":
        parts[-1] = StackPart(index, lambda pixels=pixels: (pixels, None))  # stays unchanged
    options = {"settings": QUICK[kind], "seed": 4, "threads": 1}
    first = StackSteps.of(
        (2, 2), parts, options, warm_start=True, channel_axis=None if joint else 1
    )
    list(first)
    made = json.loads(json.dumps(first.result.provenance))
    again = repeat(made, series)
    np.testing.assert_array_equal(again.image, first.image)
    with pytest.raises(ValueError, match="another image"):
        repeat(made, series + 1)
    with pytest.raises(ValueError, match="another stack"):
        repeat(made, series[:1])


@pytest.fixture
def partly_failing(
    picture: np.ndarray, hole: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> Callable[[tuple[bool, ...]], StackSteps]:
    """Make a stack with planes that cannot be fitted, because their networks diverge."""
    made = InpaintingRestorer.for_task
    cannot_start = InpaintingFit(
        CompactNetwork(widths=(16, 16), depth=1), iterations=40, crop=48, learning_rate=1e38
    )

    def stack(fits: tuple[bool, ...]) -> StackSteps:
        series = np.stack([picture + place for place in range(len(fits))])
        failing = [series[place].tobytes() for place, fit in enumerate(fits) if not fit]

        def for_task(
            task: Inpaint, settings: InpaintingFit, device: torch.device, seed: int
        ) -> InpaintingRestorer:
            fails = np.asarray(task.image).tobytes() in failing
            return made(task, cannot_start if fails else settings, device, seed)

        monkeypatch.setattr(InpaintingRestorer, "for_task", for_task)
        planes = [
            ((place,), lambda plane=plane: Inpaint(plane, missing=hole))
            for place, plane in enumerate(series)
        ]
        return StackSteps(
            planes, series.astype(np.float32), {"settings": QUICK["inpaint"]}, warm_start=True
        )

    return stack


def test_a_plane_that_fails_stays_as_it_was_and_the_others_are_restored(
    picture: np.ndarray, hole: np.ndarray, partly_failing: Callable[..., StackSteps]
) -> None:
    steps = partly_failing((True, False, True))
    reports = [(step.iteration, step.total) for step in steps]
    assert reports == sorted(reports)
    assert steps.result.stop_reason.startswith(
        "2 of 3 planes done; fit failed, left unrestored: plane 1, the fit"
    )
    assert [made["index"] for made in steps.result.provenance["planes"]] == [[0], [2]]
    assert [made["index"] for made in steps.result.provenance["failed"]] == [[1]]
    assert "warm_start" in steps.result.provenance["planes"][1]
    np.testing.assert_array_equal(steps.image[1][~hole], (picture + 1)[~hole].astype(np.float32))
    for place in (0, 2):
        assert (steps.image[place] != picture + place).any()


def test_a_stack_whose_planes_all_fail_is_an_error_after_three_of_them(
    partly_failing: Callable[..., StackSteps],
) -> None:
    for count, tried in ((2, 2), (5, 3)):
        steps = partly_failing((False,) * count)
        with pytest.raises(RestorationError, match="learning rate"):
            list(steps)
        assert len(steps._failed) == tried


def test_a_plane_that_fails_first_is_reported_frees_its_memory_and_is_not_repeated(
    picture: np.ndarray, partly_failing: Callable[..., StackSteps], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    steps = partly_failing((False, True))
    make = InpaintingRestorer.for_task

    def noted(*asked: object) -> InpaintingRestorer:
        restorer = make(*asked)
        made.append(ref(restorer))
        return restorer

    monkeypatch.setattr(InpaintingRestorer, "for_task", noted)
    notes = [step.note for step in steps]
    assert any(note.startswith("plane 1 (2 of 2), 1 failed: ") for note in notes)
    gc.collect()
    assert [restorer() for restorer in made] == [None, None]
    with pytest.raises(ValueError, match="fits of some of its planes failed"):
        repeat(steps.result.provenance, np.stack([picture, picture + 1]))
