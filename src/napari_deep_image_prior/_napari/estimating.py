"""The Estimate button's work: rehearse a restoration in a thread, and say what it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .worker import Failure, closing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ..estimate import Estimate


class Estimator:
    """Makes one estimate at a time, and hands its outcome to `report` unless it is cancelled."""

    def __init__(self, report: Callable[[object], object]) -> None:
        self._report = report
        self._worker: Any = None  # napari's worker classes are untyped

    @property
    def is_at_work(self) -> bool:
        """Whether an estimate is being made, to be reported."""
        return self._worker is not None

    def start(self, estimating: Generator[None, None, Estimate]) -> None:
        """Make an estimate in a worker thread, instead of one under way."""
        from napari.qt import create_worker

        self.cancel()
        self._worker = create_worker(_driven, estimating, _start_thread=False)
        self._worker.returned.connect(self._end)
        self._worker.finished.connect(closing(estimating))
        self._worker.start()

    def cancel(self) -> None:
        """Leave the estimate under way."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            worker.returned.disconnect(self._end)
            worker.quit()

    def __del__(self) -> None:
        if self._worker is not None:
            self._worker.quit()

    def _end(self, outcome: Estimate | Failure) -> None:
        if self._worker is not None:
            self._worker = None
            self._report(outcome.error if isinstance(outcome, Failure) else outcome)


def _driven(estimating: Generator[None, None, Estimate]) -> Generator[None, None, Estimate | Failure]:
    """Return what goes wrong as well: superqt swallows some exceptions of a worker."""
    try:
        return (yield from estimating)
    except Exception as error:  # noqa: BLE001  (shown to the user in the panel)
        return Failure(error)
