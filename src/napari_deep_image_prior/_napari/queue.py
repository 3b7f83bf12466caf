"""The restorations of a viewer: those asked for are done one after another (one device, one fit), ended ones kept."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from psygnal import Signal

from .proxies import unwrapped

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from .run import Run
    from .spread import Spread


class Queue:
    """Those of all viewers that have not ended, in their order; each viewer has its own turn."""

    changed = Signal()
    """Emitted when one joins, leaves, moves, begins, or is held or stopped."""
    restored = Signal(object)
    """Emitted with a run that has ended with a result, once its layer shows that."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._at_work: list[Run | Spread] = []
        self._ended: WeakSet[Run] = WeakSet()

    def of(self, viewer: ViewerModel) -> list[Run]:
        """Return those of one viewer; the first is under way."""
        return [run for run in self.runs if run.viewer is viewer]

    def ended(self, viewer: ViewerModel) -> list[Run]:
        """Return those of one viewer that have ended, and whose fit may still be in memory."""
        return [run for run in self._ended if run.viewer is viewer]

    def keep(self, run: Run) -> None:
        """Note that a run has ended, and its fit is in memory as long as the run."""
        self._ended.add(run)

    def forget(self, run: Run) -> None:
        """Note that the fit of a run is in memory no more."""
        self._ended.discard(run)

    def join(self, run: Run) -> None:
        """Put a run at the end; it begins at once if it is the only one, and no uncertainty is at work."""
        self.runs.append(run)
        if self.of(run.viewer) == [run] and not self.is_kept(run.viewer):
            run.begin()
        self.changed.emit()

    def leave(self, run: Run) -> None:
        """Take out a run that has ended; the next one begins when its thread is free."""
        if run in self.runs:
            self.runs.remove(run)
            self.changed.emit()

    def move(self, run: Run, places: int) -> None:
        """Move a waiting run back, or, with a negative number, forward, among those that wait in its viewer."""
        waiting = [each for each in self.of(run.viewer) if each.state == "waiting"]
        if run not in waiting:
            return
        target = waiting[min(max(waiting.index(run) + places, 0), len(waiting) - 1)]
        place = self.runs.index(target)
        self.runs.remove(run)
        self.runs.insert(place, run)
        self.changed.emit()

    def is_kept(self, viewer: ViewerModel) -> bool:
        """Whether an uncertainty is at work in a viewer, for which its restorations wait."""
        return any(each.viewer is viewer and each not in self.runs for each in self._at_work if each.is_active)

    def keep_busy(self, spread: Spread) -> None:
        """Let the restorations of a viewer wait for an uncertainty, until its thread is given back."""
        self._at_work.append(spread)

    def take_thread(self, run: Run) -> None:
        """Let a run work as soon as no other does in its viewer: an ended one may have yet to leave its thread."""
        if not any(each.viewer is run.viewer for each in self._at_work):
            self._at_work.append(run)
            run.launch()

    def give_thread_back(self, run: Run | Spread) -> None:
        """Note that a thread is free, and give it to the run whose turn it is."""
        self._at_work.remove(run)
        if self.is_kept(run.viewer):
            return
        for first in self.of(run.viewer)[:1]:
            if first.state == "waiting":
                first.begin()
                self.changed.emit()
            else:
                self.take_thread(first)


QUEUE = Queue()


def active_run(viewer: ViewerModel) -> Run | None:
    """Return the restoration that is running in `viewer`, if there is one."""
    return next(iter(QUEUE.of(unwrapped(viewer))), None)


def last_run(viewer: ViewerModel, kind: str) -> Run | None:
    """Return the restoration of this kind that is running, waiting or can still be scrubbed in `viewer`."""
    viewer = unwrapped(viewer)
    return next((run for run in [*QUEUE.of(viewer), *QUEUE.ended(viewer)] if run.task.kind == kind), None)
