"""Noise cut off at an end of the range of values: what is left of it there, and the mean that it hides.

A detector gives nothing below 0 and nothing beyond saturation. Next to such an end the noise is weaker, and the
mean of what is observed lies further inside than the truth: at 0 it is 0.4 standard deviations.
Foi, "Clipped noisy images: heteroskedastic modeling and practical denoising", Signal Processing 89 (2009) 2609,
doi:10.1016/j.sigpro.2009.04.035.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SHARE = 1e-3
"""Share of an image's pixels that have its extreme value, from which on that may be a clipped tail."""
NEXT = 0.25
"""Standard deviations from an extreme value in which a tail that is not clipped holds more than at its very end."""
REACH = 4
"""Standard deviations from an end of the range beyond which nothing, or all, is clipped."""
MOST_HIDDEN = 1.72
"""Noise looks so many times weaker at most where half of it was clipped."""
POINTS = 2001
"""Of the tables."""


@dataclass(frozen=True)
class Clipping:
    """The range to which Gaussian noise of one channel was clipped; an end that was not is infinite."""

    low: float
    high: float
    std: float
    """Standard deviation of the noise before."""

    def clip(self, noisy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Clip as the image was."""
        return np.clip(noisy, self.low, self.high)

    def unclipped(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the truth from the mean of what is observed; it may lie up to 4 standard deviations beyond an end."""
        truths, means, _ = self._tables
        return np.where(self._is_inside(mean), mean, np.interp(mean, means, truths))

    def variance(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the noise's variance where that is the mean of what is observed, as a share of `std` squared."""
        _, means, shares = self._tables
        return np.where(self._is_inside(mean), 1.0, np.interp(mean, means, shares))

    def describe(self) -> str:
        """Say in words at which values."""
        return f"clipped at {' and '.join(f'{end:.6g}' for end in (self.low, self.high) if math.isfinite(end))}"

    def _is_inside(self, mean: NDArray[np.float64]) -> NDArray[np.bool_]:
        reach = REACH * self.std
        inside: NDArray[np.bool_] = (mean > self.low + reach) & (mean < self.high - reach)
        return inside

    @cached_property
    def _tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return truths, the means observed of them, and the noise's variance there as a share."""
        reach = REACH * self.std
        around = np.linspace(-reach, reach, POINTS)
        truths = np.unique(
            np.concatenate([end + around for end in (self.low, self.high) if math.isfinite(end)])
        )
        # of a standard normal variable clipped to a..b
        a, b = (self.low - truths) / self.std, (self.high - truths) / self.std
        below, above = ndtr(a), ndtr(-b)
        kept = 1 - below - above
        mean = _density(a) - _density(b) + _product(a, below) + _product(b, above)
        square = kept + _product(a, _density(a)) - _product(b, _density(b))
        square += _product(a**2, below) + _product(b**2, above)
        return truths, truths + self.std * mean, square - mean**2


def find_clipping(image: NDArray[np.float64], std: float) -> Clipping | None:
    """Return where noise of that standard deviation was clipped in the values of an image; None where it was not.

    It was at an extreme value that a thousandth of the pixels have, if they are more than have values next to it.
    """
    low, high = (-_spike(-image.ravel(), std), _spike(image.ravel(), std))
    return Clipping(low, high, std) if math.isfinite(low) or math.isfinite(high) else None


def _spike(values: NDArray[np.float64], std: float) -> float:
    """Return the largest value if a tail was clipped there, infinity otherwise."""
    top = values.max()
    at_top = int((values == top).sum())
    near = values[(values < top) & (values >= top - REACH * std)]
    if at_top < max(LEAST_SHARE * values.size, 2) or not near.size:
        return math.inf
    following = float(near.max())
    if top - following >= std:
        return math.inf  # a few counts, a few gray levels: they look alike, but nothing was cut off
    # whole numbers: at least the next one
    return float(top) if at_top > (near >= min(top - NEXT * std, following)).sum() else math.inf


def _density(x: NDArray[np.float64]) -> NDArray[np.float64]:
    density: NDArray[np.float64] = np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    return density


def _product(x: NDArray[np.float64], vanishing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x times what vanishes where x is infinite."""
    return np.where(np.isfinite(x), x, 0) * vanishing
