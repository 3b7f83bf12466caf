"""The prediction of a restoration's run time and memory use, in a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .worker import Failure, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ...restoration.cost import Estimate


class Estimator:
    """Makes one estimate at a time, and calls `report` with it or its error unless cancelled."""

    def __init__(self, report: Callable[[object], object]) -> None:
        self._report = report
        self._worker: Worker | None = None

    @property
    def is_active(self) -> bool:
        """Whether an estimate is being made."""
        return self._worker is not None

    def start(self, estimation: Generator[None, None, Estimate]) -> None:
        """Start an estimate in a worker thread, and cancel one that is being made."""
        self.cancel()
        self._worker = Worker(estimation, on_result=self._end)
        self._worker.start()

    def cancel(self) -> None:
        """Cancel the estimate that is being made."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            worker.abandon()

    def __del__(self) -> None:
        if self._worker is not None:
            self._worker.quit()

    def _end(self, outcome: Estimate | Failure) -> None:
        if self._worker is not None:
            self._worker = None
            self._report(outcome.error if isinstance(outcome, Failure) else outcome)
