"""The snapshots of a fit; needs no window."""

import numpy as np
import pytest

from napari_deep_image_prior._napari.jobs.history import History
from napari_deep_image_prior._napari.layers.result import Snapshot


def _filled(count: int, limit: int) -> History:
    history = History(limit)
    for iteration in range(count):
        history.add(Snapshot(np.full(100, iteration % 256, dtype=np.uint8), iteration))
    return history


def _iterations(history: History) -> list[int]:
    return [snapshot.iteration for snapshot in history]


def test_all_snapshots_are_kept_within_the_limit() -> None:
    history = _filled(10, 1000)
    assert _iterations(history) == list(range(10))
    assert history.nbytes == 1000


@pytest.mark.parametrize("count", [11, 20, 21, 100, 1000])
def test_a_full_history_is_thinned_evenly_and_keeps_first_and_newest(count: int) -> None:
    history = _filled(count, 1000)
    assert history.nbytes <= 1000
    assert len(history) >= 5, "no more is dropped than needed"
    kept = _iterations(history)
    assert kept[0] == 0
    assert kept[-1] == count - 1
    gaps = np.diff(kept)
    assert len(set(gaps[:-1])) == 1, "evenly"
    assert gaps[-1] <= gaps[0]
    assert all((snapshot.image == snapshot.iteration % 256).all() for snapshot in history)


def test_a_lower_limit_thins_at_once_and_a_higher_one_allows_more() -> None:
    history = _filled(40, 10**6)
    history.limit = 1000
    assert _iterations(history) == [0, 8, 16, 24, 32, 39]
    history.limit = 10**6
    before = len(history)
    for iteration in range(40, 140):
        history.add(Snapshot(np.zeros(100, dtype=np.uint8), iteration))
    assert len(history) > before


@pytest.mark.parametrize(("limit", "kept"), [(250, [0, 9]), (199, [9]), (0, [9])])
def test_the_newest_stays_however_low_the_limit(limit: int, kept: list[int]) -> None:
    assert _iterations(_filled(10, limit)) == kept


def test_later_steps_are_forgotten_and_added_again() -> None:
    history = _filled(40, 1000)
    history.forget_from(20)
    assert _iterations(history) == [0, 8, 16]
    history.add(Snapshot(np.zeros(100, dtype=np.uint8), 24))
    assert _iterations(history)[-1] == 24


def test_a_cleared_history_starts_over() -> None:
    history = _filled(100, 1000)
    history.clear()
    assert len(history) == history.nbytes == 0
    for iteration in range(5):
        history.add(Snapshot(np.zeros(100, dtype=np.uint8), iteration))
    assert _iterations(history) == [0, 1, 2, 3, 4]
