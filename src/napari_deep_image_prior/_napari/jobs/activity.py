"""A job in napari's activity dock, and a notification at the end of a long one."""

from __future__ import annotations

import time
from io import StringIO
from typing import TYPE_CHECKING

from napari.utils import progress
from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer

from ...restoration.timing import duration

if TYPE_CHECKING:
    from .base import State

LONG = 60.0
"""Seconds after which the end of a job is worth a notification."""
TOTAL = 100
"""Maximum of the bar."""
UPDATE_MS = 100
"""Time between two updates of the bar."""


class Activity:
    """The bar of one job; all methods are called in the main thread.

    napari processes events whenever a bar changes, so that the job may end meanwhile. The bar is
    therefore changed by a timer, and not while the job reports.
    """

    def __init__(self) -> None:
        self._bar: progress | None = None
        self._timer: QTimer | None = None
        self._text, self._fraction, self._started = "", 0.0, 0.0

    def show(self, name: str, state: State, fraction: float, place: str) -> None:
        """Show the state of a job, and what is done of it."""
        if state in ("running", "paused", "stopping"):
            self._text, self._fraction = f"{name}: {place}" if place else name, fraction
            if self._timer is None:
                self._started = time.monotonic()
                self._timer = QTimer()
                self._timer.timeout.connect(self._update)
                self._timer.start(UPDATE_MS)
        elif self._timer is not None:
            self._timer.stop()
            bar, self._bar, self._timer = self._bar, None, None
            if bar is not None:
                bar.close()
            seconds = time.monotonic() - self._started
            if state == "done" and seconds > LONG:
                show_info(f"{name}: done after {duration(seconds)}.")

    def _update(self) -> None:
        if self._bar is None:
            # not to the terminal
            bar = progress(total=TOTAL, desc=self._text, file=StringIO())
            if self._timer is None:  # the job ended meanwhile
                bar.close()
                return
            self._bar = bar
        bar = self._bar
        further = int(TOTAL * self._fraction) - bar.n
        if further > 0:
            bar.update(further)
        if self._bar is bar and bar.desc.removesuffix(": ") != self._text:
            bar.set_description(self._text)
