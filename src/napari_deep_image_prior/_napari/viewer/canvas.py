"""What the canvas shows and how it is laid out, for all supported versions of napari."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer
    from numpy.typing import NDArray


def camera(viewer: ViewerModel) -> Any:  # noqa: ANN401  (napari's, of one class or another)
    """Return the camera, which napari 0.9 moved."""
    return getattr(viewer, "scene", viewer).camera


def grid(viewer: ViewerModel) -> Any:  # noqa: ANN401  (napari's, of one class or another)
    """Return the layer grid, which napari 0.9 moved."""
    return getattr(viewer, "canvas", viewer).grid


def corners_shown(viewer: ViewerModel) -> list[NDArray[Any]]:
    """Return the corners of the visible region, in world coordinates.

    Raises
    ------
    ValueError
        If the canvas shows a volume.
    """
    if viewer.dims.ndisplay > 2:
        raise ValueError("the viewer shows a volume: switch to 2D to try the visible part.")
    half = _viewbox_size(viewer) / camera(viewer).zoom / 2
    corners = []
    for signs in product((-1, 1), (-1, 1)):
        point = np.array(viewer.dims.point, dtype=float)
        point[list(viewer.dims.displayed[-2:])] = (
            np.array(camera(viewer).center[-2:]) + half * signs
        )
        corners.append(point)
    return corners


def fit_view(viewer: ViewerModel, layer: Layer) -> None:
    """Zoom so that a layer fills the canvas, or each view of the grid."""
    axes = [axis - viewer.dims.ndim for axis in viewer.dims.displayed[-2:]]
    first, last = layer.extent.world[:, axes]
    seen = camera(viewer)
    seen.center = (*seen.center[:-2], *(first + last) / 2)
    seen.zoom = float(np.min(_viewbox_size(viewer) / np.maximum(last - first, 1e-9)))


def _viewbox_size(viewer: ViewerModel) -> NDArray[Any]:
    """Return the height and width of a view of the grid, or of the canvas, in screen pixels."""
    canvas = getattr(viewer, "canvas", None)
    # before napari 0.9 there was no public name
    return np.array(
        viewer._get_viewbox_size()  # noqa: SLF001
        if canvas is None
        else canvas.viewbox_size(viewer.layers)
    )
