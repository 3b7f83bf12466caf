"""An image made so that its noise is white, independent between channels and of standard deviation 1, and back.

Each channel's noise is stabilized (`noise.py`) and whitened (`shared_noise.py`), and the channels are turned onto
their principal axes: colors share most of their structure, the rest is weak and cheap to clean. Where noise was
clipped it stays weaker than 1: there its variance is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from torch import Tensor

from ...noise.correlated import WHITE
from ...noise.estimation import channel_noise_correlation
from ...patches.nl_ridge import HALVINGS, nl_ridge

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from ...noise.model import NoiseModel

IN_COMMON = 0.15
"""Correlation of the noise of two channels from which on they are not turned onto their principal axes."""
NEIGHBORHOOD = 9
"""Edge of the square whose mean tells how much of the noise was clipped, in pixels."""


@dataclass(frozen=True)
class NormalizedImage:
    """An image of even noise."""

    noisy: Tensor
    """(C, Y, X)."""
    variance: Tensor
    """Of its noise, like the image: 1, less where the noise was clipped."""
    variance_gain: Tensor
    """(halvings, C): factors on the variance each time the image is halved."""

    def grouped(self, overestimation: float) -> Generator[float, None, Tensor]:
        """Make the classical estimate, see `nl_ridge`."""
        return nl_ridge(self.noisy, overestimation, self.variance, self.variance_gain)


class NoiseNormalizer:
    """Goes from images to images of even noise and back, noises anew.

    Parameters
    ----------
    image : (C, Y, X) float array
    models : sequence of C NoiseModel
    excess : float
        1 or more: the noise is taken for so many times stronger than it is.
    device : torch.device
    seed : int
        Of the fresh noise.
    """

    def __init__(
        self,
        image: NDArray[np.float64],
        models: Sequence[NoiseModel],
        overestimation: float,
        device: torch.device,
        seed: int,
    ) -> None:
        self._models, self._overestimation = models, overestimation
        self._generator = torch.Generator(device).manual_seed(seed)
        self._correlations = [model.blur for model in models]
        # noise taken for stronger than it is would be clipped at other means, blurred noise is weaker elsewhere too
        self._is_clipped = (
            overestimation == 1
            and not any(self._correlations)
            and any(model.clipping for model in models)
        )
        stabilized = np.stack(
            [model.stabilize(channel) for model, channel in zip(models, image, strict=True)]
        )
        self._offset = stabilized.mean(axis=(1, 2), keepdims=True)
        whitened = self._whitened(stabilized)
        # not where they share noise as well, which would be louder along one axis than along another
        share_noise = channel_noise_correlation(stabilized) > IN_COMMON
        self._turn = np.eye(len(image)) if share_noise else _principal_axes(whitened)
        variance_gain = np.stack(
            [(blur or WHITE).variance_gain(HALVINGS) for blur in self._correlations], axis=1
        )
        self._variance_gain = torch.from_numpy(
            (variance_gain @ self._turn.T**2).astype(np.float32)
        ).to(device)
        self.image = self._even(stabilized, device)

    def restored(self, estimate: Tensor) -> NDArray[np.float64]:
        """Return the image in its own intensity units that an estimate without noise stands for."""
        stabilized = self._stabilized(estimate)
        return np.stack(
            [model.invert(channel) for model, channel in zip(self._models, stabilized, strict=True)]
        )

    def renoise(self, clean: Tensor) -> NormalizedImage:
        """Noise an image (or a part of one), like `Even.noisy` but without noise, as the image itself is noised."""
        if not self._is_clipped:
            return NormalizedImage(
                clean + self.sample_noise(clean), torch.ones_like(clean), self._variance_gain
            )
        fresh = (
            torch.randn(clean.shape, device=clean.device, generator=self._generator).cpu().numpy()
        )
        channels = zip(self._models, self._stabilized(clean), fresh, strict=True)
        noisy = [
            model.noised(channel, noise.astype(np.float64)) for model, channel, noise in channels
        ]
        return self._even(np.stack(noisy), clean.device)

    def sample_noise(self, like: Tensor) -> Tensor:
        """Draw noise of standard deviation 1 that neighbors share as they do the image's own."""
        noise = torch.randn(like.shape, device=like.device, generator=self._generator)
        if not any(self._correlations):
            return noise
        height, width = like.shape[-2:]
        strength = torch.from_numpy(
            np.stack([blur.residual_transfer((height, width)) for blur in self._correlations])
        ).to(noise)
        shared = torch.fft.ifft2(torch.fft.fft2(noise) * strength).real
        return torch.einsum("ij,jyx->iyx", torch.from_numpy(self._turn).to(noise), shared)

    def _even(self, stabilized: NDArray[np.float64], device: torch.device) -> NormalizedImage:
        turned = np.einsum("ij,jyx->iyx", self._turn, self._whitened(stabilized))
        noisy = torch.from_numpy(turned.astype(np.float32)).to(device)
        if not self._is_clipped:
            return NormalizedImage(noisy, torch.ones_like(noisy), self._variance_gain)
        means = uniform_filter(stabilized, (1, NEIGHBORHOOD, NEIGHBORHOOD), mode="nearest")
        variances = np.stack(
            [model.variance(mean) for model, mean in zip(self._models, means, strict=True)]
        )
        turned = np.einsum("ij,jyx->iyx", self._turn**2, variances)
        return NormalizedImage(
            noisy, torch.from_numpy(turned.astype(np.float32)).to(device), self._variance_gain
        )

    def _whitened(self, stabilized: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = (stabilized - self._offset) / self._overestimation
        return np.stack(
            [
                blur.whiten(one) if blur else one
                for blur, one in zip(self._correlations, scaled, strict=True)
            ]
        )

    def _stabilized(self, turned: Tensor) -> NDArray[np.float64]:
        whitened = np.einsum("ij,iyx->jyx", self._turn, turned.cpu().numpy().astype(np.float64))
        scaled = [
            blur.unwhiten(one) if blur else one
            for blur, one in zip(self._correlations, whitened, strict=True)
        ]
        stabilized: NDArray[np.float64] = np.stack(scaled) * self._overestimation + self._offset
        return stabilized


def _principal_axes(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the principal axes of (C, Y, X) channels of mean 0 as the rows of an orthonormal (C, C) matrix.

    White noise of the same level in all channels, independent between them, stays such noise when they are turned
    onto these axes.
    """
    pixels = channels.reshape(len(channels), -1)
    _, vectors = np.linalg.eigh(pixels @ pixels.T)
    vectors *= np.where(
        vectors.sum(axis=0) < 0, -1, 1
    )  # their signs are arbitrary: those of a single channel stay
    axes: NDArray[np.float64] = vectors[
        :, ::-1
    ].T.copy()  # torch refuses a view that runs backwards
    return axes
