"""Between napari layers and arrays: which plane is restored, and where its result lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.transforms import Affine

from ...arrays import selection
from ...methods.registry import method_of
from .channels import NO_CHANNELS, Channels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ...arrays import Index
    from ...methods.task import Task

Region = tuple[tuple[int, int], tuple[int, int]]
"""Rows and columns of a plane in pixels, ((y0, y1), (x0, x1)), without those of y1 and x1."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A 2D plane of a layer, one with all its channels, or all planes as a stack."""

    layer: Image | Labels
    values: NDArray[Any]
    """(Y, X), or (Y, X, 3) of a color picture; before these the axes that it has all of."""
    index: Index
    """Where it lies along the layer's other axes; None where it has all of an axis."""
    channels: Channels = NO_CHANNELS
    """Which axis of the layer holds channels."""
    region: Region | None = None
    """The part of the plane that was taken; None: all of it."""

    @property
    def is_rgb(self) -> bool:
        """Whether the last axis holds colors."""
        return bool(getattr(self.layer, "rgb", False))

    @property
    def size(self) -> tuple[int, int]:
        """Its height and width in pixels."""
        height, width = self.values.shape[-3:-1] if self.is_rgb else self.values.shape[-2:]
        return height, width

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of its first pixel in the layer."""
        return (0, 0) if self.region is None else (self.region[0][0], self.region[1][0])

    def part_of(self, whole: NDArray[Any]) -> NDArray[Any]:
        """Take the region from a mask of the whole plane; one of the region's size is taken as it is."""
        first = 0 if self.is_rgb else whole.ndim - 2
        is_whole = whole.shape[first : first + 2] == plane_size(self.layer)
        return whole[(slice(None),) * first + _slices(self.region)] if is_whole else whole

    @property
    def leading(self) -> tuple[int, ...]:
        """Length of each axis before Y and X, that of the layer or 1."""
        lengths = iter(self.values.shape)
        return tuple(next(lengths) if i is None else 1 for i in self.index)

    @property
    def channel_axis(self) -> int | None:
        """Axis of `values` that holds its channels or colors, None for a single one."""
        axis = self.channels.axis
        if axis is None or self.index[axis] is not None:
            return -1 if self.is_rgb else None
        return sum(i is None for i in self.index[:axis])

    @property
    def is_one_plane(self) -> bool:
        """Whether it is one plane, be it with all its channels."""
        return all(i is not None for axis, i in enumerate(self.index) if axis != self.channels.axis)

    @property
    def is_stack(self) -> bool:
        """Whether it takes more than one fit."""
        return not self.is_one_plane or not (
            self.channels.jointly or self.channel_axis is None or self.is_rgb
        )

    def parts(self) -> Iterator[tuple[Index, Plane]]:
        """Take apart what one fit each restores; each comes with its place in the result."""
        alone = self.channels.axis if self.channels.jointly else None
        pixels = self.values.reshape(
            self.leading + self.values.shape[sum(i is None for i in self.index) :]
        )
        counts = [1 if axis == alone else length for axis, length in enumerate(self.leading)]
        for place in np.ndindex(*counts):
            inside = tuple(None if axis == alone else i for axis, i in enumerate(place))
            index = tuple(
                i if whole is None else whole for i, whole in zip(inside, self.index, strict=True)
            )
            yield (
                inside,
                Plane(self.layer, pixels[selection(inside)], index, self.channels, self.region),
            )


def displayed_plane(
    viewer: ViewerModel,
    layer: Image | Labels,
    channels: Channels = NO_CHANNELS,
    region: Region | None = None,
) -> Plane:
    """Take the plane of `layer` that `viewer` shows, or a part of it, with all its channels, at full resolution.

    Raises
    ------
    ValueError
        If the layer has no pixel at the position of the viewer's sliders.
    """
    return plane_at(layer, displayed_index(viewer, layer, channels), channels, region)


def displayed_index(
    viewer: ViewerModel, layer: Image | Labels, channels: Channels = NO_CHANNELS
) -> Index:
    """Return where the plane that `viewer` shows lies along the other axes of `layer`; None for that of the channels.

    Raises
    ------
    ValueError
        If it shows no plane of the layer.
    """
    if viewer.dims.ndisplay > 2 and layer.ndim > 2:
        raise ValueError("the viewer shows a volume: switch to 2D and choose the plane to restore.")
    if set(viewer.dims.displayed[-2:]) != {viewer.dims.ndim - 2, viewer.dims.ndim - 1}:
        raise ValueError(
            "the viewer shows other axes than the last two: roll or transpose them back first."
        )
    return _index_at(layer, viewer.dims.point, channels)


def plane_at_point(
    layer: Image | Labels, point: Sequence[float], channels: Channels = NO_CHANNELS
) -> Plane:
    """Take the plane of `layer` at a world position, with all its channels.

    Raises
    ------
    ValueError
        If the layer has no pixel there.
    """
    return plane_at(layer, _index_at(layer, point, channels), channels)


def _index_at(layer: Image | Labels, point: Sequence[float], channels: Channels) -> Index:
    position = np.asarray(layer.world_to_data(point[-layer.ndim :]))[:-2]
    return tuple(
        None if axis == channels.axis else int(i) for axis, i in enumerate(np.rint(position))
    )


def plane_size(layer: Image | Labels) -> tuple[int, int]:
    """Return the height and width of the planes of `layer` at full resolution."""
    pixels = layer.data[0] if layer.multiscale else layer.data
    height, width = pixels.shape[layer.ndim - 2 : layer.ndim]
    return height, width


