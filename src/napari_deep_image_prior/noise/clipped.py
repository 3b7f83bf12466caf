"""Clipped Gaussian noise: its variance, and the bias of its mean.

A detector reports nothing below 0 and nothing above saturation. Near such a limit the noise is
weaker, and the observed mean is biased inward: by 0.4 standard deviations where the truth is 0.
Foi, "Clipped noisy images: heteroskedastic modeling and practical denoising", Signal Processing
89 (2009) 2609, doi:10.1016/j.sigpro.2009.04.035.
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

MIN_FRACTION = 1e-3
"""Fraction of pixels at the extreme value from which on that value may be a clipping limit."""
NEAR = 0.25
"""Width of the interval beside the extreme value, in standard deviations; without clipping it holds
more pixels than the extreme value itself."""
REACH = 4
"""Distance from a clipping limit, in standard deviations, beyond which clipping has no effect."""
MAX_STD_RATIO = 1.72
"""Largest ratio of the true to the observed standard deviation, where half of it was clipped."""
TABLE_LENGTH = 2001
"""Length of the lookup tables for each limit."""


@dataclass(frozen=True)
class Clipping:
    """The range to which Gaussian noise of one channel was clipped, in intensity units."""

    low: float
    """Lower limit; minus infinity if there is none."""
    high: float
    """Upper limit; infinity if there is none."""
    std: float
    """Standard deviation of the noise before clipping."""

    def clip(self, noisy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Clip intensities to the range."""
        return np.clip(noisy, self.low, self.high)

    def unclip(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean before clipping for an observed mean, at most 4 std beyond a limit."""
        truths, means, _ = self._tables
        return np.where(self._is_inside(mean), mean, np.interp(mean, means, truths))

    def variance(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the noise variance at an observed mean, relative to `std` squared (0 to 1)."""
        _, means, variances = self._tables
        return np.where(self._is_inside(mean), 1.0, np.interp(mean, means, variances))

    def describe(self) -> str:
        """Return the limits as text."""
        limits = (f"{end:.6g}" for end in (self.low, self.high) if math.isfinite(end))
        return f"clipped at {' and '.join(limits)}"

    def _is_inside(self, mean: NDArray[np.float64]) -> NDArray[np.bool_]:
        reach = REACH * self.std
        inside: NDArray[np.bool_] = (mean > self.low + reach) & (mean < self.high - reach)
        return inside

    @cached_property
    def _tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return true means, the observed means, and the relative variances."""
        reach = REACH * self.std
        around = np.linspace(-reach, reach, TABLE_LENGTH)
        truths = np.unique(
            np.concatenate([end + around for end in (self.low, self.high) if math.isfinite(end)])
        )
        # moments of a standard normal variable clipped to a..b
        a, b = (self.low - truths) / self.std, (self.high - truths) / self.std
        below, above = ndtr(a), ndtr(-b)
        kept = 1 - below - above
        mean = _density(a) - _density(b) + _product(a, below) + _product(b, above)
        square = kept + _product(a, _density(a)) - _product(b, _density(b))
        square += _product(a**2, below) + _product(b**2, above)
        return truths, truths + self.std * mean, square - mean**2


def detect_clipping(image: NDArray[np.float64], std: float) -> Clipping | None:
    """Detect clipping of noise with standard deviation `std` from an image's values; None if none.

    An extreme value is a clipping limit if at least a thousandth of the pixels have it, and more
    pixels than have values close to it.
    """
    low, high = (-_spike(-image.ravel(), std), _spike(image.ravel(), std))
    return Clipping(low, high, std) if math.isfinite(low) or math.isfinite(high) else None


def _spike(values: NDArray[np.float64], std: float) -> float:
    """Return the largest value if it is a clipping limit, else infinity."""
    top = values.max()
    at_top = int((values == top).sum())
    near = values[(values < top) & (values >= top - REACH * std)]
    if at_top < max(MIN_FRACTION * values.size, 2) or not near.size:
        return math.inf
    following = float(near.max())
    if top - following >= std:
        return math.inf  # photon counts or few gray levels: many equal values without clipping
    # for integers the interval contains at least the next value
    return float(top) if at_top > (near >= min(top - NEAR * std, following)).sum() else math.inf


def _density(x: NDArray[np.float64]) -> NDArray[np.float64]:
    density: NDArray[np.float64] = np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    return density


def _product(x: NDArray[np.float64], vanishing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x * vanishing, 0 where x is infinite."""
    return np.where(np.isfinite(x), x, 0) * vanishing
