"""The prediction of a restoration's run time and memory use, in a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .queue import queue_of
from .worker import Failure, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.components import ViewerModel

    from ...restoration.cost import Estimate
    from .base import State


def active_estimate(viewer: ViewerModel) -> EstimateJob | None:
    """Return the estimate that is being made in `viewer`, if there is one."""
    jobs = (job for job in queue_of(viewer).occupants if isinstance(job, EstimateJob))
    return next((job for job in jobs if job.is_active), None)


class EstimateJob:
    """An estimate; restorations wait for it in the viewer's queue, as it measures run times.

    Parameters
    ----------
    viewer : napari.Viewer
    estimation : generator
        Yields what is being done; returns the estimate.
    on_place : callable
        Called with what is being done, unless the estimate was cancelled.
    on_end : callable
        Called with the estimate or its error, unless the estimate was cancelled.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        estimation: Generator[str, None, Estimate],
        on_place: Callable[[str], object],
        on_end: Callable[[Estimate | BaseException], object],
    ) -> None:
        self._queue, self._on_place, self._on_end = queue_of(viewer), on_place, on_end
        self.state: State = "waiting"
        self._worker = Worker(
            estimation,
            on_result=self._end,
            on_value=self._show,
            on_finished=self._worker_finished,
        )

    @property
    def is_active(self) -> bool:
        """Whether the estimate is being made."""
        return self.state == "running"

    def start(self) -> None:
        """Start the estimate in a worker thread."""
        self._queue.occupy(self)

    def begin(self) -> None:
        """Become the current job."""
        self.state = "running"

    def launch(self) -> None:
        """Start the worker."""
        self._worker.start()

    def cancel(self) -> None:
        """End without an estimate."""
        if self.is_active:
            self.state = "cancelled"
            self._worker.abandon()

    def abandon(self, message: str) -> None:  # noqa: ARG002  (nobody is left to read it)
        """End without an estimate."""
        self.cancel()

    def release(self) -> None:
        """Do nothing: no memory is held after the end."""

    def _show(self, place: str | None) -> None:
        if place is not None and self.is_active:
            self._on_place(place)

    def _end(self, outcome: Estimate | Failure) -> None:
        if self.is_active:
            self.state = "done"
            self._on_end(outcome.error if isinstance(outcome, Failure) else outcome)

    def _worker_finished(self) -> None:
        try:
            if self.is_active:  # the window was closed
                self._queue.abandon_all("the window was closed")
        finally:
            self._queue.return_thread(self)
