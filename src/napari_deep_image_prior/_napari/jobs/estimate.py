"""The Estimate button's work: rehearse a restoration in a thread, and report what it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .worker import Failure, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ...restoration.cost import Estimate


class Estimator:
    """Makes one estimate at a time, and hands its outcome to `report` unless it is cancelled."""

    def __init__(self, report: Callable[[object], object]) -> None:
        self._report = report
        self._worker: Worker | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether an estimate is being made, to be reported."""
        return self._worker is not None

    def start(self, estimating: Generator[None, None, Estimate]) -> None:
        """Make an estimate in a worker thread, instead of one under way."""
        self.cancel()
        self._worker = Worker(estimating, ended=self._end)
        self._worker.start()

    def cancel(self) -> None:
        """Leave the estimate under way."""
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
