"""Between napari layers and arrays: which plane is restored, and where its result lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.transforms import Affine

from ..tasks import Inpaint, SuperResolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ..tasks import Task

Region = tuple[tuple[int, int], tuple[int, int]]
"""Rows and columns of a plane in pixels, ((y0, y1), (x0, x1)), without those of y1 and x1."""

SUFFIX = {"denoise": "denoised", "inpaint": "inpainted", "super-resolve": "super-resolved"}


@dataclass(frozen=True, eq=False)
class Plane:
    """A 2D plane of a layer, or all its planes as a stack."""

    layer: Image | Labels
    values: NDArray[Any]
    """(Y, X), or (Y, X, 3) of a colour picture; of a stack with its other axes before these."""
    index: tuple[int, ...]
    """Where the plane lies along the layer's other axes; empty for a stack."""
    region: Region | None = None
    """The part of the plane that was taken; None: all of it."""

    @property
    def is_rgb(self) -> bool:
        """Whether the last axis holds colours."""
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
        """Take the region from an array of the whole plane; one of the region's size is taken as it is."""
        is_whole = whole.shape[:2] == plane_size(self.layer)
        return whole[_slices(self.region)] if is_whole else whole

    def planes(self) -> Iterator[Plane]:
        """Take a stack apart."""
        for index in np.ndindex(self.values.shape[: self.layer.ndim - 2]):
            yield Plane(self.layer, self.values[index], index)


def displayed_plane(viewer: ViewerModel, layer: Image | Labels, region: Region | None = None) -> Plane:
    """Take the plane of `layer` that `viewer` shows, or a part of it, at full resolution, into memory.

    Raises
    ------
    ValueError
        If the layer has no pixel at the position of the viewer's sliders.
    """
    return plane_at(layer, displayed_index(viewer, layer), region)


def displayed_index(viewer: ViewerModel, layer: Image | Labels) -> tuple[int, ...]:
    """Return where the plane that `viewer` shows lies along the other axes of `layer`.

    Raises
    ------
    ValueError
        If it shows no plane of the layer.
    """
    if viewer.dims.ndisplay > 2 and layer.ndim > 2:
        raise ValueError("the viewer shows a volume: switch to 2D and choose the plane to restore.")
    if set(viewer.dims.displayed[-2:]) != {viewer.dims.ndim - 2, viewer.dims.ndim - 1}:
        raise ValueError("the viewer shows other axes than the last two: roll or transpose them back first.")
    return _index_at(layer, viewer.dims.point)


def plane_at_point(layer: Image | Labels, point: Sequence[float]) -> Plane:
    """Take the plane of `layer` at a world position.

    Raises
    ------
    ValueError
        If the layer has no pixel there.
    """
    return plane_at(layer, _index_at(layer, point))


def _index_at(layer: Image | Labels, point: Sequence[float]) -> tuple[int, ...]:
    position = np.asarray(layer.world_to_data(point[-layer.ndim :]))[:-2]
    return tuple(int(i) for i in np.rint(position))


def plane_size(layer: Image | Labels) -> tuple[int, int]:
    """Return the height and width of the planes of `layer` at full resolution."""
    pixels = layer.data[0] if layer.multiscale else layer.data
    height, width = pixels.shape[layer.ndim - 2 : layer.ndim]
    return height, width


def _slices(region: Region | None) -> tuple[slice, slice]:
    rows, columns = region or ((None, None), (None, None))
    return slice(*rows), slice(*columns)


