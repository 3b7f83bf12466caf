"""Elapsed and remaining time of a restoration."""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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
            marks = self._marks.setdefault(stage, deque(maxlen=100))
            marks.append((self.seconds, work[stage][0]))
        left = 0.0
        for name, (_, amount) in work.items():
            rate = self._rate(name) if amount else 0.0
            if rate is None:
                return None
            left += rate * amount
        return left

    def _rate(self, stage: str) -> float | None:
        """Return the seconds for a unit of work."""
        marks = self._marks.get(stage)
        if marks:
            (then, first), (now, last) = marks[0], marks[-1]
            if last > first:
                return (now - then) / (last - first)
        return self.assumed_rates.get(stage)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time in this context."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._worked, self._since = self.seconds, math.nan


def duration(seconds: float) -> str:
    """Return a duration as text: 40 s, 12 min, 3.5 h, 2.1 days."""
    for limit, unit, name in ((100, 1, "s"), (100 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.1f} h" if name == "h" else f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.1f} days"
