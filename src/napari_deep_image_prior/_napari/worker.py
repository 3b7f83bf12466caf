"""What drives a fit in a thread of its own, and reports to the window."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from threading import Event

    from ..restoration import Restoration, Step, Steps

STATUS_SECONDS = 0.05
"""The worker reports at most this often: a GPU takes hundreds of steps a second."""


@dataclass(frozen=True)
class Failure:
    """How a worker tells that its fit failed."""

    error: Exception


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
