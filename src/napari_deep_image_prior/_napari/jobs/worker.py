"""A thread that drives a generator step by step, and reports to the window."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

STATUS_SECONDS = 0.05
"""The worker reports at most this often: a GPU takes hundreds of steps a second."""


@dataclass(frozen=True)
class Failure:
    """What a worker returns when its work failed."""

    error: Exception


class Worker:
    """Drives a generator in a thread of its own.

    Parameters
    ----------
    working : generator
        Its values are reported, and what it returns is the outcome.
    ended : callable
        Called with the outcome, or a `Failure`; not after `quit` or `abandon`.
    reported : callable, optional
        Called with the values, not more often than the window can take them; those with an image always.
    gone : callable, optional
        Called when the thread is free, whatever happened.
    closes : bool
        Close the generator when the thread is free, and free its memory with it.

    All are called in the main thread.
    """

    def __init__(
        self,
        working: Generator[Any, None, Any],
        *,
        ended: Callable[[Any], object],
        reported: Callable[[Any], object] | None = None,
        gone: Callable[[], object] | None = None,
        closes: bool = True,
    ) -> None:
        from napari.qt import create_worker

        self._going = Event()
        self._going.set()
        self._ended = ended
        self._worker: Any = create_worker(
            _driven, working, self._going, _start_thread=False
        )  # napari's are untyped
        if reported is not None:
            self._worker.yielded.connect(reported)
        self._worker.returned.connect(ended)
        if closes:
            self._worker.finished.connect(_closing(working))
        if gone is not None:
            self._worker.finished.connect(gone)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def pause(self) -> None:
        """Hold the work after the step it is at."""
        self._going.clear()

    def resume(self) -> None:
        """Go on with paused work."""
        self._going.set()

    def quit(self) -> None:
        """End after the step it is at."""
        self._worker.quit()

    def abandon(self) -> None:
        """End after the step it is at, and report nothing any more."""
        self._worker.returned.disconnect(self._ended)
        self._worker.quit()


def _closing(working: Generator[Any, None, Any]) -> Callable[[], None]:
    """Return what closes a generator, to be called when its worker has finished.

    A worker that was told to quit leaves its generator open, and with it the fit's memory: napari keeps the worker as
    long as the window. A function of its own, as Qt forgets the method of an object that nobody holds any more.
    """

    def close() -> None:
        working.close()

    return close


def _driven(working: Generator[Any, None, Any], going: Event) -> Generator[Any, None, Any]:
    """Drive the generator while `going` is set; runs in the worker thread.

    An exception is returned in a `Failure`, not raised: superqt swallows a RuntimeError of
    a generator (and most of torch's are), and the worker would seem to run for ever.
    """
    reported = 0.0
    try:
        while True:
            try:
                value = next(working)
            except StopIteration as done:
                return done.value
            while not going.wait(STATUS_SECONDS):
                yield None  # a pause; the worker sees at yields that it shall quit
            now = time.monotonic()
            if getattr(value, "image", None) is not None or now - reported > STATUS_SECONDS:
                reported = now
                yield value
    except Exception as error:  # noqa: BLE001  (shown to the user)
        return Failure(error)
