"""Loading torch in a thread: importing it takes seconds, in which the window would be frozen."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

LOADING = "loading PyTorch … (once in a session)"
PRELOAD_MS, POLL_MS = 500, 50
"""Times after which a panel starts to load torch, and asks whether it is loaded."""

_threads: list[Thread] = []


def is_loaded() -> bool:
    """Return whether torch is loaded, or cannot be."""
    if _threads:
        return not _threads[0].is_alive()
    return "torch" in sys.modules


def load() -> None:
    """Start to load torch in a thread, unless it is loaded or being loaded."""
    if not _threads and not is_loaded():
        _threads.append(Thread(target=_load, name="loading torch", daemon=True))
        _threads[0].start()


def _load() -> None:
    with suppress(Exception):  # raised again where torch is needed
        import_module("torch")


class Loader:
    """Calls the actions of a panel once torch is loaded.

    Parameters
    ----------
    panel : QWidget
    report : callable
        Called with a message for the user while an action waits.
    """

    def __init__(self, panel: QWidget, report: Callable[[str], object]) -> None:
        self._report = report
        self._actions: list[Callable[[], object]] = []
        self._timer = QTimer(panel)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._call_waiting)

    def preload(self, then: Callable[[], object]) -> None:
        """Load torch when the panel has been open for a moment, and then call a function."""
        if is_loaded():
            then()
            return
        self._actions.append(then)
        timer = QTimer(self._timer.parent())
        timer.setSingleShot(True)
        timer.timeout.connect(self._load)
        timer.start(PRELOAD_MS)

    def call(self, action: Callable[[], object]) -> None:
        """Call an action now, or once torch is loaded."""
        if is_loaded():
            action()
            return
        self._report(LOADING)
        self._actions.append(action)
        self._load()

    def _load(self) -> None:
        load()
        self._timer.start()

    def _call_waiting(self) -> None:
        if is_loaded():
            self._timer.stop()
            actions, self._actions = self._actions, []
            for action in dict.fromkeys(actions):
                action()
