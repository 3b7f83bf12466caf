"""Waiting restorations whose image was deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_warning

if TYPE_CHECKING:
    from napari.layers import Layer

    from .queue import Queue


def abandon_waiting(queue: Queue, image: Layer) -> None:
    """Abandon the waiting runs of a deleted image layer, and report them in one line."""
    waiting = [job for job in queue.jobs if job.state == "waiting"]
    dropped = [run for run in waiting if getattr(run, "source", None) is image]
    for run in dropped:
        run.abandon("its image layer was deleted before it started")
    what = "restoration" if len(dropped) == 1 else "restorations"
    show_warning(f"'{image.name}' was deleted: {len(dropped)} waiting {what} of it cancelled.")
