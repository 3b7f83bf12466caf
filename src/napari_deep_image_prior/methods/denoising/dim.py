"""Dim shot noise: images with few photons in each pixel, denoised from coarse to fine.

The variance of few counts cannot be stabilized: the square root of 0 and 1 has two values, single
photons look like structure, and the sum of the result is too low. Sums of 2x2 pixels have four
times the counts. Their estimate x is combined with the counts z of a pixel as x + w (z - x), where
w <= 1 reduces the noise to that of `COUNTS` photons. After Azzari and Foi, "Variance Stabilization
for Noisy+Estimate Combination in Iterative Poisson Denoising", IEEE Signal Process. Lett. 23
(2016); here w varies between the pixels, so that bright points on a dark background stay sharp.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from ...noise.model import NoiseModel
from ...noise.outliers import without_outliers
from .normalization import NoiseNormalizer

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

DIM = 3.0
"""Mean number of photons in a pixel below which an image is dim."""
COUNTS = 8.0
"""Photons whose relative noise the combination has at least."""
FAINTEST = 0.01
"""Smallest number of photons assumed in a pixel."""
SMALLEST = 16
"""Smallest edge of the halved image, in pixels."""
MAX_RATIO = 5.0
"""Largest correction of the mean."""


@dataclass(frozen=True)
class CombinedNoise(NoiseModel):
    """The noise of a combination: relative, as of `COUNTS` photons, below that number."""

    def stabilize(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the variance-stabilizing transform: logarithm below `COUNTS`, square root above."""
        return _stabilized(np.maximum(_photons(image, self), FAINTEST / 100))

    def invert(self, stabilized: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transform a noise-free stabilized image back, with the bias to second order."""
        photons, means = _inverse()
        return _intensity(np.interp(stabilized, means, photons), self)


def _stabilized(photons: NDArray[np.float64]) -> NDArray[np.float64]:
    few = np.sqrt(COUNTS) * (np.log(photons / COUNTS) + 2)
    return np.where(photons < COUNTS, few, 2 * np.sqrt(photons))


@cache
def _inverse() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return numbers of photons, and the means of their stabilized combinations."""
    photons = np.geomspace(FAINTEST / 100, 1e9, 20001)
    bias = np.where(photons < COUNTS, 0.5 / np.sqrt(COUNTS), 0.25 / np.sqrt(photons))
    return photons, np.maximum.accumulate(_stabilized(photons) - bias)


def _photons(image: NDArray[np.float64], model: NoiseModel) -> NDArray[np.float64]:
    """Return the number of photons that would have the variance of each pixel."""
    a, b = model.photon or (1.0, 0.0)
    return (a * image + b) / a**2


def _intensity(photons: NDArray[np.float64], model: NoiseModel) -> NDArray[np.float64]:
    a, b = model.photon or (1.0, 0.0)
    return photons * a - b / a


def is_dim(channel: NDArray[np.float64], model: NoiseModel) -> bool:
    """Return whether a channel has shot noise of few photons."""
    return model.photon is not None and float(_photons(channel, model).mean()) < DIM


def combined(
    image: NDArray[np.float64],
    models: Sequence[NoiseModel],
    overestimation: float,
    device: torch.device,
) -> Generator[float, None, tuple[NDArray[np.float64], list[NoiseModel]]]:
    """Combine the dim channels of a (C, Z, Y, X) image with the estimate at half its size.

    Spatially correlated noise, bright channels and volumes stay as they are: in a volume, patches
    of several planes hold enough photons, and the combination blurs.

    Returns
    -------
    (C, Z, Y, X) float array, list of NoiseModel
    """
    dim = [
        is_dim(channel, model) and not model.correlation
        for channel, model in zip(image, models, strict=True)
    ]
    if not any(dim) or image.shape[1] > 1 or min(image.shape[-2:]) < 2 * SMALLEST:
        return image, list(models)
    half = _halved(image)
    smaller, of_half = yield from combined(
        half, [_of_sums(model) for model in models], overestimation, device
    )
    normalizer = NoiseNormalizer(smaller, of_half, overestimation, device, seed=0)
    estimates = yield from normalizer.image.estimates(overestimation)
    estimate = normalizer.restored(estimates.mixed())
    known = np.ones(half.shape, dtype=bool)
    coarse = _doubled(with_kept_means(estimate, half, known, of_half), image.shape[1:])
    combination, made = image.copy(), list(models)
    for index in (i for i, one in enumerate(dim) if one):
        model, x = models[index], coarse[index]
        weight = np.sqrt(np.maximum(_photons(x, model), FAINTEST) / COUNTS).clip(max=1)
        combination[index] = x + weight * (image[index] - x)
        made[index] = CombinedNoise(1.0, model.photon)
    return combination, made


def with_kept_means(
    restored: NDArray[np.float64],
    image: NDArray[np.float64],
    known: NDArray[np.bool_],
    models: Sequence[NoiseModel],
) -> NDArray[np.float64]:
    """Scale the dim channels of a (C, Z, Y, X) result to the mean of the input.

    Unknown and outlying pixels do not count.
    """
    scaled = restored.copy()
    for index, model in enumerate(models):
        if not is_dim(image[index], model):
            continue
        counted = known[index] & ~without_outliers(image[index])[1]
        wanted = _photons(image[index][counted], model).mean()
        photons = _photons(restored[index], model)
        mean = photons[counted].mean()
        if wanted > 0 and mean > 0:
            ratio = np.clip(wanted / mean, 1 / MAX_RATIO, MAX_RATIO)
            scaled[index] = _intensity(photons * ratio, model)
    return scaled


def _of_sums(model: NoiseModel) -> NoiseModel:
    """Return the noise of the sums of 2x2 pixels."""
    photon = model.photon and (model.photon[0], 4 * model.photon[1])
    std = model.std if photon else 2 * model.std
    return replace(model, std=std, photon=photon, stretch=None, clipping=None)


def _halved(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of 2x2 pixels."""
    *planes, height, width = image.shape
    even = np.pad(image, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    sums: NDArray[np.float64] = even.reshape(
        *planes, (height + 1) // 2, 2, (width + 1) // 2, 2
    ).sum(axis=(3, 5))
    return sums


def _doubled(sums: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the pixels whose sums are given."""
    large = functional.interpolate(
        torch.from_numpy(sums) / 4, scale_factor=2, mode="bilinear", align_corners=False
    )
    pixels: NDArray[np.float64] = large.numpy()[..., : shape[-2], : shape[-1]]
    return pixels
