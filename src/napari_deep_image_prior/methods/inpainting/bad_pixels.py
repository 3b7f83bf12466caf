"""Find pixels of an image that are not to be trusted, by their values alone: a mask for inpainting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

SHARED = 3
"""Pixels that must share the largest value for it to be taken for the sensor's limit."""
STANDS_OUT = 6.0
"""How many times the typical difference between neighboring rows a stripe differs from both of its own."""


def not_finite(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark pixels that are NaN or infinite; (Y, X) or (Y, X, C), any channel, as for all functions here."""
    return _any_channel(~np.isfinite(image))


def saturated(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark pixels at the largest value, if it is the dtype's or shared by several pixels: the sensor's limit."""
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return np.zeros(image.shape[:2], dtype=bool)
    largest = finite.max()
    at_limit = _any_channel(np.asarray(image == largest))
    is_limit = image.dtype.kind in "ui" and largest == np.iinfo(image.dtype).max
    return at_limit if is_limit or at_limit.sum() >= SHARED else np.zeros_like(at_limit)


def dead(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark pixels that are exactly 0, in all channels."""
    return ~_any_channel(np.asarray(image != 0))


def above(image: NDArray[Any], value: float) -> NDArray[np.bool_]:
    """Mark pixels above a value."""
    return _any_channel(np.asarray(image > value))


def below(image: NDArray[Any], value: float) -> NDArray[np.bool_]:
    """Mark pixels below a value."""
    return _any_channel(np.asarray(image < value))


def striped_rows(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark single rows that differ from both rows beside them, as a faulty line of a sensor does."""
    gray = image.mean(axis=-1) if image.ndim == 3 else image.astype(np.float64)
    seen = np.isfinite(gray)
    marked = np.zeros(gray.shape, dtype=bool)
    if not seen.any() or len(gray) < 5:
        return marked
    filled = np.where(seen, gray, np.median(gray[seen]))
    before, after = np.roll(filled, 1, axis=0), np.roll(filled, -1, axis=0)
    for edge, inward in (
        (0, 1),
        (-1, -1),
    ):  # the outermost rows are compared with two lines drawn from further in
        a, b, c = (filled[edge + places * inward] for places in (1, 2, 4))
        before[edge], after[edge] = 2 * a - b, 2 * b - c
    before, after = (np.median(filled - beside, axis=1) for beside in (before, after))
    # in units of how much rows bend by themselves; the floor is for images in which none does
    floor = 1e-3 * (np.percentile(filled, 99) - np.percentile(filled, 1))
    typical = np.median(np.abs(before + after)) / 2
    differs = np.minimum(np.abs(before), np.abs(after)) > max(STANDS_OUT * typical, floor)
    marked[differs & (before * after > 0)] = True
    return marked


def striped_columns(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark single columns that differ from both columns beside them."""
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
