"""Weights from recorrupted pairs, which show without the truth what serves an image.

With sampled noise n, y + a n and y - n / a have the same truth and independent noise. The first is
denoised; the second is the target of a least-squares fit of the weights. Pang, Zheng, Quan, Ji,
"Recorrupted-to-Recorrupted: Unsupervised Deep Learning for Image Denoising", CVPR 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from ...patches.estimates import NonlocalEstimates

ALPHA = 0.5
"""Noise level of a recorrupted pair, y + ALPHA n and y - n / ALPHA."""
LEVEL = math.sqrt(1 + ALPHA**2)
"""Noise of the first image of a pair, relative to that of y; both images are divided by it."""
NEIGHBORHOOD = 17
"""Edge of the square over which the noise level is measured, in pixels."""
REMOVED = 0.9
"""Part of the noise variance that an estimate removes; the rest stays in it."""
EXPECTED, SPREAD = 0.5, 0.3
"""Mean and standard deviation of the weights expected before there is evidence."""


@dataclass(frozen=True)
class RecorruptedPair:
    """Two images with the same truth and independent noise; the first one has been denoised."""

    noisy: Tensor
    """(C, Z, Y, X) first image."""
    target: Tensor
    """(C, Z, Y, X) second image."""
    estimates: NonlocalEstimates
    """Of the first image."""


def local_noise_level(image: Tensor, estimate: Tensor) -> Tensor:
    """Return the standard deviation of the noise around each pixel, from what was removed.

    If the sampled noise of a pair were stronger or weaker than that of the image, the noise of both
    images would be correlated, and the weights would be those of too smooth or too noisy results.
    """
    margin = NEIGHBORHOOD // 2
    removed = functional.pad((image - estimate).square(), [margin] * 4, mode="replicate")
    variance: Tensor = functional.avg_pool2d(removed, NEIGHBORHOOD, 1) / REMOVED
    return variance.sqrt()


def recorrupted(image: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two images of a pair, given noise of the image's own level."""
    return (image + ALPHA * noise) / LEVEL, (image - noise / ALPHA) / LEVEL


def share_of_second(pairs: Iterable[RecorruptedPair]) -> float:
    """Return the share of the second estimate, 0 to 1."""
    return _weight(
        (pair.estimates.second - pair.estimates.shrunk, pair.target - pair.estimates.shrunk)
        for pair in pairs
    )


def correction_weight(
    pairs: Sequence[RecorruptedPair], share: float, corrections: Sequence[Tensor]
) -> float:
    """Return the weight of the network's corrections of the first images, 0 to 1."""
    return _weight(
        (correction, pair.target - pair.estimates.mixed(share))
        for pair, correction in zip(pairs, corrections, strict=True)
    )


def _weight(changes_and_errors: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return the factor on the changes that explains most of the errors, 0 to 1.

    Few pixels or small changes are little evidence: then it is about `EXPECTED`.
    """
    noise = (1 + 1 / ALPHA**2) / LEVEL**2
    power = noise / SPREAD**2
    covariance = EXPECTED * power
    for change, error in changes_and_errors:
        covariance += float((change * error).sum())
        power += float(change.square().sum())
    weight = covariance / power
    # changes beyond the range of float32, as of a damaged network, explain nothing
    return min(max(weight, 0.0), 1.0) if math.isfinite(weight) else 0.0
