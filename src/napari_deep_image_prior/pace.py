"""How long a restoration will still take."""

from __future__ import annotations

import time
from collections import deque


class Clock:
    """Estimates the time left from the pace of the last steps; does not count while the consumer has the step."""

    def __init__(self) -> None:
        self._working = 0.0
        self._since = time.perf_counter()
        self._marks: deque[tuple[float, int]] = deque(maxlen=100)

    def seconds_left(self, iteration: int, total: int) -> float | None:
        """Return the time to the end, None before there is a pace."""
        self._marks.append((self._working + time.perf_counter() - self._since, iteration))
        (then, first), (now, _) = self._marks[0], self._marks[-1]
        return None if iteration <= first else (now - then) / (iteration - first) * (total - iteration)

    def wait(self) -> None:
        """Hold the clock."""
        self._working += time.perf_counter() - self._since

    def go_on(self) -> None:
        """Let the clock go on."""
        self._since = time.perf_counter()
