"""Contrast limits of a result whose source has limits widened by its noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Limits = tuple[float, float]
ROUND = 0.02
"""Tolerance of the source's limits, relative to its range of values."""
NARROWER = 0.95
"""Only a result whose range is at most this part of the source's limits gets limits of its own."""


def fitted_limits(
    given: Limits, source: NDArray[Any], result: NDArray[Any], *, part_of_stack: bool = False
) -> Limits | None:
    """Return the limits that fit a result, or None to keep the given ones.

    They are kept if the user has chosen them: if they are not the range of the source's values,
    or the result is not much narrower. A plane may have less than the range of its stack.
    """
    before, after = _range(source), _range(result)
    if before is None or after is None or after[1] <= after[0]:
        return None
    tolerance = ROUND * (given[1] - given[0])
    outside = given[0] - before[0], before[1] - given[1]  # positive: values beyond the limits
    automatic = max(outside) <= tolerance and (part_of_stack or min(outside) >= -tolerance)
    if not automatic or after[1] - after[0] > NARROWER * (given[1] - given[0]):
        return None
    return after


def _range(values: NDArray[Any]) -> Limits | None:
    finite = values if values.dtype.kind in "ui" else values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None
