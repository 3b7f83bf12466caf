"""Validation of the user's arrays, once, when a task is created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def checked_image(image: ArrayLike, channel_axis: int | None) -> tuple[NDArray[Any], int | None]:
    """Return a read-only view of the image, and the channel axis counted from the front."""
    array = np.asarray(image)
    if array.dtype == bool:
        raise TypeError("image is boolean: convert it to numbers, for example 0 and 255, first.")
    if array.dtype.kind not in "uif":
        raise TypeError(f"image has {array.dtype} values: use integers or real numbers.")
    axis = _checked_axis(channel_axis, array.ndim)
    spatial_ndim = array.ndim - (axis is not None)
    if spatial_ndim != 2:
        raise ValueError(
            f"image has shape {array.shape} with {spatial_ndim} spatial axes, but (Y, X) is "
            "expected: name the axis of colors or stains with channel_axis, and restore a stack "
            "plane by plane."
        )
    if array.size == 0:
        raise ValueError(f"image is empty (shape {array.shape}): use one with pixels.")
    view = array.view()
    view.flags.writeable = False
    return view, axis


def check_finite(image: NDArray[Any], axis: int | None) -> None:
    """Raise ValueError if the image, or one of its channels, has no finite pixel."""
    spatial = tuple(index for index in range(image.ndim) if index != axis)
    if not np.isfinite(image).any(axis=spatial).all():
        where = "" if axis is None else " in one of its channels"
        raise ValueError(f"image has no finite pixel{where}: at least one is needed.")


def _checked_axis(channel_axis: int | None, ndim: int) -> int | None:
    if channel_axis is None:
        return None
    if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer):
        raise TypeError(f"channel_axis must be an int or None, not {channel_axis!r}.")
    if not -ndim <= channel_axis < ndim:
        raise ValueError(
            f"channel_axis={channel_axis} does not exist in an image with {ndim} axes: "
            f"use {-ndim} to {ndim - 1}."
        )
    return int(channel_axis) % ndim
