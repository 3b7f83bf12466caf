"""A worker thread that runs a generator step by step and reports to the main thread."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ...restoration.base import Restoration, RestorationSteps, Step

STATUS_SECONDS = 0.05
"""Shortest time between two reports: a GPU does hundreds of steps per second."""


@dataclass(frozen=True)
class Failure:
    """The result of a worker whose generator raised an exception."""

    error: BaseException


class Worker:
    """Runs a generator in its own thread.

    All functions are called in the main thread.

    Parameters
    ----------
    generator : generator
        Its values are reported; its return value is the result.
    on_result : callable
        Called with the result, or with a `Failure`; not after `quit` or `abandon`.
    on_value : callable, optional
        Called with the values, at most every `STATUS_SECONDS`, but with every value that has an
        image.
    on_finished : callable, optional
        Called in any case when the thread has ended.
    closes : bool
        Close the generator when the thread has ended, which frees its memory.
    """

    def __init__(
        self,
        generator: Generator[Any, None, Any],
        *,
        on_result: Callable[[Any], object],
        on_value: Callable[[Any], object] | None = None,
        on_finished: Callable[[], object] | None = None,
        closes: bool = True,
    ) -> None:
        from napari.qt import create_worker

        self._not_paused = Event()
        self._not_paused.set()
        self._on_result = on_result
        self._worker: Any = create_worker(
            _run, generator, self._not_paused, _start_thread=False
        )  # napari's are untyped
        if on_value is not None:
            self._worker.yielded.connect(on_value)
        self._worker.returned.connect(on_result)
        if closes:
            self._worker.finished.connect(_closing(generator))
        if on_finished is not None:
            self._worker.finished.connect(on_finished)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def pause(self) -> None:
        """Pause after the current step."""
        self._not_paused.clear()

    def resume(self) -> None:
        """Continue after a pause."""
        self._not_paused.set()

    def quit(self) -> None:
        """End after the current step."""
        self._worker.quit()

    def abandon(self) -> None:
        """End after the current step, and report nothing more."""
        self._worker.returned.disconnect(self._on_result)
        self._worker.quit()


def _closing(generator: Generator[Any, None, Any]) -> Callable[[], None]:
    """Return a function that closes a generator, to be called when its worker has finished.

    A worker that has quit leaves its generator open, and with it the fit's memory: napari keeps the
    worker as long as the window. Not a method, as Qt drops the method of an object that nobody
    holds any more.
    """

    def close() -> None:
        generator.close()

    return close


def _run(generator: Generator[Any, None, Any], not_paused: Event) -> Generator[Any, None, Any]:
    """Run the generator while `not_paused` is set; called in the worker thread.

    An exception is returned in a `Failure`, not raised: superqt swallows a RuntimeError of a
    generator (and most of torch's are), and the worker would seem to run forever.
    """
    reported = 0.0
    try:
        while True:
            try:
                value = next(generator)
            except StopIteration as done:
                return done.value
            while not not_paused.wait(STATUS_SECONDS):
                yield None  # in a pause: the worker can only quit at a yield
            now = time.monotonic()
            if getattr(value, "image", None) is not None or now - reported > STATUS_SECONDS:
                reported = now
                yield value
    except GeneratorExit:
        raise
    except BaseException as error:  # noqa: BLE001  (a SystemExit as well would block the queue)
        return Failure(error)


def to_result(steps: RestorationSteps) -> Generator[Step, None, Restoration]:
    """Yield all steps, and return the result."""
    for step in steps:  # noqa: UP028  (`yield from` would close the steps along with this generator)
        yield step
    return steps.result


def wait_while(condition: Callable[[], bool], timeout: float | None = None) -> None:
    """Let Qt process events while a condition holds, for `timeout` seconds at most."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()

    def quit_at_end() -> None:
        if not condition():
            loop.quit()

    # a timer rather than a signal: it also detects an end before the loop began
    timer = QTimer()
    timer.timeout.connect(quit_at_end)
    timer.start(20)
    if timeout is not None:
        QTimer.singleShot(int(timeout * 1000), loop.quit)
    if condition():
        loop.exec()
    timer.stop()
