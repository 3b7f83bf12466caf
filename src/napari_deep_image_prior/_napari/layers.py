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

SUFFIX = {"denoise": "denoised", "inpaint": "inpainted", "super-resolve": "super-resolved"}


@dataclass(frozen=True, eq=False)
class Plane:
    """A 2D plane of a layer, or all its planes as a stack."""

    layer: Image | Labels
    values: NDArray[Any]
    """(Y, X), or (Y, X, 3) of a colour picture; of a stack with its other axes before these."""
    index: tuple[int, ...]
    """Where the plane lies along the layer's other axes; empty for a stack."""

    @property
    def is_rgb(self) -> bool:
        """Whether the last axis holds colours."""
        return bool(getattr(self.layer, "rgb", False))

    @property
    def size(self) -> tuple[int, int]:
        """Its height and width in pixels."""
        height, width = self.values.shape[-3:-1] if self.is_rgb else self.values.shape[-2:]
        return height, width

    def planes(self) -> Iterator[Plane]:
        """Take a stack apart."""
        for index in np.ndindex(self.values.shape[: self.layer.ndim - 2]):
            yield Plane(self.layer, self.values[index], index)


def displayed_plane(viewer: ViewerModel, layer: Image | Labels) -> Plane:
    """Take the plane of `layer` that `viewer` shows, at full resolution, into memory.

    Raises
    ------
    ValueError
        If the layer has no pixel at the position of the viewer's sliders.
    """
    if viewer.dims.ndisplay > 2 and layer.ndim > 2:
        raise ValueError("the viewer shows a volume: switch to 2D and choose the plane to restore.")
    if set(viewer.dims.displayed[-2:]) != {viewer.dims.ndim - 2, viewer.dims.ndim - 1}:
        raise ValueError("the viewer shows other axes than the last two: roll or transpose them back first.")
    return plane_at_point(layer, viewer.dims.point)


def plane_at_point(layer: Image | Labels, point: Sequence[float]) -> Plane:
    """Take the plane of `layer` at a world position.

    Raises
    ------
    ValueError
        If the layer has no pixel there.
    """
    position = np.asarray(layer.world_to_data(point[-layer.ndim :]))[:-2]
    return plane_at(layer, tuple(int(i) for i in np.rint(position)))


def plane_at(layer: Image | Labels, index: tuple[int, ...]) -> Plane:
    """Take the plane of `layer` at an index along its other axes, at full resolution, into memory.

    Raises
    ------
    ValueError
        If the layer has no such plane.
    """
    # a multiscale layer as a whole converts to its coarsest level; a dask one loads only the plane
    pixels = layer.data[0] if layer.multiscale else layer.data
    inside = all(0 <= i < size for i, size in zip(index, pixels.shape, strict=False))
    if layer.ndim != len(index) + 2 or not inside:
        raise ValueError(f"layer '{layer.name}' has no image plane at the viewer's position: move the sliders onto it.")
    values = np.asarray(pixels[index])
    if getattr(layer, "rgb", False):
        values = values[..., :3]  # transparency is not restored
    return Plane(layer, values, index)


def source_of(plane: Plane) -> dict[str, Any]:
    """Describe where a plane comes from, for the provenance of its result."""
    layer = plane.layer
    return {"layer": layer.name, "plane": list(plane.index), "path": layer.source.path, "rgb": plane.is_rgb}


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
    origin = np.array([*index, 0, 0]) + (shrink - 1) / 2
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
        "name": f"{layer.name} {SUFFIX[task.kind]}",
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
