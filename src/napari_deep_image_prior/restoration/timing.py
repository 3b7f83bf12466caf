"""Elapsed and remaining time of a restoration."""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ASSUMED = 20
"""Units of work that an assumed rate counts for, once the rate is measured."""


class Clock:
    """Predicts the remaining time from the duration of the last steps of each stage.

    Time that the consumer spends between steps does not count.
    """

    def __init__(self) -> None:
        self._worked, self._since = 0.0, math.nan
        self._start = 0.0
        self._marks: dict[str, deque[tuple[float, float]]] = {}
        self.assumed_rates: dict[str, float] = {}
        """Seconds for a unit of work of stages that have not begun."""

    @property
    def seconds(self) -> float:
        """Time spent in the steps so far, including the current one."""
        since = self._since  # read once: other threads may call this
        return self._worked if math.isnan(since) else self._worked + time.perf_counter() - since

    @property
    def seconds_since_start(self) -> float:
        """Time spent since the last `restart`."""
        return self.seconds - self._start

    def restart(self) -> None:
        """Forget the rates measured so far."""
        self._start = self.seconds
        self._marks.clear()

    def seconds_left(self, stage: str, work: Mapping[str, tuple[float, float]]) -> float | None:
        """Return the predicted seconds to the end, None if the rate of a stage is unknown.

        Parameters
        ----------
        stage : str
            The current stage.
        work : mapping
            Work done and left, by stage.
        """
        if stage in work:
            done = work[stage][0]
            marks = self._marks.setdefault(stage, deque(maxlen=100))
            if len(marks) == 1 and marks[0][1] == done:
                marks.clear()  # preparations: they say nothing of the rate
            marks.append((self.seconds, done))
        left = 0.0
        for name, (_, amount) in work.items():
            rate = self._rate(name) if amount else 0.0
            if rate is None:
                return None
            left += rate * amount
        return left

    def _rate(self, stage: str) -> float | None:
        """Return the seconds for a unit of work."""
        assumed = self.assumed_rates.get(stage)
        marks = self._marks.get(stage)
        if not marks or marks[-1][1] <= marks[0][1]:
            return assumed
        (then, first), (now, last) = marks[0], marks[-1]
        # the first units of a stage are slower: an assumed rate counts as a few measured ones
        seconds, units = (0.0, 0.0) if assumed is None else (assumed * ASSUMED, ASSUMED)
        return (seconds + now - then) / (units + last - first)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time in this context."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._worked, self._since = self.seconds, math.nan


def duration(seconds: float) -> str:
    """Return a duration as text: 40 s, 2.5 min, 12 min, 3.5 h, 2.1 days."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 10 * 60:
        return f"{round(seconds / 30) / 2:g} min"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def time_left(seconds: float | None) -> str:
    """Return ", about 40 s left"; empty if the time is unknown or below a second."""
    return "" if seconds is None or seconds < 1 else f", about {duration(seconds)} left"
