"""Restore the source of a result again, in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...restoration.repeat import repeated_options
from ..jobs.run import Run
from ..layers.plane import first_index
from ..layers.provenance import provenance_of, source_plane, source_stack
from ..layers.world import to_world
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
        If the source is not in the viewer or has changed.
    """
    if "stack" in provenance_of(result):
        steps, stack = source_stack(viewer, result)
        run = Run(unwrap_proxy(viewer), steps.task, stack, steps)
        run.start()
        return run
    task, plane = source_plane(viewer, result)
    show_plane(viewer, plane)
    selection: dict[str, Any] = {"region": plane.region, "channel_axis": plane.channels.axis}
    if plane.depth is not None:
        selection["planes"] = "volume"
    options = repeated_options(provenance_of(result))
    return restore_layer(
        viewer, plane.layer, task=task.kind, **selection, **task.options, **options
    )


def show_plane(viewer: ViewerModel, plane: Plane) -> None:
    """Move the viewer's sliders to a plane."""
    point = to_world(viewer, plane.layer, (*first_index(plane.index), 0, 0))[:-2]
    for axis, position in enumerate(point, start=viewer.dims.ndim - plane.layer.ndim):
        # along an axis that the plane has all of, the slider stays
        if plane.index[axis - viewer.dims.ndim + plane.layer.ndim] is not None:
            viewer.dims.set_point(axis, position)
