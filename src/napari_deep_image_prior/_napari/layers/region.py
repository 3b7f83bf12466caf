"""The region of an image to restore: its visible part, a shape, or rows and columns."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Shapes

from ..viewer.canvas import corners_shown
from .plane import plane_size
from .world import to_data, to_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from .plane import Region

    RegionLike: TypeAlias = str | Shapes | Sequence[Sequence[int]]

VISIBLE = "visible"
MIN_SIDE = 16
"""Shortest side in pixels: smaller regions say nothing about the whole image."""
ACCEPTED = (
    "use 'visible', a Shapes layer with a rectangle, or rows and columns in pixels as "
    "((y0, y1), (x0, x1))."
)
TOLERANCE = 1e-6
"""Tolerance in pixels for a pixel center to lie inside a rectangle."""


def region_of(viewer: ViewerModel, image: Image, region: RegionLike | None) -> Region | None:
    """Return a region as rows and columns clipped to `image`; None if it is the whole image.

    Parameters
    ----------
    viewer : napari.Viewer
    image : napari.layers.Image
    region : "visible", Shapes layer, ((y0, y1), (x0, x1)) in pixels, or None

    Raises
    ------
    ValueError, TypeError
        If the region is invalid, does not lie on the image, or is too small.
    """
    if region is None:
        return None
    if isinstance(region, Shapes):
        name, requested = (
            f"the shape on '{region.name}'",
            _around(viewer, image, _vertices(viewer, region)),
        )
    elif isinstance(region, str):
        if region != VISIBLE:
            raise ValueError(f"region={region!r} is unknown; {ACCEPTED}")
        name, requested = "the visible part", _around(viewer, image, corners_shown(viewer))
    else:
        name, requested = f"region={region!r}", _given(region)
    size = plane_size(image)
    (top, bottom), (left, right) = (
        (max(first, 0), min(last, limit))
        for (first, last), limit in zip(requested, size, strict=True)
    )
    height, width = bottom - top, right - left
    if height <= 0 or width <= 0:
        raise ValueError(
            f"{name} does not lie on image '{image.name}' ({size[0]}x{size[1]} pixels): "
            "choose another region."
        )
    if (height, width) == size:
        return None
    if min(height, width) < MIN_SIDE:
        raise ValueError(
            f"{name} has {height}x{width} pixels of image '{image.name}': "
            f"at least {MIN_SIDE}x{MIN_SIDE} are needed."
        )
    return (top, bottom), (left, right)


def _given(region: Sequence[Sequence[int]]) -> Region:
    try:
        (top, bottom), (left, right) = region
        return (operator.index(top), operator.index(bottom)), (
            operator.index(left),
            operator.index(right),
        )
    except (TypeError, ValueError) as error:
        raise TypeError(f"region={region!r} is invalid: {ACCEPTED}") from error


def _around(viewer: ViewerModel, image: Image, points: Iterable[NDArray[Any]]) -> Region:
    """Return the pixels whose centers lie in the bounding box of world points."""
    inside = np.array([to_data(viewer, image, point) for point in points])[:, -2:]
    first = np.ceil(inside.min(axis=0) - TOLERANCE).astype(int)
    last = np.floor(inside.max(axis=0) + TOLERANCE).astype(int) + 1
    return (int(first[0]), int(last[0])), (int(first[1]), int(last[1]))


def _vertices(viewer: ViewerModel, shapes: Shapes) -> list[NDArray[Any]]:
    """Return the vertices of the selected or only rectangle or shape, in world coordinates."""
    candidates = sorted(shapes.selected_data) or list(range(len(shapes.data)))
    rectangles = [index for index in candidates if shapes.shape_type[index] == "rectangle"]
    chosen = rectangles or candidates
    if not chosen:
        raise ValueError(f"there is no shape on '{shapes.name}': draw a rectangle on it first.")
    if len(chosen) > 1:
        raise ValueError(f"there are {len(candidates)} shapes on '{shapes.name}': select one.")
    points = []
    for vertex in shapes.data[chosen[0]]:
        # along other axes the viewer's position counts: one rectangle serves for all planes
        point = np.array(viewer.dims.point, dtype=float)
        point[-2:] = to_world(viewer, shapes, vertex)[-2:]
        points.append(point)
    return points
