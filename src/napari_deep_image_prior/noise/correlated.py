r"""Noise that neighboring pixels share: white noise blurred by a Gaussian, as detectors and resampling do it.

How far it is blurred is read from blocks of nothing but noise. What remains of a block
once its plane is taken away has the covariance P K P (P: the projection, K: that of the
blurred noise), which tells how alike its neighbors must be and how its variance scatters.
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
"""Edge of the blocks that noise is measured on, in pixels."""
WIDEST = 1.5
"""Widest blur that is told from shapes, in pixels (standard deviation)."""
NARROWEST = 0.25
"""Blurs below are chance: neighbors of white noise are alike by up to 0.1 in some images."""
AMPLIFIED = 1.5
"""Frequencies that the blur has weakened are brought up by this at most."""
GRID = 64
"""Frequencies along an axis, where those of no image are meant."""
MARGIN = 16
"""Pixels by which an image is mirrored beyond its border before its frequencies are changed."""


@dataclass(frozen=True)
class NoiseCorrelation:
    """How far white noise was blurred, along Y and X."""

    y: float = 0.0
    """Standard deviation of the Gaussian in pixels."""
    x: float = 0.0

    def __bool__(self) -> bool:
        return max(self.y, self.x) >= NARROWEST

    def transfer(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return the strength of the noise at each frequency of a (Y, X) image; the mean square is 1."""
        strength: NDArray[np.float64] = np.outer(
            _transfer(shape[0], self.y), _transfer(shape[1], self.x)
        )
        strength /= np.sqrt(np.square(strength).mean())
        return strength

    def whitening(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return the factors that make the noise of standard deviation 1 white, as far as `AMPLIFIED` allows.

        Its standard deviation is 1 again afterwards.
        """
        strength = self.transfer(shape)
        factors: NDArray[np.float64] = np.minimum(1 / strength, AMPLIFIED)
        factors /= np.sqrt(np.square(factors * strength).mean())
        return factors

    def whiten(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Make the noise of (..., Y, X) whiter; noise of standard deviation 1 stays such noise."""
        return _filtered(image, self.whitening)

    def unwhiten(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo `whiten`, but for the border: what lies beyond it is mirrored each time."""
        return _filtered(image, lambda shape: 1 / self.whitening(shape))

    def residual_transfer(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return the strength of whitened noise at each frequency, mean square 1."""
        return self.transfer(shape) * self.whitening(shape)

    def variance_gain(self, halvings: int) -> NDArray[np.float64]:
        """Return by what factors the variance of whitened noise grows when the image is halved, again and again.

        Of white noise it stays the same: 4 pixels are averaged, and the mean doubled.
        """
        power = np.square(self.residual_transfer((GRID, GRID)))
        variances = []
        for factor in 2 ** np.arange(halvings + 1):
            box = np.abs(np.fft.fft(np.arange(GRID) < factor)) ** 2 / factor
            variances.append(float((power * np.outer(box, box)).mean()))
        return np.divide(variances[1:], variances[:-1])


WHITE = NoiseCorrelation()
"""No blur: every pixel has noise of its own."""


def _transfer(size: int, blur: float) -> NDArray[np.float64]:
    transfer: NDArray[np.float64] = np.exp(-2 * (np.pi * blur * np.fft.fftfreq(size)) ** 2)
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
    """What the plane leaves of a block of noise of variance 1."""

    alike_y: float
    """Correlation of its pixels to the next along Y."""
    alike_x: float
    power: float
    """Its variance, with the plane's three degrees of freedom taken off."""
    freedom: float
    """Degrees of freedom of that variance: less than there are pixels, as neighbors share the noise."""

    def quantile(self, share: float) -> float:
        """Return the variance below which so large a share of such blocks lies."""
        return float(self.power * gamma.ppf(share, self.freedom / 2) / (self.freedom / 2))


@cache
def residual_statistics(blur: NoiseCorrelation) -> ResidualStatistics:
    """Return what to expect of blocks of noise so blurred."""
    plane = plane_basis()
    project = np.eye(BLOCK**2) - plane @ plane.T
    residual_transfer = project @ np.kron(_covariance(blur.y), _covariance(blur.x)) @ project
    of_pixels = residual_transfer.reshape((BLOCK,) * 4)
    along_y = np.einsum("ijij->ij", of_pixels[1:, :, :-1]).mean()
    along_x = np.einsum("ijij->ij", of_pixels[:, 1:, :, :-1]).mean()
    total = float(np.trace(residual_transfer))
    each = total / BLOCK**2
    return ResidualStatistics(
        along_y / each,
        along_x / each,
        total / (BLOCK**2 - 3),
        total**2 / float(np.square(residual_transfer).sum()),
    )


def plane_basis() -> NDArray[np.float64]:
    """Return an orthonormal basis of the planes over a block, (BLOCK^2, 3)."""
    ramp = np.linspace(-1, 1, BLOCK)
    planes = np.stack([np.ones(BLOCK**2), np.repeat(ramp, BLOCK), np.tile(ramp, BLOCK)], axis=1)
    basis: NDArray[np.float64] = np.linalg.qr(planes)[0]
    return basis


def correlation_of(alike_y: float, alike_x: float) -> NoiseCorrelation:
    """Return the blur of noise whose remainders are so alike to the next pixel, each 0 to `WIDEST`."""
    blurs, alike = _correlations()
    nearest = np.square(alike - np.array([alike_y, alike_x])).sum(axis=1).argmin()
    return blurs[int(nearest)]


@cache
def _correlations() -> tuple[list[NoiseCorrelation], NDArray[np.float64]]:
    """Return blurs to choose from, and the correlations of their remainders, (n, 2)."""
    widths = np.linspace(0, WIDEST, 16).tolist()
    blurs = [NoiseCorrelation(y, x) for y in widths for x in widths]
    return blurs, np.array(
        [(expected.alike_y, expected.alike_x) for expected in map(residual_statistics, blurs)]
    )


def _covariance(blur: float) -> NDArray[np.float64]:
    """Return the covariance of a row of BLOCK pixels of blurred noise of variance 1."""
    lags = np.fft.ifft(_transfer(8 * BLOCK, blur) ** 2).real[:BLOCK]
    covariance: NDArray[np.float64] = toeplitz(lags / lags[0])
    return covariance
