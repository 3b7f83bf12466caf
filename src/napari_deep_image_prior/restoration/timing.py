"""How long a restoration takes, and will still take."""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """Estimates the time left from the pace of the last steps; does not count while the consumer has the step."""

    def __init__(self) -> None:
        self._worked, self._since = 0.0, math.nan
        self._marks: deque[tuple[float, int]] = deque(maxlen=100)

    @property
    def seconds(self) -> float:
        """Time that went into the steps so far, the one under way included."""
        since = self._since  # read once: it may be asked in another thread
        return self._worked if math.isnan(since) else self._worked + time.perf_counter() - since

    def seconds_left(self, iteration: int, total: int) -> float | None:
        """Return the time to the end, None before there is a pace."""
        self._marks.append((self.seconds, iteration))
        (then, first), (now, _) = self._marks[0], self._marks[-1]
        return (
            None if iteration <= first else (now - then) / (iteration - first) * (total - iteration)
        )

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let the clock run."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._worked, self._since = self.seconds, math.nan


def duration(seconds: float) -> str:
    """Return a duration in words a person needs: 40 s, 12 min, 3.5 h, 2.1 days."""
    for limit, unit, name in ((100, 1, "s"), (100 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.1f} h" if name == "h" else f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.1f} days"
