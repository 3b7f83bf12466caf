"""Planes and channels restored one after another, without a window."""

import gc
import json
from weakref import ref

import numpy as np
import pytest

from napari_deep_image_prior import (
    Denoise,
    Inpaint,
    LeanSettings,
    MaskedFit,
    PriorFit,
    RestorationError,
    SuperResolve,
    iter_restore,
    repeat,
    restore,
)
from napari_deep_image_prior import steps as steps_module
from napari_deep_image_prior.arrays import selection
from napari_deep_image_prior.repetition import script
from napari_deep_image_prior.stack import StackSteps

from .conftest import QUICK

TWO_STEPS = PriorFit(iterations=2)


def test_a_plane_lies_where_its_index_says_with_all_of_an_axis_where_that_is_none() -> None:
    image = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(image[selection((None, 1))], image[:, 1])
    np.testing.assert_array_equal(image[selection((1, 2))], image[1, 2])


def test_planes_with_channels_fill_their_places_and_the_others_stay(picture: np.ndarray) -> None:
    series = np.stack([np.stack([picture, picture + 50, picture - 20]), np.stack([picture] * 3)])  # C, T, Y, X
    tasks = [(t, Denoise(series[:, t], channel_axis=0)) for t in (0, 2)]
    planes = [((None, t), iter_restore(task, settings=TWO_STEPS)) for t, task in tasks]
    steps = StackSteps(series.astype(np.float32), planes, called="time")
    notes = [step.note for step in steps]
    assert notes[0].startswith("time 1 of 2")
    assert steps.result.stop_reason == notes[-1] == "2 of 2 times done"
    assert [plane["index"] for plane in steps.result.provenance["planes"]] == [[None, 0], [None, 2]]
    for t, task in tasks:
        np.testing.assert_array_equal(steps.image[:, t], restore(task, settings=TWO_STEPS).image)
    np.testing.assert_array_equal(steps.image[:, 1], series[:, 1].astype(np.float32))


def test_the_script_of_a_plane_with_channels_takes_all_of_them(picture: np.ndarray) -> None:
    made = restore(Denoise(np.stack([picture, picture]), channel_axis=0), settings=TWO_STEPS).provenance
    source = {"layer": "cells", "plane": [3, None], "path": "cells.tif", "rgb": False}
    assert "image = tifffile.imread('cells.tif')[3, :]\n" in script({**made, "source": source})
    assert "layer 'cells', plane 3, all" in script({**made, "source": {**source, "path": None}})


def _holed(series: np.ndarray, hole: np.ndarray, **options: object) -> StackSteps:
    planes = [(index, Inpaint(series[index], missing=hole)) for index in np.ndindex(series.shape[:-2])]
    return StackSteps(
        series.astype(np.float32),
        [(index, iter_restore(task, settings=QUICK["inpaint"])) for index, task in planes],
        **options,
    )


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
    assert warm.result.history[40:50] != cold.result.history[40:50], "begun with another network"
    assert ["warm_start" in made for made in warm.result.provenance["planes"]] == [False, True, True]
    again = _holed(series, hole, warm_start=True)
    list(again)
    np.testing.assert_array_equal(again.image, warm.image)


def test_channels_restored_one_by_one_start_from_the_same_channel(picture: np.ndarray, hole: np.ndarray) -> None:
    series = np.stack([np.stack([picture, 255 - picture]), np.stack([picture + 3, 250 - picture])])  # Z, C, Y, X
    steps = _holed(series, hole, warm_start=True, channel_axis=1)
    list(steps)
    assert [made["iterations"] for made in steps.result.provenance["planes"]] == [40, 40, 10, 10]
    alone = _holed(series[:, 1], hole, warm_start=True)
    list(alone)
    np.testing.assert_array_equal(steps.image[:, 1], alone.image)


def test_a_stop_in_the_first_plane_leaves_the_others_as_they_were(picture: np.ndarray, hole: np.ndarray) -> None:
    series = np.stack([picture, picture + 3])
    steps = _holed(series, hole, warm_start=True)
    next(steps)
    steps.stop()
    list(steps)
    assert "stopped by the user in plane 1 of 2" in steps.result.stop_reason
    np.testing.assert_array_equal(steps.image[1], series[1].astype(np.float32))
    with pytest.raises(ValueError, match="it is a stack, and was stopped"):
        repeat(steps.result.provenance, series)


