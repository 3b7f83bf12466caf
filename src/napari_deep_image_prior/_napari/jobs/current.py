"""The restorations of a viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .queue import queue_of
from .run import Run

if TYPE_CHECKING:
    from napari.components import ViewerModel


def runs_of(viewer: ViewerModel) -> list[Run]:
    """Return the restorations of a viewer that have not ended; the first is the current one."""
    return [job for job in queue_of(viewer).jobs if isinstance(job, Run)]


def active_run(viewer: ViewerModel) -> Run | None:
    """Return the current restoration of `viewer`, if there is one."""
    return next(iter(runs_of(viewer)), None)


def last_run(viewer: ViewerModel, kind: str) -> Run | None:
    """Return a restoration of this kind in `viewer` that has not ended or is still in memory."""
    ended = [job for job in queue_of(viewer).ended if isinstance(job, Run)]
    return next((run for run in [*runs_of(viewer), *ended] if run.task.kind == kind), None)
