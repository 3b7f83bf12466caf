"""Noise normalization: white noise of standard deviation 1, independent between channels.

Each channel is variance-stabilized (`noise.model`) and whitened (`noise.correlated`), and the
channels are rotated onto their principal axes: colors share most of their structure, so the other
axes have weak signals that are easily denoised. The variance of clipped noise stays below 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from torch import Tensor

from ...arrays import montage
from ...noise.correlated import WHITE
from ...noise.estimation import channel_noise_correlation
from ...patches.estimates import nonlocal_estimates
from ...patches.grids import PLANE
from ...patches.nl_ridge import HALVINGS
from .recorrupted import recorrupted

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from ...fitting.augmentation import Crops
    from ...noise.model import NoiseModel
    from ...patches.estimates import NonlocalEstimates
    from ...patches.grids import PatchGrids
    from ...patches.passes import Watch

MAX_CHANNEL_CORRELATION = 0.15
"""Largest noise correlation between channels for which they are rotated onto principal axes."""
NEIGHBORHOOD = 9
"""Edge of the square for the local mean that gives the variance of clipped noise, in pixels."""


@dataclass(frozen=True)
class Frame:
    """The coordinates of normalized channels."""

    offset: NDArray[np.float64]
    """(C, 1, 1, 1) mean of the stabilized channels."""
    axes: NDArray[np.float64]
    """(C, C) matrix whose rows are the axes onto which the channels are rotated."""


@dataclass(frozen=True)
class NormalizedImage:
    """An image with normalized noise."""

    noisy: Tensor
    """(C, Z, Y, X) image."""
    variance: Tensor
    """(C, Z, Y, X) noise variance: 1, less where the noise was clipped."""
    variance_gain: Tensor
    """(halvings, C) factors on the variance for each halving of the image."""
    grids: PatchGrids = PLANE
    """Patches of the nonlocal estimates."""

    def estimates(
        self, overestimation: float, watch: Watch | None = None
    ) -> Generator[float, None, NonlocalEstimates]:
        """Return the nonlocal estimates."""
        return nonlocal_estimates(
            self.noisy, overestimation, self.variance, self.variance_gain, watch, self.grids
        )


class NoiseNormalizer:
    """Normalizes the noise of an image, inverts that, and re-noises images.

    Parameters
    ----------
    image : (C, Z, Y, X) float array
        In intensity units.
    models : sequence of C NoiseModel
    overestimation : float
        1 or more: how many times the assumed noise level exceeds the estimated one.
    device : torch.device
    seed : int
        Seed of the added noise.
    grids : PatchGrids
        Patches of the nonlocal estimates.
    frame : Frame, optional
        That of a larger image; None: the image's own.
    """

    def __init__(
        self,
        image: NDArray[np.float64],
        models: Sequence[NoiseModel],
        overestimation: float,
        device: torch.device,
        seed: int,
        grids: PatchGrids = PLANE,
        frame: Frame | None = None,
    ) -> None:
        self._models, self._overestimation = models, overestimation
        self._grids = grids
        self._generator = torch.Generator(device).manual_seed(seed)
        self._correlations = [model.correlation for model in models]
        # clipping is modeled for the estimated level of white noise only
        self._is_clipped = (
            overestimation == 1
            and not any(self._correlations)
            and any(model.clipping for model in models)
        )
        stabilized = np.stack(
            [model.stabilize(channel) for model, channel in zip(models, image, strict=True)]
        )
        self.frame = self._own_frame(stabilized) if frame is None else frame
        self._offset, self._axes = self.frame.offset, self.frame.axes
        variance_gain = np.stack(
            [(each or WHITE).variance_gain(HALVINGS) for each in self._correlations], axis=1
        )
        self._variance_gain = torch.from_numpy(
            (variance_gain @ self._axes.T**2).astype(np.float32)
        ).to(device)
        self.image = self._normalized(stabilized, device)

    def _own_frame(self, stabilized: NDArray[np.float64]) -> Frame:
        self._offset = stabilized.mean(axis=(1, 2, 3), keepdims=True)
        whitened = self._whitened(stabilized)
        # correlated channels would have different noise levels along different axes
        is_correlated = channel_noise_correlation(montage(stabilized)) > MAX_CHANNEL_CORRELATION
        axes = np.eye(len(stabilized)) if is_correlated else _principal_axes(whitened)
        return Frame(self._offset, axes)

    def restored(self, estimate: Tensor) -> NDArray[np.float64]:
        """Transform a noise-free (C, Z, Y, X) estimate back to intensity units."""
        stabilized = self._stabilized(estimate)
        return np.stack(
            [model.invert(channel) for model, channel in zip(self._models, stabilized, strict=True)]
        )

    def renoise(self, clean: Tensor) -> NormalizedImage:
        """Re-noise a noise-free (C, Z, Y, X) estimate or a part of one, including clipping."""
        if not self._is_clipped:
            return NormalizedImage(
                clean + self.sample_noise(clean),
                torch.ones_like(clean),
                self._variance_gain,
                self._grids,
            )
        sampled = (
            torch.randn(clean.shape, device=clean.device, generator=self._generator).cpu().numpy()
        )
        channels = zip(self._models, self._stabilized(clean), sampled, strict=True)
        noisy = [
            model.add_noise(channel, noise.astype(np.float64)) for model, channel, noise in channels
        ]
        return self._normalized(np.stack(noisy), clean.device)

    def recorrupt(self, regions: Crops, level: Tensor) -> tuple[NormalizedImage, Tensor]:
        """Return a recorrupted pair of a part of the image (`recorrupted.py`).

        level: (C, Z, Y, X), standard deviation of the image's noise.
        """
        stacked = torch.cat([self.image.noisy, self.image.variance, level])
        part, variance, level = regions.draw([stacked], 1)[0].chunk(3)
        noisy, target = recorrupted(part, self.sample_noise(part) * level)
        return replace(self.image, noisy=noisy, variance=variance), target

    def sample_noise(self, like: Tensor) -> Tensor:
        """Draw noise of standard deviation 1 in the shape of `like`, correlated as the image's."""
        noise = torch.randn(like.shape, device=like.device, generator=self._generator)
        if not any(self._correlations):
            return noise
        height, width = like.shape[-2:]
        transfer = torch.from_numpy(
            np.stack([each.residual_transfer((height, width)) for each in self._correlations])
        ).to(noise)[:, None]
        correlated = torch.fft.ifft2(torch.fft.fft2(noise) * transfer).real
        return torch.einsum("ij,j...->i...", torch.from_numpy(self._axes).to(noise), correlated)

    def _normalized(self, stabilized: NDArray[np.float64], device: torch.device) -> NormalizedImage:
        rotated = np.einsum("ij,j...->i...", self._axes, self._whitened(stabilized))
        noisy = torch.from_numpy(rotated.astype(np.float32)).to(device)
        if not self._is_clipped:
            return NormalizedImage(noisy, torch.ones_like(noisy), self._variance_gain, self._grids)
        means = uniform_filter(stabilized, (1, 1, NEIGHBORHOOD, NEIGHBORHOOD), mode="nearest")
        variances = np.stack(
            [model.variance(mean) for model, mean in zip(self._models, means, strict=True)]
        )
        rotated = np.einsum("ij,j...->i...", self._axes**2, variances)
        return NormalizedImage(
            noisy,
            torch.from_numpy(rotated.astype(np.float32)).to(device),
            self._variance_gain,
            self._grids,
        )

    def _whitened(self, stabilized: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = (stabilized - self._offset) / self._overestimation
        return np.stack(
            [
                correlation.whiten(channel) if correlation else channel
                for correlation, channel in zip(self._correlations, scaled, strict=True)
            ]
        )

    def _stabilized(self, rotated: Tensor) -> NDArray[np.float64]:
        whitened = np.einsum("ij,i...->j...", self._axes, rotated.cpu().numpy().astype(np.float64))
        scaled = [
            correlation.unwhiten(channel) if correlation else channel
            for correlation, channel in zip(self._correlations, whitened, strict=True)
        ]
        stabilized: NDArray[np.float64] = np.stack(scaled) * self._overestimation + self._offset
        return stabilized


def _principal_axes(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the principal axes of (C, Z, Y, X) channels of mean 0, the rows of a (C, C) matrix.

    The matrix is orthonormal: white noise of the same level in all channels, independent between
    them, keeps these properties.
    """
    pixels = channels.reshape(len(channels), -1)
    _, vectors = np.linalg.eigh(pixels @ pixels.T)
    # the signs are arbitrary; a single channel keeps its sign
    vectors *= np.where(vectors.sum(axis=0) < 0, -1, 1)
    # a copy: torch refuses negative strides
    axes: NDArray[np.float64] = vectors[:, ::-1].T.copy()
    return axes
