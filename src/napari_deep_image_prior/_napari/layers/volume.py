"""Volumes: the axis of a layer that is depth, and the size of its voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .plane import plane_at
from .world import to_data

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from .channels import Channels
    from .plane import Plane, Region

DEPTH_LABELS = ("z", "depth")
"""Labels of the depth axis in `axis_labels`, in lower case."""


def depth_axis(layer: Image, channels: Channels) -> int | None:
    """Return the axis of the planes of a volume, or None.

    It is the one labeled z or depth; without labels, the only one beside Y, X and the channels.
    """
    axes = [axis for axis in range(layer.ndim - 2) if axis != channels.axis]
    labels = {axis: layer.axis_labels[axis].strip().lower() for axis in axes}
    labeled = [axis for axis in axes if labels[axis] in DEPTH_LABELS]
    # napari labels the others by their number from the end: -3, -2, -1
    unlabeled = [axis for axis in axes if labels[axis] == str(axis - layer.ndim)]
    if labeled:
        return labeled[0]
    return axes[0] if len(axes) == 1 and unlabeled else None


def volume_at(
    viewer: ViewerModel, layer: Image, channels: Channels, region: Region | None = None
) -> Plane:
    """Load the volume of `layer` at the position of the viewer's sliders, or a region of it.

    Raises
    ------
    ValueError
        If the layer has no depth axis, or no pixels there.
    """
    depth = depth_axis(layer, channels)
    if depth is None:
        raise ValueError(
            f"layer '{layer.name}' has no depth axis: name one of its axes z (axis_labels)."
        )
    point = to_data(viewer, layer, viewer.dims.point[-layer.ndim :])[:-2]
    index = tuple(
        None if axis in (depth, channels.axis) else int(i) for axis, i in enumerate(np.rint(point))
    )
    return plane_at(layer, index, channels, region, depth)


def describe_voxels(layer: Image, channels: Channels) -> str:
    """Return what a volume of the layer is taken for, in one line."""
    depth = depth_axis(layer, channels)
    if depth is None:
        return ""
    size = voxel_size(layer, depth)
    planes = (layer.data[0] if layer.multiscale else layer.data).shape[depth]
    if size is None:
        return f"{planes} planes together. Voxels are taken as cubes: the layer has no scale."
    unit = f"{layer.units[-1]:~P}"
    sizes = " x ".join(f"{edge:.3g}" for edge in size)
    return f"{planes} planes together, of voxels of {sizes} {unit} (z, y, x)."


def length_in_micrometers(layer: Image, axis: int) -> float | None:
    """Return the size of a pixel along an axis; None if the layer's unit is no length."""
    size = abs(float(layer.scale[axis])) * layer.units[axis]
    return float(size.to("micrometer").magnitude) if size.check("[length]") else None


def size_in_micrometers(layer: Image, depth: int | None) -> tuple[float, ...] | None:
    """Return the size of a pixel along (Z,) Y and X in micrometers; None if it is no length."""
    axes = (*(() if depth is None else (depth,)), layer.ndim - 2, layer.ndim - 1)
    found = [length_in_micrometers(layer, axis) for axis in axes]
    sizes = tuple(size for size in found if size is not None)
    return sizes if len(sizes) == len(axes) else None


def voxel_size(layer: Image, depth: int) -> tuple[float, float, float] | None:
    """Return the size of voxels along Z, Y and X in the unit of X; None if unknown.

    It is unknown if the layer's units of Z and X are of different kinds, such as s and µm, or all
    voxels are pixels of size 1.
    """
    axes = (depth, layer.ndim - 2, layer.ndim - 1)
    sizes = [abs(float(layer.scale[axis])) for axis in axes]
    units = [layer.units[axis] for axis in axes]
    if any(unit.dimensionality != units[-1].dimensionality for unit in units):
        return None
    if all(size == 1 for size in sizes) and str(units[-1]) == "pixel":
        return None
    z, y, x = (
        float((size * unit).to(units[-1]).magnitude)
        for size, unit in zip(sizes, units, strict=True)
    )
    return z, y, x
