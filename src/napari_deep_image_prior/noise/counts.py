"""Photon counts in small images: whole numbers whose variance is their mean.

In few blocks, texture that grows with intensity looks like photon noise of any gain. With the gain
1 and the offset 0 of a photon-counting detector, nothing has to be fitted, and the variance in each
brightness class must be the mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import gamma

from .correlated import BLOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = 4
"""Brightness classes of the blocks."""
LOWEST, HIGHEST = 0.65, 1.6
"""Accepted range of the variance over the mean; texture makes it larger."""
MAX_MEAN = 50.0
"""Largest mean of the image; above, the noise of other images has that variance by chance."""
BINARY = 0.1
"""Mean below which nearly all counts are 0 or 1; the mean of the variances is used there."""
QUARTER = 0.25
"""Quantile of the variances in a class, where few blocks have structure."""


def are_photon_counts(
    values: NDArray[np.float64], means: NDArray[np.float64], variances: NDArray[np.float64]
) -> bool:
    """Return whether pixel values are photon counts.

    Parameters
    ----------
    values : float array
        The pixels.
    means, variances : (n,) float arrays
        Mean and residual variance of each block.
    """
    if len(means) < CLASSES or values.min() < 0 or np.any(values != np.rint(values)):
        return False
    level = float(values.mean())
    if not 0 < level < MAX_MEAN:
        return False
    if level < BINARY:
        return LOWEST < float(variances.mean() / means.mean()) < HIGHEST
    return all(
        LOWEST < _relative_variance(means[members], variances[members]) < HIGHEST
        for members in np.array_split(np.argsort(means), CLASSES)
    )


def _relative_variance(means: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    """Return the variance of a class over that of photon counts with its mean."""
    mean = float(means.mean())
    if mean <= 0:
        return 0.0
    # the variance of the variance grows for few counts, by their kurtosis 1 / mean
    half = (BLOCK**2 - 3) / (2 + 1 / mean)
    expected = mean * gamma.ppf(QUARTER, half) / half
    return float(np.quantile(variances, QUARTER) / expected)
