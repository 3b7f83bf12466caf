"""The width of the holes on a painted mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import distance_transform_edt

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILLABLE = 20
"""Width in pixels up to which holes are filled with structure (see "Limits" in the docs)."""
MAX_PIXELS = 2**20
"""Larger masks are measured on every second, third, ... pixel."""


def widest_hole(missing: NDArray[Any]) -> float:
    """Return the diameter in pixels of the largest circle inside the holes of a (Y, X) mask.

    Pixels outside of the image are unknown too. 0 if nothing or everything is missing.

    Examples
    --------
    >>> mask = np.zeros((60, 80))
    >>> mask[20:51, 5:75] = 1
    >>> widest_hole(mask)
    31.0
    """
    rows, columns = (np.flatnonzero(missing.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return 0.0
    # the holes and the pixels around them
    part = missing[
        max(rows[0] - 1, 0) : rows[-1] + 2, max(columns[0] - 1, 0) : columns[-1] + 2
    ].astype(bool)
    stride = int(np.ceil(np.sqrt(part.size / MAX_PIXELS)))
    part = part[::stride, ::stride]
    if part.all():
        return 0.0
    # the distance to the center of a known pixel: half a pixel more than to its edge
    return float(2 * distance_transform_edt(part).max() - 1) * stride
