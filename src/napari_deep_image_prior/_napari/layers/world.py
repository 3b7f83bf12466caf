"""World coordinates of a viewer, in its units: layers may have others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Layer
    from numpy.typing import ArrayLike, NDArray


def to_world(viewer: ViewerModel, layer: Layer, position: ArrayLike) -> NDArray[np.float64]:
    """Return the viewer's coordinates of a position in a layer's pixels."""
    point = np.asarray(layer.data_to_world(np.asarray(position)), dtype=float)
    return _converted(point, layer.units, viewer.layers.extent.units)


def to_data(viewer: ViewerModel, layer: Layer, point: ArrayLike) -> NDArray[np.float64]:
    """Return the position in a layer's pixels of a point in the viewer's coordinates."""
    own = _converted(np.asarray(point, dtype=float), viewer.layers.extent.units, layer.units)
    return np.asarray(layer.world_to_data(own), dtype=float)


def _converted(
    point: NDArray[np.float64], units: Sequence[Any] | None, wanted: Sequence[Any] | None
) -> NDArray[np.float64]:
    """Convert a point to other units; axes match from the last.

    The viewer has no units if those of its layers are of different kinds; it then mixes them.
    """
    if units is None or wanted is None:
        return point
    converted = point.copy()
    for axis in range(1, 1 + min(len(point), len(units), len(wanted))):
        if units[-axis] != wanted[-axis] and units[-axis].is_compatible_with(wanted[-axis]):
            converted[-axis] = (point[-axis] * units[-axis]).to(wanted[-axis]).magnitude
    return converted