def test_a_stack_as_it_was_on_the_way_is_not_made_again(picture: np.ndarray, hole: np.ndarray) -> None:
    series = np.stack([picture, picture + 3])
    steps = _holed(series, hole)
    next(steps)
    with pytest.raises(ValueError, match="it shows a fit before its end"):
        repeat(steps.provenance("looked at"), series)
    list(steps)
    assert "snapshot" not in steps.result.provenance


@pytest.mark.parametrize("kind", ["denoise", "inpaint", "super-resolve"])
@pytest.mark.parametrize("joint", [False, True])
def test_a_stack_is_made_again_from_its_provenance(
    picture: np.ndarray, hole: np.ndarray, kind: str, joint: bool
) -> None:
    rng = np.random.default_rng(0)
    series = np.stack([np.stack([picture, picture[::-1]]), 255 - np.stack([picture, picture])])  # Z, C, Y, X
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
        parts.append((index, pixels, iter_restore(task, settings=QUICK[kind], seed=4, threads=1)))
    if kind != "super-resolve":
        parts[-1] = (*parts[-1][:2], None)  # stays as it is
    first = StackSteps.of((2, 2), parts, warm_start=True, channel_axis=None if joint else 1)
    list(first)
    made = json.loads(json.dumps(first.result.provenance))
    again = repeat(made, series)
    np.testing.assert_array_equal(again.image, first.image)
    with pytest.raises(ValueError, match="another image"):
        repeat(made, series + 1)
    with pytest.raises(ValueError, match="another stack"):
        repeat(made, series[:1])


def _partly_failing(picture: np.ndarray, hole: np.ndarray, fits: tuple[bool, ...]) -> StackSteps:
    series = np.stack([picture + place for place in range(len(fits))])
    cannot_start = MaskedFit(LeanSettings(widths=(16, 16), depth=1), iterations=40, crop=48, learning_rate=1e38)
    planes = [
        ((place,), iter_restore(Inpaint(plane, missing=hole), settings=QUICK["inpaint"] if fit else cannot_start))
        for place, (plane, fit) in enumerate(zip(series, fits, strict=True))
    ]
    return StackSteps(series.astype(np.float32), planes, warm_start=True)


def test_a_plane_that_fails_stays_as_it_was_and_the_others_are_restored(picture: np.ndarray, hole: np.ndarray) -> None:
    steps = _partly_failing(picture, hole, (True, False, True))
    reports = [(step.iteration, step.total) for step in steps]
    assert reports == sorted(reports)
    assert steps.result.stop_reason.startswith("2 of 3 planes done; left as given, as the fit failed: plane 1, the fit")
    assert [made["index"] for made in steps.result.provenance["planes"]] == [[0], [2]]
    assert [made["index"] for made in steps.result.provenance["failed"]] == [[1]]
    assert "warm_start" in steps.result.provenance["planes"][1]
    np.testing.assert_array_equal(steps.image[1][~hole], (picture + 1)[~hole].astype(np.float32))
    for place in (0, 2):
        assert (steps.image[place] != picture + place).any()


def test_a_stack_whose_planes_all_fail_is_an_error_after_three_of_them(picture: np.ndarray, hole: np.ndarray) -> None:
    for count, tried in ((2, 2), (5, 3)):
        steps = _partly_failing(picture, hole, (False,) * count)
        with pytest.raises(RestorationError, match="learning rate"):
            list(steps)
        assert len(steps._failed) == tried


def test_a_plane_that_fails_first_is_told_frees_its_memory_and_is_not_made_again(
    picture: np.ndarray, hole: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    choose = steps_module.choose_restorer
    monkeypatch.setattr(
        steps_module, "choose_restorer", lambda *asked: (restorer := choose(*asked), made.append(ref(restorer)))[0]
    )
    steps = _partly_failing(picture, hole, (False, True))
    notes = [step.note for step in steps]
    assert any(note.startswith("plane 2 of 2 (1 failed): ") for note in notes)
    gc.collect()
    assert [restorer() for restorer in made] == [None, None]
    with pytest.raises(ValueError, match="fits of some of its planes failed"):
        repeat(steps.result.provenance, np.stack([picture, picture + 1]))
