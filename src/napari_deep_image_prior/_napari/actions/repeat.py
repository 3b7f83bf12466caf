"""Restoring a result's source once more, the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...restoration.repeat import repeated_options
from ..jobs.run import Run
from ..layers.plane import first_index
from ..layers.provenance import made, source_plane, source_stack
from ..viewer.proxies import unwrap_proxy
from .restore import restore_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from ..layers.plane import Plane


def run_again(viewer: ViewerModel, result: Layer | None) -> Run:
    """Restore a result's source again, with the same settings, seed and device.

    Raises
    ------
    ValueError, RuntimeError
        If the source is gone or has changed, or another restoration is running.
    """
    if "stack" in made(result):
        steps, stack = source_stack(viewer, result)
        run = Run(unwrap_proxy(viewer), steps.task, stack, steps)
        run.start()
        return run
    task, plane = source_plane(viewer, result)
    show_plane(viewer, plane)
    taken: dict[str, Any] = {"region": plane.region, "channel_axis": plane.channels.axis}
    how = repeated_options(made(result))
    return restore_layer(viewer, plane.layer, task=task.kind, **taken, **task.options, **how)


def show_plane(viewer: ViewerModel, plane: Plane) -> None:
    """Move the viewer's sliders to a plane."""
    point = plane.layer.data_to_world((*first_index(plane.index), 0, 0))[:-2]
    for axis, position in enumerate(point, start=viewer.dims.ndim - plane.layer.ndim):
        if (
            plane.index[axis - viewer.dims.ndim + plane.layer.ndim] is not None
        ):  # else it shows what it may
            viewer.dims.set_point(axis, position)
