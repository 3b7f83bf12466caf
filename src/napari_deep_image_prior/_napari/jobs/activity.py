"""A job in napari's activity dock, and a notification at the end of a long one."""

from __future__ import annotations

import time
from io import StringIO
from typing import TYPE_CHECKING

from napari.utils import progress
from napari.utils.notifications import show_info

from ...restoration.timing import duration

if TYPE_CHECKING:
    from .base import State

LONG = 60.0
"""Seconds after which the end of a job is worth a notification."""
TOTAL = 100
"""Maximum of the bar."""


class Activity:
    """The bar of one job; all methods are called in the main thread."""

    def __init__(self) -> None:
        self._bar: progress | None = None
        self._started = 0.0

    def show(self, name: str, state: State, fraction: float, place: str) -> None:
        """Show the state of a job, and what is done of it."""
        if state in ("running", "paused", "stopping"):
            self._show(f"{name}: {place}" if place else name, fraction)
        elif self._bar is not None:
            bar, self._bar = self._bar, None
            bar.close()
            seconds = time.monotonic() - self._started
            if state == "done" and seconds > LONG:
                show_info(f"{name}: done after {duration(seconds)}.")

    def _show(self, text: str, fraction: float) -> None:
        if self._bar is None:
            # not to the terminal
            self._bar = progress(total=TOTAL, desc=text, file=StringIO())
            self._started = time.monotonic()
        further = int(TOTAL * fraction) - self._bar.n
        if further > 0:
            self._bar.update(further)
        if self._bar.desc.removesuffix(": ") != text:
            self._bar.set_description(text)
