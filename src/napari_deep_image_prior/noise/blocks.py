"""The flattest blocks of an image, and the noise that they show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .correlated import (
    BLOCK,
    NoiseCorrelation,
    correlation_from_lag1,
    plane_basis,
    residual_statistics,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST_TENTH = 0.77
"""10 % quantile of a chi-squared variable with 61 degrees of freedom, over 61."""
BINS = 16
"""Brightness classes of the blocks."""
LEAST = 30
"""Principal components of a class of blocks that hold noise rather than structure; of 61."""
LEAST_BIAS = 6.75
"""Part by which their mean is below the variance of white noise, times the root of the number of
blocks; within 1 % from 120 blocks on."""
CLASS_BLOCKS = 200
"""Fewest blocks of a class for its principal components."""


def blocks_of(image: NDArray[Any]) -> NDArray[Any]:
    """Return (n, BLOCK^2) blocks at every 4 pixels, further apart above 2^20 pixels."""
    step = 4 * math.ceil(math.sqrt(image.size / 2**20))
    if min(image.shape) < BLOCK:
        return np.empty((0, BLOCK**2), dtype=image.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(image, (BLOCK, BLOCK))[::step, ::step]
    return windows.reshape(-1, BLOCK**2)


def block_residuals(
    blocks: NDArray[np.float64],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return each block's mean, the variance of its residual from a plane, and that residual."""
    basis = plane_basis()
    residuals = blocks - (blocks @ basis) @ basis.T
    variances = (residuals**2).sum(axis=1) / (BLOCK**2 - 3)
    return blocks.mean(axis=1), variances, residuals.reshape(-1, BLOCK, BLOCK)


@dataclass(frozen=True)
class FlatBlocks:
    """The flattest blocks of each class of brightness."""

    means: NDArray[np.float64]
    """Mean brightness of each class."""
    tenths: NDArray[np.float64]
    """10 % quantile of the residual variances in each class."""
    components: NDArray[np.float64] | None
    """Noise variance of each class from its smallest principal components, which hold the least
    structure, assuming white noise; None if there are too few blocks."""
    lag1: tuple[float, float]
    """Lag-1 autocorrelations of the noise along Y and X."""

    @property
    def variances(self) -> NDArray[np.float64]:
        """Noise variance of each class, assuming white noise."""
        if self.components is None or self.correlation:
            return self.tenths / LOWEST_TENTH
        return self.components

    @property
    def correlation(self) -> NoiseCorrelation:
        """Spatial correlation of the noise."""
        return correlation_from_lag1(*self.lag1)

    @property
    def correlated_std(self) -> float:
        """Standard deviation of the noise, assuming this correlation."""
        expected = residual_statistics(self.correlation).quantile(0.1)
        return math.sqrt(float(np.median(self.tenths)) / expected)


def flat_blocks(blocks: NDArray[np.float64]) -> FlatBlocks:
    """Return the flattest of (n, BLOCK^2) blocks, by brightness."""
    means, variances, residuals = block_residuals(blocks)
    brightness, tenths, components, flat_residuals = [], [], [], []
    for members in np.array_split(np.argsort(means), BINS):
        limit = np.percentile(variances[members], 10)
        flat = members[variances[members] <= limit]
        brightness.append(means[flat].mean())
        tenths.append(limit)
        components.append(_least_components(residuals[members].reshape(len(members), -1)))
        flat_residuals.append(residuals[flat] / math.sqrt(max(limit, 1e-12)))
    noise = np.concatenate(flat_residuals[BINS // 4 :])  # the darkest quarter may be clipped
    power = max(float((noise**2).mean()), 1e-12)
    along_y = float((noise[:, 1:] * noise[:, :-1]).mean()) / power
    along_x = float((noise[:, :, 1:] * noise[:, :, :-1]).mean()) / power
    is_enough = len(blocks) >= BINS * CLASS_BLOCKS
    return FlatBlocks(
        np.array(brightness),
        np.array(tenths),
        np.array(components) if is_enough else None,
        (along_y, along_x),
    )


def _least_components(residuals: NDArray[np.float64]) -> float:
    """Return the variance of white noise from the lower half of the principal components.

    residuals: (n, BLOCK^2), without a plane each. The mean of these components is below the
    variance, by a part that was measured on white noise for blocks that overlap by a half.
    """
    values = np.linalg.eigvalsh(residuals.T @ residuals / len(residuals))[3:]
    return float(values[:LEAST].mean()) / (1 - LEAST_BIAS / math.sqrt(max(len(residuals), 60)))


def smallest_components(blocks: NDArray[np.float64]) -> float:
    """Return the noise level from the smallest principal components of the blocks.

    Noise is the largest set of small eigenvalues whose mean does not exceed its median: Chen, Zhu,
    Heng, ICCV 2015, doi:10.1109/ICCV.2015.62.
    """
    values = np.sort(np.linalg.eigvalsh(np.cov(blocks.T)))[::-1]
    noise = next(
        (values[i:] for i in range(len(values)) if values[i:].mean() <= np.median(values[i:])),
        values[-1:],
    )
    return math.sqrt(max(float(noise.mean()), 0))
