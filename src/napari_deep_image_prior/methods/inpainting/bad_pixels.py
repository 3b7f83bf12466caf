"""Detection of bad pixels by their values, as masks for inpainting.

All functions accept a (Y, X) or (Y, X, C) image and return a (Y, X) mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

MIN_SATURATED = 3
"""Fewest pixels at the largest value for it to be the saturation level."""
STRIPE_CONTRAST = 6.0
"""Smallest difference of a stripe from both neighboring rows, relative to the typical curvature."""


def not_finite(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark pixels that are NaN or infinite in any channel."""
    return _any_channel(~np.isfinite(image))


def saturated(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark pixels at the saturation level in any channel.

    The saturation level is the image's largest value, if it is the largest of an integer dtype or
    several pixels have it.
    """
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return np.zeros(image.shape[:2], dtype=bool)
    largest = finite.max()
    at_limit = _any_channel(np.asarray(image == largest))
    is_limit = image.dtype.kind in "ui" and largest == np.iinfo(image.dtype).max
    return at_limit if is_limit or at_limit.sum() >= MIN_SATURATED else np.zeros_like(at_limit)


def dead(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark pixels that are exactly 0 in all channels."""
    return ~_any_channel(np.asarray(image != 0))


def above(image: NDArray[Any], value: float) -> NDArray[np.bool_]:
    """Mark pixels above a value in any channel."""
    return _any_channel(np.asarray(image > value))


def below(image: NDArray[Any], value: float) -> NDArray[np.bool_]:
    """Mark pixels below a value in any channel."""
    return _any_channel(np.asarray(image < value))


def striped_rows(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark single rows that differ from both neighboring rows, such as a defective sensor line."""
    gray = image.mean(axis=-1) if image.ndim == 3 else image.astype(np.float64)
    finite = np.isfinite(gray)
    marked = np.zeros(gray.shape, dtype=bool)
    if not finite.any() or len(gray) < 5:
        return marked
    filled = np.where(finite, gray, np.median(gray[finite]))
    before, after = np.roll(filled, 1, axis=0), np.roll(filled, -1, axis=0)
    # the outermost rows are compared with two extrapolations of inner rows
    for edge, inward in ((0, 1), (-1, -1)):
        a, b, c = (filled[edge + places * inward] for places in (1, 2, 4))
        before[edge], after[edge] = 2 * a - b, 2 * b - c
    before, after = (np.median(filled - beside, axis=1) for beside in (before, after))
    # relative to the typical curvature across rows; the floor is for images without curvature
    floor = 1e-3 * (np.percentile(filled, 99) - np.percentile(filled, 1))
    typical = np.median(np.abs(before + after)) / 2
    differs = np.minimum(np.abs(before), np.abs(after)) > max(STRIPE_CONTRAST * typical, floor)
    marked[differs & (before * after > 0)] = True
    return marked


def striped_columns(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark single columns that differ from both neighboring columns."""
    return striped_rows(np.swapaxes(image, 0, 1)).T


def _any_channel(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(mask.any(axis=-1)) if mask.ndim == 3 else mask


BY_THEMSELVES: Mapping[str, Callable[[NDArray[Any]], NDArray[np.bool_]]] = {
    "saturated": saturated,
    "dead (0)": dead,
    "NaN": not_finite,
    "striped rows": striped_rows,
    "striped columns": striped_columns,
}
BY_A_VALUE: Mapping[str, Callable[[NDArray[Any], float], NDArray[np.bool_]]] = {
    "above": above,
    "below": below,
}
