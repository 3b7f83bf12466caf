r"""Spatially correlated noise, modeled as white noise filtered by a Gaussian.

Detectors and resampling produce such noise. The filter width is estimated from blocks without
structure. The residual of a block after subtracting its best-fitting plane has the covariance
P K P (P: the projection, K: the covariance of the noise), which predicts the lag-1
autocorrelation of the residual and the distribution of its variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import toeplitz
from scipy.stats import gamma

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

BLOCK = 8
"""Edge of the blocks used for noise estimation, in pixels."""
WIDEST = 1.5
"""Largest filter width that can be distinguished from structure (standard deviation in pixels)."""
NARROWEST = 0.25
"""Smaller widths count as white: lag-1 autocorrelations of white noise reach 0.1 in some images."""
MAX_GAIN = 1.5
"""Largest amplification of a frequency by the whitening filter."""
GRID = 64
"""Frequencies along each axis where no image shape is given."""
MARGIN = 16
"""Pixels of mirrored padding before filtering in the frequency domain."""


@dataclass(frozen=True)
class NoiseCorrelation:
    """Width of the Gaussian filter that describes the spatial correlation of the noise."""

    y: float = 0.0
    """Standard deviation along Y, in pixels."""
    x: float = 0.0
    """Standard deviation along X, in pixels."""

    def __bool__(self) -> bool:
        return max(self.y, self.x) >= NARROWEST

    def transfer(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return the noise amplitude at each frequency of a (Y, X) image; the mean square is 1."""
        strength: NDArray[np.float64] = np.outer(
            _transfer(shape[0], self.y), _transfer(shape[1], self.x)
        )
        strength /= np.sqrt(np.square(strength).mean())
        return strength

    def whitening(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return the whitening filter, its gain limited to `MAX_GAIN`.

        Noise of standard deviation 1 keeps that standard deviation.
        """
        strength = self.transfer(shape)
        factors: NDArray[np.float64] = np.minimum(1 / strength, MAX_GAIN)
        factors /= np.sqrt(np.square(factors * strength).mean())
        return factors

    def whiten(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Whiten the noise of a (..., Y, X) image; a standard deviation of 1 is preserved."""
        return _filtered(image, self.whitening)

    def unwhiten(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Invert `whiten`; approximate at the border, which is padded by mirroring each time."""
        return _filtered(image, lambda shape: 1 / self.whitening(shape))

    def residual_transfer(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return the amplitude of whitened noise at each frequency of (Y, X); mean square 1."""
        return self.transfer(shape) * self.whitening(shape)

    def variance_gain(self, halvings: int) -> NDArray[np.float64]:
        """Return the factors on the variance of whitened noise for each halving, (halvings,).

        Halving averages 2x2 pixels and doubles the mean; white noise keeps its variance.
        """
        power = np.square(self.residual_transfer((GRID, GRID)))
        variances = []
        for factor in 2 ** np.arange(halvings + 1):
            box = np.abs(np.fft.fft(np.arange(GRID) < factor)) ** 2 / factor
            variances.append(float((power * np.outer(box, box)).mean()))
        return np.divide(variances[1:], variances[:-1])


WHITE = NoiseCorrelation()
"""No correlation: the noise is independent between pixels."""


def _transfer(size: int, width: float) -> NDArray[np.float64]:
    transfer: NDArray[np.float64] = np.exp(-2 * (np.pi * width * np.fft.fftfreq(size)) ** 2)
    return transfer


def _filtered(
    image: NDArray[np.float64], factors: Callable[[tuple[int, int]], NDArray[np.float64]]
) -> NDArray[Any]:
    margins = [(0, 0)] * (image.ndim - 2) + [(MARGIN, MARGIN)] * 2
    wide = np.pad(image, margins, mode="symmetric")
    changed = np.fft.ifft2(np.fft.fft2(wide) * factors(wide.shape[-2:])).real
    return changed[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


@dataclass(frozen=True)
class ResidualStatistics:
    """Expected statistics of a block's residual for noise of variance 1."""

    lag1_y: float
    """Lag-1 autocorrelation along Y."""
    lag1_x: float
    """Lag-1 autocorrelation along X."""
    variance: float
    """Expected variance, corrected for the three degrees of freedom of the plane."""
    degrees_of_freedom: float
    """Effective degrees of freedom of that variance; fewer than pixels for correlated noise."""

    def quantile(self, probability: float) -> float:
        """Return a quantile of the distribution of the blocks' variances."""
        half = self.degrees_of_freedom / 2
        return float(self.variance * gamma.ppf(probability, half) / half)


@cache
def residual_statistics(correlation: NoiseCorrelation) -> ResidualStatistics:
    """Predict the statistics of block residuals for a noise correlation."""
    plane = plane_basis()
    project = np.eye(BLOCK**2) - plane @ plane.T
    kernel = np.kron(_covariance(correlation.y), _covariance(correlation.x))
    covariance = project @ kernel @ project
    of_pixels = covariance.reshape((BLOCK,) * 4)
    along_y = np.einsum("ijij->ij", of_pixels[1:, :, :-1]).mean()
    along_x = np.einsum("ijij->ij", of_pixels[:, 1:, :, :-1]).mean()
    total = float(np.trace(covariance))
    each = total / BLOCK**2
    return ResidualStatistics(
        along_y / each,
        along_x / each,
        total / (BLOCK**2 - 3),
        total**2 / float(np.square(covariance).sum()),
    )


def plane_basis() -> NDArray[np.float64]:
    """Return an orthonormal basis of linear functions on a block, (BLOCK^2, 3)."""
    ramp = np.linspace(-1, 1, BLOCK)
    planes = np.stack([np.ones(BLOCK**2), np.repeat(ramp, BLOCK), np.tile(ramp, BLOCK)], axis=1)
    basis: NDArray[np.float64] = np.linalg.qr(planes)[0]
    return basis


def correlation_from_lag1(lag1_y: float, lag1_x: float) -> NoiseCorrelation:
    """Estimate the noise correlation from the lag-1 autocorrelations of block residuals.

    The widths are multiples of 0.1 pixels from 0 to `WIDEST`.
    """
    candidates, lag1 = _candidates()
    nearest = np.square(lag1 - np.array([lag1_y, lag1_x])).sum(axis=1).argmin()
    return candidates[int(nearest)]


@cache
def _candidates() -> tuple[list[NoiseCorrelation], NDArray[np.float64]]:
    """Return candidate correlations and the lag-1 autocorrelations of their residuals, (n, 2)."""
    widths = np.linspace(0, WIDEST, 16).tolist()
    candidates = [NoiseCorrelation(y, x) for y in widths for x in widths]
    return candidates, np.array(
        [(expected.lag1_y, expected.lag1_x) for expected in map(residual_statistics, candidates)]
    )


def _covariance(width: float) -> NDArray[np.float64]:
    """Return the covariance of a row of BLOCK pixels, for noise of variance 1."""
    lags = np.fft.ifft(_transfer(8 * BLOCK, width) ** 2).real[:BLOCK]
    covariance: NDArray[np.float64] = toeplitz(lags / lags[0])
    return covariance
