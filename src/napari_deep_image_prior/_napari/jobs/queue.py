"""The jobs of a viewer: one after another (one device, one fit), ended ones kept as long as they may go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from ..viewer.state import state_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from .base import Job


class Queue:
    """The jobs of one viewer, in their order; it knows nothing of them but that they are jobs."""

    changed = Signal()
    """Emitted when one joins, leaves, moves, begins, or is paused or stopped."""
    restored = Signal(object)
    """Emitted with a run that has ended with a result, once its layer shows that."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        """Those that have not ended; the first is under way."""
        self.at_work: list[Job] = []
        """Those that hold a thread: the one under way, or one that has ended but is still in a step."""
        self.ended: list[Job] = []
        """Those that have ended, and whose fit is still in memory."""

    def join(self, job: Job) -> None:
        """Put a job at the end; it begins at once if it is the only one, and nothing occupies the queue."""
        self.jobs.append(job)
        if self.jobs == [job] and not self.is_occupied:
            job.begin()
        self.changed.emit()

    def leave(self, job: Job) -> None:
        """Take out a job that has ended; the next one begins when its thread is free."""
        if job in self.jobs:
            self.jobs.remove(job)
            self.changed.emit()

    def move(self, job: Job, places: int) -> None:
        """Move a waiting job back, or, with a negative number, forward, among those that wait."""
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
        """Whether a job that does not wait in the queue is at work, for which the others wait."""
        return any(each not in self.jobs for each in self.at_work if each.is_active)

    def occupy(self, job: Job) -> None:
        """Let the jobs in the queue wait for one that is not in it, until its thread is given back."""
        self.at_work.append(job)

    def take_thread(self, job: Job) -> None:
        """Let a job work as soon as no other does: an ended one may have yet to leave its thread."""
        if not self.at_work:
            self.at_work.append(job)
            job.launch()

    def give_thread_back(self, job: Job) -> None:
        """Note that a thread is free, and give it to the job whose turn it is."""
        self.at_work.remove(job)
        if self.is_occupied:
            return
        for first in self.jobs[:1]:
            if first.state == "waiting":
                first.begin()
                self.changed.emit()
            else:
                self.take_thread(first)

    def keep(self, job: Job) -> None:
        """Note that a job has ended, and its fit is still in memory."""
        if job not in self.ended:
            self.ended.append(job)

    def forget(self, job: Job) -> None:
        """Note that the fit of a job is in memory no more."""
        if job in self.ended:
            self.ended.remove(job)

    def release_ended(self, but: Job) -> None:
        """Free the memory of all jobs that have ended, except for one."""
        for job in [each for each in self.ended if each is not but]:
            job.release()


def queue_of(viewer: ViewerModel) -> Queue:
    """Return the queue of a viewer."""
    return state_of(viewer).part(Queue)