def plane_at(layer: Image | Labels, index: tuple[int, ...], region: Region | None = None) -> Plane:
    """Take the plane of `layer` at an index along its other axes, or a part of it, at full resolution, into memory.

    Raises
    ------
    ValueError
        If the layer has no such plane.
    """
    # a multiscale layer as a whole converts to its coarsest level; a dask one loads only what is asked for
    pixels = layer.data[0] if layer.multiscale else layer.data
    inside = all(0 <= i < size for i, size in zip(index, pixels.shape, strict=False))
    if layer.ndim != len(index) + 2 or not inside:
        raise ValueError(f"layer '{layer.name}' has no image plane at the viewer's position: move the sliders onto it.")
    values = np.asarray(pixels[(*index, *_slices(region))])
    if getattr(layer, "rgb", False):
        values = values[..., :3]  # transparency is not restored
    return Plane(layer, values, index, region)


def source_of(plane: Plane) -> dict[str, Any]:
    """Describe where a plane comes from, for the provenance of its result."""
    layer = plane.layer
    source = {"layer": layer.name, "plane": list(plane.index), "path": layer.source.path, "rgb": plane.is_rgb}
    return source if plane.region is None else source | {"region": [list(bounds) for bounds in plane.region]}


def whole_stack(layer: Image) -> Plane:
    """Take all planes of `layer` at full resolution into memory.

    Raises
    ------
    ValueError
        If it has only one.
    """
    if layer.ndim < 3:
        raise ValueError(f"layer '{layer.name}' is a single plane: there are no others to restore.")
    values = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    return Plane(layer, values[..., :3] if layer.rgb else values, ())


def first_picture(task: Task, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what the result layer shows before the first restoration: the input itself, in the result's dtype."""
    image = np.array(task.image, dtype=dtype)
    if isinstance(task, SuperResolve):
        # nearest: each large pixel takes the small one below its centre
        for axis, (size, factor) in enumerate(zip(task.result_shape, task.factors, strict=False)):
            nearest = np.floor((np.arange(size) + 0.5) / factor).astype(int)
            image = image.take(np.minimum(nearest, image.shape[axis] - 1), axis)
    unknown = np.asarray(task.missing) if isinstance(task, Inpaint) else ~np.isfinite(image)
    if unknown.any():
        image[unknown] = np.median(image[~unknown]).astype(image.dtype)
    return image


def picture(plane: Plane, values: NDArray[Any]) -> NDArray[Any]:
    """Give a restored plane the axes of its source layer."""
    return values.reshape((1,) * len(plane.index) + values.shape)


def placement(plane: Plane, shape: Sequence[int]) -> dict[str, Any]:
    """Return the layer options that put a result of (Y, X) `shape` exactly on its source plane."""
    layer = plane.layer
    shrink = np.ones(layer.ndim)
    shrink[-2:] = np.array(plane.size) / np.array(shape)
    # the centre of the first result pixel, in the source's pixel coordinates: half a pixel in from the same corner
    index = plane.index or (0,) * (layer.ndim - 2)
    origin = np.array([*index, *plane.corner]) + (shrink - 1) / 2
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
    """Return black and white of a colour picture."""
    return 0.0, float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def result_options(plane: Plane, task: Task) -> dict[str, Any]:
    """Return how the result layer is named, placed and shown."""
    layer = plane.layer
    shown = {
        "name": f"{layer.name} {SUFFIX[task.kind]}{'' if plane.region is None else ' (part)'}",
        "rgb": plane.is_rgb,
        **placement(plane, task.result_shape[:2]),
    }
    if isinstance(layer, Image) and not plane.is_rgb:
        shown |= {"colormap": layer.colormap, "contrast_limits": layer.contrast_limits, "gamma": layer.gamma}
    return shown


def empty_mask(viewer: ViewerModel, image: Image) -> Labels:
    """Add an empty Labels layer that fits the displayed plane of `image`, ready to paint."""
    plane = displayed_plane(viewer, image)
    blank = picture(plane, np.zeros(plane.size, dtype=np.uint8))
    labels = Labels(blank, name=f"{image.name} missing", **placement(plane, plane.size))
    viewer.add_layer(labels)
    viewer.layers.selection.active = labels
    labels.brush_size = max(5, round(max(blank.shape) / 50))
    labels.mode = "paint"
    return labels
