"""The jobs of a viewer: one runs at a time, and ended ones are kept while they can continue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from ..viewer.state import state_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from .base import Job


class Queue:
    """The jobs of one viewer in order; only their interface `Job` is used."""

    changed = Signal()
    """Emitted when a job joins, leaves, moves, begins, or is paused or stopped."""
    restored = Signal(object)
    """Emitted with a run that has ended with a result, once its layer shows the result."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        """Jobs that have not ended; the first is the current one."""
        self.occupants: list[Job] = []
        """Jobs for which those in `jobs` wait, in the order in which they get a thread."""
        self.at_work: list[Job] = []
        """Jobs with a thread: the current one, or one that has ended but is still in a step."""
        self.ended: list[Job] = []
        """Jobs that have ended and whose fit is still in memory."""

    def join(self, job: Job) -> None:
        """Append a job. It begins at once if it is the only one and the queue is not occupied."""
        self.jobs.append(job)
        if self.jobs == [job] and not self.is_occupied:
            job.begin()
        self.changed.emit()

    def leave(self, job: Job) -> None:
        """Remove a job that has ended; the next one begins when its thread is free."""
        if job in self.jobs:
            self.jobs.remove(job)
            self.changed.emit()

    def move(self, job: Job, places: int) -> None:
        """Move a waiting job back among the waiting jobs, or forward by a negative number."""
        waiting = [each for each in self.jobs if each.state == "waiting"]
        if job not in waiting:
            return
        target = waiting[min(max(waiting.index(job) + places, 0), len(waiting) - 1)]
        place = self.jobs.index(target)
        self.jobs.remove(job)
        self.jobs.insert(place, job)
        self.changed.emit()

    @property
    def is_occupied(self) -> bool:
        """Whether an occupant is active."""
        return any(each.is_active for each in self.occupants)

    def occupy(self, job: Job) -> None:
        """Begin a job, launched once no other has a thread; those in the queue wait for its end."""
        self.occupants.append(job)
        job.begin()
        self.request_thread(job)

    def request_thread(self, job: Job) -> None:
        """Launch a job once no other has a thread: an ended one may still be in a step."""
        if not self.at_work:
            self.at_work.append(job)
            job.launch()

    def return_thread(self, job: Job) -> None:
        """Record that a job has left its thread, and launch the current job."""
        self.at_work.remove(job)
        self.occupants = [each for each in self.occupants if each.is_active]
        if self.occupants:
            self.request_thread(self.occupants[0])
            return
        for first in self.jobs[:1]:
            if first.state == "waiting":
                first.begin()
                self.changed.emit()
            else:
                self.request_thread(first)

    def abandon_all(self, message: str) -> None:
        """Abandon all jobs: the window was closed."""
        for job in [*self.jobs, *self.occupants]:
            job.abandon(message)

    def remember(self, job: Job) -> None:
        """Record that a job has ended and its fit is still in memory."""
        if job not in self.ended:
            self.ended.append(job)

    def forget(self, job: Job) -> None:
        """Record that the fit of a job is no longer in memory."""
        if job in self.ended:
            self.ended.remove(job)

    def release_ended(self, but: Job) -> None:
        """Free the memory of all ended jobs except one."""
        for job in [each for each in self.ended if each is not but]:
            job.release()


def queue_of(viewer: ViewerModel) -> Queue:
    """Return the queue of a viewer."""
    return state_of(viewer).part(Queue)
