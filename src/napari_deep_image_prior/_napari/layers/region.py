"""Which part of an image is meant: what the canvas shows, a shape, or rows and columns."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Shapes

from ..viewer.canvas import corners_shown
from .plane import plane_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from .plane import Region

    AskedRegion: TypeAlias = str | Shapes | Sequence[Sequence[int]]

VISIBLE = "visible"
SMALLEST = 16
"""Pixels a side: the networks take less, but it would tell nothing about the whole."""
ACCEPTED = "give 'visible', a Shapes layer with a rectangle, or rows and columns as ((y0, y1), (x0, x1)) in pixels."
EXACT = 1e-6
"""Pixels by which a rectangle may miss a pixel's center."""


def region_of(viewer: ViewerModel, image: Image, region: AskedRegion | None) -> Region | None:
    """Return the rows and columns of `image` that are meant, cut off where it ends; None if that is all of it.

    Parameters
    ----------
    viewer : napari.Viewer
    image : napari.layers.Image
    region : "visible", Shapes layer, ((y0, y1), (x0, x1)) in pixels, or None

    Raises
    ------
    ValueError, TypeError
        If the region is not understood, does not lie on the image, or is too small.
    """
    if region is None:
        return None
    if isinstance(region, Shapes):
        what, asked = f"the shape on '{region.name}'", _around(image, _vertices(viewer, region))
    elif isinstance(region, str):
        if region != VISIBLE:
            raise ValueError(f"region={region!r} is unknown; {ACCEPTED}")
        what, asked = "the visible part", _around(image, corners_shown(viewer))
    else:
        what, asked = f"region={region!r}", _given(region)
    size = plane_size(image)
    (top, bottom), (left, right) = (
        (max(first, 0), min(last, limit)) for (first, last), limit in zip(asked, size, strict=True)
    )
    height, width = bottom - top, right - left
    if height <= 0 or width <= 0:
        raise ValueError(
            f"{what} does not lie on image '{image.name}' ({size[0]}x{size[1]} pixels): choose another."
        )
    if (height, width) == size:
        return None
    if min(height, width) < SMALLEST:
        raise ValueError(
            f"{what} has {height}x{width} pixels of image '{image.name}', too few to judge by: "
            f"at least {SMALLEST}x{SMALLEST} are needed."
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
        raise TypeError(f"region={region!r} is not understood: {ACCEPTED}") from error


def _around(image: Image, points: Iterable[NDArray[Any]]) -> Region:
    """Return the pixels whose centers lie in the bounding box of some world points."""
    inside = np.array([image.world_to_data(point) for point in points])[:, -2:]
    first = np.ceil(inside.min(axis=0) - EXACT).astype(int)
    last = np.floor(inside.max(axis=0) + EXACT).astype(int) + 1
    return (int(first[0]), int(last[0])), (int(first[1]), int(last[1]))


def _vertices(viewer: ViewerModel, shapes: Shapes) -> list[NDArray[Any]]:
    """Return the vertices of the rectangle that is meant, in world coordinates; a tilted one is as good."""
    chosen = sorted(shapes.selected_data) or list(range(len(shapes.data)))
    rectangles = [index for index in chosen if shapes.shape_type[index] == "rectangle"]
    found = rectangles or chosen
    if not found:
        raise ValueError(f"there is no shape on '{shapes.name}': draw a rectangle on it first.")
    if len(found) > 1:
        raise ValueError(
            f"there are {len(chosen)} shapes on '{shapes.name}': select the one that is meant."
        )
    points = []
    for vertex in shapes.data[found[0]]:
        # along other axes it counts where the viewer is: a rectangle drawn once serves for all planes
        point = np.array(viewer.dims.point, dtype=float)
        point[-2:] = np.asarray(shapes.data_to_world(vertex))[-2:]
        points.append(point)
    return points
