"""Planes of napari layers as arrays, and the position of their results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.transforms import Affine

from ...arrays import selection
from ...io.files import first_line
from ...methods.registry import method_of
from ..viewer.reading import read
from .channels import NO_CHANNELS, Channels
from .world import to_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ...arrays import Index
    from ...methods.task import Task

Region = tuple[tuple[int, int], tuple[int, int]]
"""Rows and columns of a plane in pixels, ((y0, y1), (x0, x1)); y1 and x1 are excluded."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One or all planes of a layer, with one or all channels."""

    layer: Image | Labels
    values: NDArray[Any]
    """(Y, X), or (Y, X, 3) for RGB; before these the axes with None in `index`."""
    index: Index
    """Its position along the layer's other axes; None for all positions."""
    channels: Channels = NO_CHANNELS
    """The channel axis of the layer."""
    region: Region | None = None
    """The part of the plane in `values`; None: all of it."""
    depth: int | None = None
    """The axis of the layer along which its planes are those of a volume; None: each is alone."""

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
        """Return the region of a mask of the whole plane; a mask of another size as it is."""
        first = 0 if self.is_rgb else whole.ndim - 2
        is_whole = whole.shape[first : first + 2] == plane_size(self.layer)
        return whole[(slice(None),) * first + _slices(self.region)] if is_whole else whole

    @property
    def leading(self) -> tuple[int, ...]:
        """Length of each axis before Y and X: the layer's, or 1."""
        lengths = iter(self.values.shape)
        return tuple(next(lengths) if i is None else 1 for i in self.index)

    @property
    def channel_axis(self) -> int | None:
        """Axis of `values` that holds channels or colors; None if there is one channel."""
        axis = self.channels.axis
        if axis is None or self.index[axis] is not None:
            return -1 if self.is_rgb else None
        return sum(i is None for i in self.index[:axis])

    @property
    def is_one_plane(self) -> bool:
        """Whether it is one plane or volume, with one or all channels."""
        whole = (self.channels.axis, self.depth)
        return all(i is not None for axis, i in enumerate(self.index) if axis not in whole)

    @property
    def is_stack(self) -> bool:
        """Whether it needs more than one fit."""
        return not self.is_one_plane or not (
            self.channels.jointly or self.channel_axis is None or self.is_rgb
        )

    def parts(self) -> Iterator[tuple[Index, Plane]]:
        """Yield the parts that one fit each restores, with their index in the result."""
        whole = {self.depth, self.channels.axis if self.channels.jointly else None}
        pixels = self.values.reshape(
            self.leading + self.values.shape[sum(i is None for i in self.index) :]
        )
        counts = [1 if axis in whole else length for axis, length in enumerate(self.leading)]
        for place in np.ndindex(*counts):
            inside = tuple(None if axis in whole else i for axis, i in enumerate(place))
            index = tuple(
                i if given is None else given for i, given in zip(inside, self.index, strict=True)
            )
            yield (
                inside,
                replace(self, values=pixels[selection(inside)], index=index),
            )


def displayed_plane(
    viewer: ViewerModel,
    layer: Image | Labels,
    channels: Channels = NO_CHANNELS,
    region: Region | None = None,
) -> Plane:
    """Load the displayed plane of `layer` or a region of it, with its channels, in full resolution.

    Raises
    ------
    ValueError
        If the layer has no pixels at the position of the viewer's sliders.
    """
    return plane_at(layer, displayed_index(viewer, layer, channels), channels, region)


def displayed_index(
    viewer: ViewerModel, layer: Image | Labels, channels: Channels = NO_CHANNELS
) -> Index:
    """Return the index of the displayed plane along the other axes of `layer`; None for channels.

    Raises
    ------
    ValueError
        If the viewer shows no plane of the layer.
    """
    if viewer.dims.ndisplay > 2 and layer.ndim > 2:
        raise ValueError("the viewer shows a volume: switch to 2D and choose the plane to restore.")
    if set(viewer.dims.displayed[-2:]) != {viewer.dims.ndim - 2, viewer.dims.ndim - 1}:
        raise ValueError(
            "the viewer shows other axes than the last two: roll or transpose them back first."
        )
    return _index_at(viewer, layer, viewer.dims.point, channels)


def nearest_index(viewer: ViewerModel, layer: Image | Labels) -> tuple[int, ...]:
    """Return the index of the plane of `layer` nearest to the position of the viewer's sliders."""
    index = _index_at(viewer, layer, viewer.dims.point, NO_CHANNELS)
    sizes = (layer.data[0] if layer.multiscale else layer.data).shape
    return tuple(min(max(i or 0, 0), size - 1) for i, size in zip(index, sizes, strict=False))


def plane_at_point(
    viewer: ViewerModel,
    layer: Image | Labels,
    point: Sequence[float],
    channels: Channels = NO_CHANNELS,
) -> Plane:
    """Return the plane of `layer` at a world position, with all its channels.

    Raises
    ------
    ValueError
        If the layer has no pixels there.
    """
    return plane_at(layer, _index_at(viewer, layer, point, channels), channels)


