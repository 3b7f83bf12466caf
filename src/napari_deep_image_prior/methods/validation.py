"""Validation of the user's arrays, once, when a task is created."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import has_data, unmasked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


SENTINELS = (-999.0, -9999.0, -99999.0, -32767.0, -32768.0, -(2.0**31))
"""Values that mean "no data" if all other pixels are far from them."""
COLORS = (2, 3, 4)
"""Sizes of the last axis that are those of colors, not of a volume's columns."""
LARGEST = 1e100
"""Largest absolute intensity."""
HUGE = 1e20
"""Absolute value from which on an extreme value far from all others means "no data"."""

MOST_VALUES = 4
"""Values that mean "no data" at each end of the range of an image."""


def no_data_values(image: NDArray[Any]) -> list[float]:
    """Return the values that mean "no data", such as -9999 or -3.4e38: far from all others.

    Their distance from the others is at least the range of these, and their absolute value at least
    twice the largest of these.
    """
    if image.dtype.kind == "u":
        return []
    finite = np.isfinite(image)
    known = image if finite.all() else image[finite]
    values: list[float] = []
    for extreme in (np.min, np.max):
        for _ in range(MOST_VALUES):
            value = float(extreme(known)) if known.size else 0.0
            if value not in SENTINELS and abs(value) < HUGE:
                break
            values.append(value)
            known = known[known != value]
    if not values or not known.size:
        return []
    low, high = float(known.min()), float(known.max())
    return [value for value in values if _is_far(value, low, high)]


def _is_far(value: float, low: float, high: float) -> bool:
    """Return whether a value is far from the range of all others."""
    distance = low - value if value < low else value - high
    return distance >= high - low and abs(value) >= 2 * max(abs(low), abs(high))


def unknown_pixels(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the mask of NaN and infinite pixels, and of those that mean "no data"."""
    unknown: NDArray[np.bool_] = ~np.isfinite(image)
    for value in no_data_values(image):
        unknown |= image == value
    return unknown


def no_data_summary(image: NDArray[Any]) -> str:
    """Return the share of pixels that mean "no data" as text; empty if there are none."""
    values = no_data_values(image)
    shares = (f"{100 * float((image == value).mean()):.2g} %" for value in values)
    parts = [
        f"{share} of the pixels are {value:g}" for share, value in zip(shares, values, strict=True)
    ]
    return f"{' and '.join(parts)} and count as unknown (no data)" if parts else ""


def checked_image(
    image: ArrayLike, channel_axis: int | None, *, volumes: bool = False
) -> tuple[NDArray[Any], int | None]:
    """Return a read-only view of the image, and the channel axis counted from the front."""
    array = unmasked(image)
    if array.dtype == bool:
        raise TypeError("image is boolean: convert it to numbers, for example 0 and 255, first.")
    if array.dtype.kind not in "uif" or array.dtype.itemsize > 8:
        raise TypeError(
            f"image has {array.dtype} values: use integers or real numbers of 64 bits at most."
        )
    axis = _checked_axis(channel_axis, array.ndim)
    spatial_ndim = array.ndim - (axis is not None)
    if spatial_ndim != 2 and not (volumes and spatial_ndim == 3):
        wanted = "(Y, X) or (Z, Y, X)" if volumes else "(Y, X)"
        raise ValueError(
            f"image has shape {array.shape} with {spatial_ndim} spatial axes, but {wanted} is "
            "expected: name the axis of colors or stains with channel_axis, and restore a stack "
            "plane by plane."
        )
    if spatial_ndim == 3 and axis is None and array.shape[-1] in COLORS:
        raise ValueError(
            f"image has shape {array.shape} and would be a volume with {array.shape[-1]} columns: "
            "give channel_axis=-1 if the last axis holds colors."
        )
    if array.size == 0:
        raise ValueError(f"image is empty (shape {array.shape}): use one with pixels.")
    view = array.view()
    view.flags.writeable = False
    return view, axis


def checked_spacing(spacing: Sequence[float], shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Return the distances of voxels along Z, Y and X.

    Raises
    ------
    TypeError, ValueError
        If they are not three positive numbers, or `shape` is not that of a volume.
    """
    try:
        values = tuple(float(value) for value in spacing)
    except (TypeError, ValueError) as error:
        raise TypeError(f"spacing={spacing!r} must be three numbers, for Z, Y and X.") from error
    if len(values) != 3 or not all(0 < value < math.inf for value in values):
        raise ValueError(f"spacing={spacing!r} must be three positive numbers, for Z, Y and X.")
    if len(shape) != 3:
        raise ValueError(
            f"spacing={spacing!r} is for volumes, (Z, Y, X), but the image has shape {shape}: omit "
            "it."
        )
    return values


def check_range(image: NDArray[Any]) -> None:
    """Raise ValueError if the squares of the known intensities would overflow."""
    if image.dtype != np.float64:
        return
    known = image[~unknown_pixels(image)]
    largest = float(np.abs(known).max(initial=0))
    if largest > LARGEST:
        raise ValueError(f"image has intensities of {largest:.1g}: divide it by a number.")


def check_finite(image: NDArray[Any], axis: int | None) -> None:
    """Raise ValueError if the image, or one of its channels, has no finite pixel."""
    if not has_data(image, axis):
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
