"""A mask layer resampled onto the pixels of an image, whatever its own grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import affine_transform

from ...arrays import selection
from .channels import Channels
from .plane import displayed_plane, first_index
from .world import to_data, to_world

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray

    from .plane import Plane

EXACT = 1e-6
"""Tolerance in pixels for two grids to be the same."""


class MaskLayer:
    """The plane of a Labels layer that covers a restored plane, for all or each of its channels.

    Raises
    ------
    ValueError
        If they do not overlap, or are tilted against each other.
    """

    def __init__(self, viewer: ViewerModel, labels: Labels, plane: Plane) -> None:
        self.labels, self._shape = labels, plane.size
        channel_axis = _channel_axis(labels, plane)
        self._index = displayed_plane(viewer, labels, Channels(channel_axis)).index
        corners = np.array([[0, 0], [1, 0], [0, 1]]) + plane.corner
        points = np.array(
            [to_world(viewer, plane.layer, (*first_index(plane.index), *each)) for each in corners]
        )
        # a mask may have more axes than the image: their coordinates are the viewer's
        position = np.tile(np.asarray(viewer.dims.point[-labels.ndim :], dtype=float), (3, 1))
        shared = min(points.shape[1], labels.ndim)
        position[:, -shared:] = points[:, -shared:]
        seen = np.array([to_data(viewer, labels, point) for point in position])
        elsewhere = [
            i is not None and bool((abs(seen[:, axis] - i) > 0.5).any())
            for axis, i in enumerate(self._index)
        ]
        if any(elsewhere):
            raise ValueError(
                f"labels '{labels.name}' are tilted against image '{plane.layer.name}' or lie in "
                "another plane: create a mask with 'New mask'."
            )
        self._offset = seen[0, -2:]
        self._matrix = (seen[1:, -2:] - self._offset).T
        if plane.region is None and not self._overlaps():
            raise ValueError(
                f"labels '{labels.name}' do not lie on image '{plane.layer.name}' (other scale or "
                "position): create a mask with 'New mask'."
            )

    def missing(self) -> NDArray[np.bool_]:
        """Return the painted pixels of the image, (Y, X) or (C, Y, X); none beyond the labels."""
        painted = self._painted()
        if self.is_exact:
            return painted
        # each pixel has the label at its center
        planes = painted.reshape(-1, *painted.shape[-2:]).astype(np.uint8)
        moved = [
            affine_transform(plane, self._matrix, self._offset, self._shape, order=0)
            for plane in planes
        ]
        return np.asarray(np.reshape(moved, painted.shape[:-2] + self._shape) != 0)

    @property
    def is_exact(self) -> bool:
        """Whether its pixels coincide with those of the image."""
        same = np.allclose(self._matrix, np.eye(2), atol=EXACT) and np.allclose(
            self._offset, 0, atol=EXACT
        )
        return bool(same) and self._painted().shape[-2:] == self._shape

    def mark(self, marked: NDArray[np.bool_]) -> None:
        """Paint pixels of the image, if `is_exact`; the user can undo it."""
        rows, columns = np.nonzero(marked)
        if len(rows):
            where = first_index(self._index)
            # napari does not update the slice of a hidden layer, and would paint elsewhere
            self.labels.set_view_slice()
            self.labels.data_setitem((*(np.full(len(rows), i) for i in where), rows, columns), 1)

    def _painted(self) -> NDArray[np.bool_]:
        pixels = self.labels.data[0] if self.labels.multiscale else self.labels.data
        painted: NDArray[np.bool_] = np.asarray(pixels[selection(self._index)]) != 0
        return painted[0] if None in self._index and len(painted) == 1 else painted

    def _overlaps(self) -> bool:
        """Whether the center of any pixel of the image lies on the labels."""
        inside = affine_transform(
            np.ones(self._painted().shape[-2:], dtype=np.uint8),
            self._matrix,
            self._offset,
            self._shape,
            order=0,
        )
        return bool(inside.any())


def _channel_axis(labels: Labels, plane: Plane) -> int | None:
    """Return the axis of labels that matches the channel axis of a plane; None if they have none.

    Raises
    ------
    ValueError
        If it holds neither one plane nor one for each channel.
    """
    axis = plane.channels.axis
    if axis is None or plane.index[axis] is not None or axis < plane.layer.ndim - labels.ndim:
        return None
    own: int = axis - (plane.layer.ndim - labels.ndim)
    pixels = labels.data[0] if labels.multiscale else labels.data
    expected, actual = plane.leading[axis], pixels.shape[own]
    if actual not in (1, expected):
        raise ValueError(
            f"labels '{labels.name}' have {actual} channels, but image '{plane.layer.name}' has "
            f"{expected}: use one plane for all channels ('New mask'), or one for each."
        )
    return own