def _index_at(
    viewer: ViewerModel, layer: Image | Labels, point: Sequence[float], channels: Channels
) -> Index:
    position = to_data(viewer, layer, point[-layer.ndim :])[:-2]
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
    depth: int | None = None,
) -> Plane:
    """Load the plane of `layer` at an index, or a region of it, in full resolution.

    With a `depth` axis, along which the index is None, it is a volume.

    Raises
    ------
    ValueError
        If the layer has no such plane, or it cannot be read.
    """
    # level 0 of a multiscale layer: np.asarray of its data gives the coarsest level
    # a dask array is indexed first, so that only the plane is loaded
    pixels = layer.data[0] if layer.multiscale else layer.data
    inside = all(i is None or 0 <= i < size for i, size in zip(index, pixels.shape, strict=False))
    if layer.ndim != len(index) + 2 or not inside:
        raise ValueError(
            f"layer '{layer.name}' has no plane at the viewer's position: move the sliders onto it."
        )
    try:
        values = read(pixels[(*selection(index), *_slices(region))])
    except Exception as error:  # lazy data raise whatever their source leads them to
        raise ValueError(f"layer '{layer.name}' cannot be read: {first_line(error)}.") from error
    if getattr(layer, "rgb", False):
        values = values[..., :3]  # transparency is not restored
    return Plane(layer, values, index, channels, region, depth)


def describe_source(plane: Plane) -> dict[str, Any]:
    """Return the source of a plane, for the provenance of its result."""
    layer, channels = plane.layer, plane.channels
    source = {
        "layer": layer.name,
        "plane": list(plane.index),
        "path": layer.source.path,
        "rgb": plane.is_rgb,
    }
    if channels.axis is not None:
        source |= {
            "channel_axis": channels.axis,
            "channels": "jointly" if channels.jointly else "separately",
        }
    if plane.depth is not None:
        source["depth"] = plane.depth
    if plane.region is not None:
        source["region"] = [list(bounds) for bounds in plane.region]
    return source


def whole_stack(layer: Image, channels: Channels = NO_CHANNELS) -> Plane:
    """Load all planes of `layer`, with all channels, in full resolution.

    Raises
    ------
    ValueError
        If it has only one plane.
    """
    if layer.ndim < 3:
        raise ValueError(f"layer '{layer.name}' has only one plane: choose planes='displayed'.")
    return plane_at(layer, (None,) * (layer.ndim - 2), channels)


def displayed_channel(viewer: ViewerModel, plane: Plane, values: NDArray[Any]) -> NDArray[Any]:
    """Return the displayed channel, and plane of a volume, of a restored image."""
    position = to_data(viewer, plane.layer, viewer.dims.point[-plane.layer.ndim :])
    whole = [axis for axis, i in enumerate(plane.index) if i is None]
    alone = (plane.depth, None if plane.is_rgb or plane.is_stack else plane.channels.axis)
    for axis in sorted((axis for axis in alone if axis in whole), reverse=True):
        place, length = whole.index(axis), values.shape[whole.index(axis)]
        values = values.take(int(np.clip(np.rint(position[axis]), 0, length - 1)), axis=place)
    return values


def first_index(index: Index) -> tuple[int, ...]:
    """Return the first position along each axis."""
    return tuple(0 if i is None else i for i in index)


def in_layer_axes(plane: Plane, values: NDArray[Any]) -> NDArray[Any]:
    """Return a restored plane with the axes of its source layer."""
    inner = values.shape[-3:] if plane.is_rgb else values.shape[-2:]
    return values.reshape(plane.leading + inner)


def placement(
    plane: Plane, shape: Sequence[int], leading: tuple[int, ...] | None = None
) -> dict[str, Any]:
    """Return the layer options that align a result of (Y, X) `shape` with its source plane.

    `leading` is the number of its planes along each axis before Y and X, if not that of the source;
    if there are fewer, each spans several source planes.
    """
    layer = plane.layer
    shrink = np.array([*plane.leading, *plane.size]) / np.array(
        [*(leading or plane.leading), *shape]
    )
    # center of the first result pixel in source pixels: half a result pixel from the same corner
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


def full_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the values of black and white in an RGB image."""
    return 0.0, float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def result_options(plane: Plane, task: Task) -> dict[str, Any]:
    """Return the name, position and display options of the result layer."""
    layer = plane.layer
    suffix = method_of(task.kind).past_participle + ("" if plane.region is None else " (part)")
    options = {
        "name": f"{layer.name} {suffix}",
        "rgb": plane.is_rgb,
        **placement(plane, task.result_spatial_shape[-2:]),
    }
    if isinstance(layer, Image) and not plane.is_rgb:
        options |= {
            "colormap": layer.colormap,
            "contrast_limits": layer.contrast_limits,
            "gamma": layer.gamma,
        }
    return options


def empty_mask(viewer: ViewerModel, image: Image, channels: Channels = NO_CHANNELS) -> Labels:
    """Add an empty Labels layer for the displayed plane of `image`, for all channels."""
    plane = displayed_plane(viewer, image, channels)
    leading = (1,) * len(plane.index)
    blank = np.zeros(leading + plane.size, dtype=np.uint8)
    labels = Labels(blank, name=f"{image.name} missing", **placement(plane, plane.size, leading))
    viewer.add_layer(labels)
    viewer.layers.selection.active = labels
    labels.brush_size = max(5, round(max(blank.shape) / 50))
    labels.mode = "paint"
    return labels
