"""Elapsed and remaining time of a restoration."""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """Predicts the remaining time from the duration of the last steps.

    Time that the consumer spends between steps does not count.
    """

    def __init__(self) -> None:
        self._worked, self._since = 0.0, math.nan
        self._marks: deque[tuple[float, int]] = deque(maxlen=100)

    @property
    def seconds(self) -> float:
        """Time spent in the steps so far, including the current one."""
        since = self._since  # read once: other threads may call this
        return self._worked if math.isnan(since) else self._worked + time.perf_counter() - since

    def seconds_left(self, iteration: int, total: int) -> float | None:
        """Return the predicted seconds to the end, None before two steps."""
        self._marks.append((self.seconds, iteration))
        (then, first), (now, _) = self._marks[0], self._marks[-1]
        return (
            None if iteration <= first else (now - then) / (iteration - first) * (total - iteration)
        )

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
