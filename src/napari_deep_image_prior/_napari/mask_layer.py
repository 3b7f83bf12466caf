"""A mask layer as seen from an image: brought onto the image's pixels, whatever its own grid is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import affine_transform

from .layers import displayed_plane

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray

    from .layers import Plane

EXACT = 1e-6
"""Pixels by which two grids may differ and still be the same."""


class MaskLayer:
    """The plane of a Labels layer that lies on a restored plane.

    Raises
    ------
    ValueError
        If they lie nowhere on each other, or are tilted against each other.
    """

    def __init__(self, viewer: ViewerModel, labels: Labels, plane: Plane) -> None:
        self.labels, self._shape = labels, plane.size
        self._index = displayed_plane(viewer, labels).index
        corners = np.array([[0, 0], [1, 0], [0, 1]]) + plane.corner
        points = np.array([plane.layer.data_to_world((*plane.index, *corner)) for corner in corners])
        # a mask of fewer or more axes than the image: its other coordinates are where the viewer is
        position = np.tile(np.asarray(viewer.dims.point[-labels.ndim :], dtype=float), (3, 1))
        shared = min(points.shape[1], labels.ndim)
        position[:, -shared:] = points[:, -shared:]
        seen = np.array([labels.world_to_data(point) for point in position])
        if not np.allclose(seen[:, :-2], self._index, atol=0.5):
            raise ValueError(
                f"labels '{labels.name}' are tilted against image '{plane.layer.name}' or lie in another plane: "
                "make a fitting layer with 'New mask'."
            )
        self._offset = seen[0, -2:]
        self._matrix = (seen[1:, -2:] - self._offset).T
        if plane.region is None and not self._overlaps():
            raise ValueError(
                f"labels '{labels.name}' do not lie on image '{plane.layer.name}' (another scale or position): "
                "make a fitting layer with 'New mask'."
            )

    def missing(self) -> NDArray[np.bool_]:
        """Return which of the image's pixels are painted now, (Y, X); outside of the labels none is."""
        painted = self._painted()
        if self.is_exact:
            return painted
        # each pixel takes what is painted at its centre
        moved = affine_transform(painted.astype(np.uint8), self._matrix, self._offset, self._shape, order=0)
        return np.asarray(moved != 0)

    @property
    def is_exact(self) -> bool:
        """Whether each of its pixels is one of the image's."""
        same = np.allclose(self._matrix, np.eye(2), atol=EXACT) and np.allclose(self._offset, 0, atol=EXACT)
        return bool(same) and self._painted().shape == self._shape

    def mark(self, marked: NDArray[np.bool_]) -> None:
        """Paint pixels of the image, if `is_exact`; can be undone in the viewer."""
        rows, columns = np.nonzero(marked)
        if len(rows):
            self.labels.data_setitem((*(np.full(len(rows), i) for i in self._index), rows, columns), 1)

    def _painted(self) -> NDArray[np.bool_]:
        pixels = self.labels.data[0] if self.labels.multiscale else self.labels.data
        painted: NDArray[np.bool_] = np.asarray(pixels[self._index]) != 0
        return painted

    def _overlaps(self) -> bool:
        """Tell whether the centre of any pixel of the image lies on the labels."""
        inside = affine_transform(
            np.ones(self._painted().shape, dtype=np.uint8), self._matrix, self._offset, self._shape, order=0
        )
        return bool(inside.any())
