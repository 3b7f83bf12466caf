"""The network that corrects an enlargement, and the pairs of images it is fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...fitting.augmentation import ALL, Crops, mean_over_views
from ...fitting.loop import relative_to
from ...fitting.networks import build_network
from ...operators import Downsample, resized

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from .settings import SuperResolutionFit

Shape = tuple[int, ...]
Factors = tuple[float, float]
MOST_HELD_OUT = 8
"""Images from whose held-out tiles the correction weight is computed."""
TILE, HELD_OUT, HELD_OUT_OF_ONE = 24, 0.2, 1 / 3
"""Period of the held-out tiles in pixels, their edge relative to it, and that of a single tile."""


class SuperResolutionModel:
    """A network for one factor, and the pairs of enlarged and true images it is fitted to.

    Parameters
    ----------
    images : list of (1, C, Y, X) tensors
        The image, or planes of a volume in several orientations.
    factors : (float, float)
        Enlargement along Y and X.
    settings : SuperResolutionFit
    seed : int
    number : int
        Index among the networks for this factor; each has other held-out tiles.
    views : sequence of int
        The views in which images are seen.
    """

    def __init__(
        self,
        images: Sequence[Tensor],
        factors: Factors,
        settings: SuperResolutionFit,
        seed: int,
        number: int = 0,
        views: Sequence[int] = ALL,
    ) -> None:
        self._settings, self.views = settings, views
        self.factors = factors
        self._shift = number / settings.networks
        if number:
            seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        self._crops = Crops(settings.crop, seed, views=views)
        pairs = [self._pair(image, scale) for image in images for scale in settings.father_scales]
        self._pairs = [torch.cat(pair, dim=1)[0] for pair in pairs]  # each (2 C + 1, Y, X)
        self._held_out = [self._pair(image, 1.0) for image in _some(images)]
        values = images[0] if len(images) == 1 else torch.cat([each.flatten() for each in images])
        self._mean, self._std = values.mean(), values.std(correction=0).clamp_min(1e-6)
        errors = [(base - true).abs().mean() for base, true, _ in self._held_out]
        self._error = torch.stack(errors).mean() + 1e-6
        channels = images[0].shape[1]
        self._parts = (channels, channels, 1)
        device = images[0].device
        self.network = build_network(settings.network, channels, channels, seed, device)

    def loss(self) -> Tensor:
        """Return the mean absolute error of random crops outside the held-out tiles.

        It is in units of the typical error of the enlargement. The misfit is the error within the
        held-out tiles relative to that of the enlargement.
        """
        base, true, learned = self._crops.draw(self._pairs, self._settings.batch).split(
            self._parts, dim=1
        )
        target = (true - base) / self._error
        errors = (self.correction(base) / self._error - target).abs()
        self.misfit = _mean(errors.detach(), 1 - learned) / relative_to(
            _mean(target.abs(), 1 - learned)
        )
        return _mean(errors, learned)

    def kept(self) -> list[Tensor]:
        """Return no tensors: the model has no state beside its weights."""
        return []

    def correction(self, base: Tensor) -> Tensor:
        """Return the correction of an enlarged image, (N, C, Y, X)."""
        correction: Tensor = self.network((base - self._mean) / self._std)
        return correction * self._error

    def correction_weight(self) -> Generator[None, None, float]:
        """Return the least-squares weight of the correction in the held-out tiles, 0 to 1."""
        products = power = 0.0
        for base, true, learned in self._held_out:
            views = mean_over_views(self.correction, base, self.views)
            correction = (yield from views) * (1 - learned)
            power += float(correction.square().sum())
            products += float((correction * (true - base)).sum())
        return 0.0 if power == 0 else min(max(products / power, 0.0), 1.0)

    def _pair(self, image: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return an image downsampled and enlarged again, the image itself, and the learned pixels.

        The image is first rescaled by `scale`.
        """
        copy = image if scale == 1 else _scaled(image, scale)
        small = [
            max(1, int(size / factor))
            for size, factor in zip(copy.shape[-2:], self.factors, strict=True)
        ]
        height, width = (
            round(size * factor) for size, factor in zip(small, self.factors, strict=True)
        )
        true, learned = (
            copy[..., :height, :width],
            self._outside_tiles(image, copy)[..., :height, :width],
        )
        operator = Downsample.lanczos(shape_of(true), (small[0], small[1]), device=image.device)
        return (
            enlarged(operator.forward(true), operator, self._settings.back_projections),
            true,
            learned,
        )

    def _outside_tiles(self, image: Tensor, copy: Tensor) -> Tensor:
        """Return 0 in the held-out tiles of a rescaled copy of the image, else 1; (1, 1, Y, X).

        The tiles cover the same parts of the image at all scales.
        """
        inside = []
        for size, extent in zip(shape_of(image), shape_of(copy), strict=True):
            count = max(1, size // TILE)
            place = (torch.arange(extent, device=image.device) + 0.5) / extent * count + self._shift
            inside.append(
                (place % 1 - 0.5).abs() < (HELD_OUT if count > 1 else HELD_OUT_OF_ONE) / 2
            )
        return 1 - (inside[0][:, None] & inside[1]).to(image.dtype)[None, None]


def enlarged(image: Tensor, operator: Downsample, back_projections: int) -> Tensor:
    """Return the first estimate: bicubic interpolation and back-projection."""
    large = resized(image, operator.large)
    return back_projected(large, image, operator, back_projections)


def back_projected(estimate: Tensor, image: Tensor, operator: Downsample, times: int) -> Tensor:
    """Make an enlarged image consistent with `image` by iterative back-projection.

    Irani and Peleg, CVGIP 53 (1991) 231.
    """
    for _ in range(times):
        difference = image - operator.forward(estimate)
        estimate = estimate + resized(difference, operator.large)
    return estimate


def _some(images: Sequence[Tensor]) -> list[Tensor]:
    """Return images at regular distances, `MOST_HELD_OUT` at most."""
    chosen = np.linspace(0, len(images) - 1, min(len(images), MOST_HELD_OUT)).round().astype(int)
    return [images[number] for number in chosen]


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Return the mean of (N, C, Y, X) values where an (N, 1, Y, X) mask is 1."""
    return (values * where).sum() / (where.sum() * values.shape[1]).clamp_min(1)


def _scaled(image: Tensor, scale: float) -> Tensor:
    height, width = (max(2, round(size * scale)) for size in image.shape[-2:])
    return resized(image, (height, width))


def shape_of(image: Tensor) -> Shape:
    """Return the (Y, X) shape of an image."""
    return image.shape[-2], image.shape[-1]


def factors_of(small: Shape, large: Shape) -> Factors:
    """Return the enlargement along Y and X."""
    return large[0] / small[0], large[1] / small[1]