def _slices(region: Region | None) -> tuple[slice, slice]:
    rows, columns = region or ((None, None), (None, None))
    return slice(*rows), slice(*columns)


def plane_at(
    layer: Image | Labels,
    index: Index,
    channels: Channels = NO_CHANNELS,
    region: Region | None = None,
) -> Plane:
    """Take the plane of `layer` at an index along its other axes, or a part of it, at full resolution, into memory.

    Raises
    ------
    ValueError
        If the layer has no such plane.
    """
    # a multiscale layer as a whole converts to its coarsest level; a dask one loads only what is asked for
    pixels = layer.data[0] if layer.multiscale else layer.data
    inside = all(i is None or 0 <= i < size for i, size in zip(index, pixels.shape, strict=False))
    if layer.ndim != len(index) + 2 or not inside:
        raise ValueError(
            f"layer '{layer.name}' has no image plane at the viewer's position: move the sliders onto it."
        )
    values = np.asarray(pixels[(*selection(index), *_slices(region))])
    if getattr(layer, "rgb", False):
        values = values[..., :3]  # transparency is not restored
    return Plane(layer, values, index, channels, region)


def source_of(plane: Plane) -> dict[str, Any]:
    """Describe where a plane comes from, for the provenance of its result."""
    layer, channels = plane.layer, plane.channels
    made = {
        "layer": layer.name,
        "plane": list(plane.index),
        "path": layer.source.path,
        "rgb": plane.is_rgb,
    }
    if channels.axis is not None:
        made |= {
            "channel_axis": channels.axis,
            "channels": "jointly" if channels.jointly else "separately",
        }
    if plane.region is not None:
        made["region"] = [list(bounds) for bounds in plane.region]
    return made


def whole_stack(layer: Image, channels: Channels = NO_CHANNELS) -> Plane:
    """Take all planes of `layer`, with all channels, at full resolution into memory.

    Raises
    ------
    ValueError
        If it has only one.
    """
    if layer.ndim < 3:
        raise ValueError(f"layer '{layer.name}' is a single plane: there are no others to restore.")
    return plane_at(layer, (None,) * (layer.ndim - 2), channels)


def seen_channel(viewer: ViewerModel, plane: Plane, values: NDArray[Any]) -> NDArray[Any]:
    """Return the channel of a restored plane that the viewer shows; one without, or in colors, as it is."""
    axis = plane.channels.axis
    if axis is None or plane.is_rgb or plane.is_stack:
        return values
    position = plane.layer.world_to_data(viewer.dims.point[-plane.layer.ndim :])[axis]
    seen: NDArray[Any] = values[int(np.clip(np.rint(position), 0, len(values) - 1))]
    return seen


def first_index(index: Index) -> tuple[int, ...]:
    """Return where it begins along each axis."""
    return tuple(0 if i is None else i for i in index)


def picture(plane: Plane, values: NDArray[Any]) -> NDArray[Any]:
    """Give a restored plane the axes of its source layer."""
    inner = values.shape[-3:] if plane.is_rgb else values.shape[-2:]
    return values.reshape(plane.leading + inner)


def placement(
    plane: Plane, shape: Sequence[int], leading: tuple[int, ...] | None = None
) -> dict[str, Any]:
    """Return the layer options that put a result of (Y, X) `shape` exactly on its source plane.

    `leading` is its number of planes along each axis before these, where it has fewer, each spanning several.
    """
    layer = plane.layer
    shrink = np.array([*plane.leading, *plane.size]) / np.array(
        [*(leading or plane.leading), *shape]
    )
    # the center of the first result pixel, in the source's pixel coordinates: half a pixel in from the same corner
    origin = np.array([*first_index(plane.index), *plane.corner]) + (shrink - 1) / 2
    linear = Affine(scale=layer.scale, rotate=layer.rotate, shear=layer.shear).linear_matrix
    return {
        "scale": np.asarray(layer.scale) * shrink,
        "translate": np.asarray(layer.translate) + linear @ origin,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine.affine_matrix,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def whole_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return black and white of a color picture."""
    return 0.0, float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def result_options(plane: Plane, task: Task) -> dict[str, Any]:
    """Return how the result layer is named, placed and shown."""
    layer = plane.layer
    shown = {
        "name": f"{layer.name} {method_of(task.kind).past_participle}{'' if plane.region is None else ' (part)'}",
        "rgb": plane.is_rgb,
        **placement(
            plane,
            [size for axis, size in enumerate(task.result_shape) if axis != task.channel_axis],
        ),
    }
    if isinstance(layer, Image) and not plane.is_rgb:
        shown |= {
            "colormap": layer.colormap,
            "contrast_limits": layer.contrast_limits,
            "gamma": layer.gamma,
        }
    return shown


def empty_mask(viewer: ViewerModel, image: Image, channels: Channels = NO_CHANNELS) -> Labels:
    """Add an empty Labels layer that fits the displayed plane of `image`, ready to paint, seen on all channels."""
    plane = displayed_plane(viewer, image, channels)
    alone = (1,) * len(plane.index)
    blank = np.zeros(alone + plane.size, dtype=np.uint8)
    labels = Labels(blank, name=f"{image.name} missing", **placement(plane, plane.size, alone))
    viewer.add_layer(labels)
    viewer.layers.selection.active = labels
    labels.brush_size = max(5, round(max(blank.shape) / 50))
    labels.mode = "paint"
    return labels
