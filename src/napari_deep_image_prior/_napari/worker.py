"""What drives a fit in a thread of its own, and reports to the window."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from threading import Event

    from ..restoration import Restoration, Step, Steps

STATUS_SECONDS = 0.05
"""The worker reports at most this often: a GPU takes hundreds of steps a second."""


@dataclass(frozen=True)
class Failure:
    """How a worker tells that its fit failed."""

    error: Exception


def closing(working: Iterator[Any]) -> Callable[[], None]:
    """Return what closes a generator, to be called when its worker has finished.

    A worker that was told to quit leaves its generator open, and with it the fit's memory: napari keeps the worker as
    long as the window. A function of its own, as Qt forgets the method of an object that nobody holds any more.
    """

    def close() -> None:
        working.close()  # type: ignore[attr-defined]  # a generator

    return close


def drive(steps: Steps, going: Event) -> Generator[Step | None, None, Restoration | Failure]:
    """Drive the steps while `going` is set; runs in the worker thread.

    An exception is returned in a `Failure`, not raised: superqt swallows a RuntimeError of
    a generator (and most of torch's are), and the worker would seem to run for ever.
    """
    reported = 0.0
    try:
        for step in steps:
            while not going.wait(STATUS_SECONDS):
                yield None  # a pause; the worker sees at yields that it shall quit
            now = time.monotonic()
            if step.image is not None or now - reported > STATUS_SECONDS:
                reported = now
                yield step
    except Exception as error:  # noqa: BLE001  (shown to the user by Run._end)
        return Failure(error)
    return steps.result
