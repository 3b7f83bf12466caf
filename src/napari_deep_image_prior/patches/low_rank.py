"""Low-rank approximation of groups of similar patches.

Similar patches, less their mean, form a matrix of low rank. Its singular values are shrunken, more
where they are small. The passes are repeated: a part of what was removed is added back, and the
noise that is left is estimated from how much that was.
Gu, Zhang, Zuo, Feng, "Weighted Nuclear Norm Minimization with Application to Image Denoising",
CVPR 2014; started here from another estimate, so that few passes suffice.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import torch

from ..generators import mapped, part
from .passes import one_pass
from .search import PatchGrid

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

GRID = PatchGrid.flat(patch=7, step=4)
GROUP = 60
"""Patches in a group."""
PASSES = 3
ADDED_BACK = 0.1
"""Fraction of what was removed that is added back before each pass."""
NOISE_LEFT = 0.56
"""Standard deviation of the noise assumed in a pass, relative to the level that is missing in what
was removed."""
SMALLEST_VARIANCE = 1e-6
"""Smallest mean noise variance assumed; fully clipped pixels have no noise."""
SMALLEST_LEFT = 0.02
"""Smallest part of the noise variance that is assumed to be left."""
WEIGHT = 2 * math.sqrt(2)
"""Constant of the weights of the singular values, as published."""


def low_rank(
    noisy: Tensor, start: Tensor, variance: Tensor, grid: PatchGrid = GRID
) -> Generator[float, None, Tensor]:
    """Denoise an image, given an estimate of it as the start; otherwise as `wiener.wiener`."""
    estimate = start
    power = variance.mean(dim=(1, 2, 3), keepdim=True).clamp_min(SMALLEST_VARIANCE)
    for number in range(PASSES):
        fed = estimate + ADDED_BACK * (noisy - estimate)
        removed = (noisy - fed).square().mean(dim=(1, 2, 3), keepdim=True)
        left = NOISE_LEFT**2 * (1 - removed / power).clamp_min(SMALLEST_LEFT)
        estimate = yield from mapped(
            one_pass(fed, estimate, variance, grid, GROUP, partial(_shrunk, left=left)),
            part(number / PASSES, (number + 1) / PASSES),
        )
    return estimate


def _shrunk(
    observed: Tensor, _known: Tensor, variance: Tensor, left: Tensor
) -> tuple[Tensor, Tensor]:
    """Shrink the singular values of each group; see `passes.Restore`.

    left: (C, 1, 1, 1), part of the noise variance in `observed`.
    """
    size = observed.shape[-2]
    mean = observed.mean(dim=-2, keepdim=True)
    centered = observed - mean
    squares, vectors = torch.linalg.eigh(centered.transpose(-2, -1) @ centered)
    singular = squares.clamp_min(1e-9).sqrt()
    noise_power = left[..., 0] * variance.mean(dim=-1, keepdim=True)
    # the minimum of (s - x)^2 + 2 w s, with a weight w in proportion to 1 / s
    root = singular.square() - 4 * WEIGHT * math.sqrt(size) * noise_power
    shrunken = torch.where(root > 0, (singular + root.clamp_min(0).sqrt()) / 2, 0.0)
    gain = (shrunken / singular)[..., None, :]
    estimate = torch.baddbmm(
        mean.expand_as(observed).flatten(0, 1),
        (centered @ (vectors * gain)).flatten(0, 1),
        vectors.transpose(-2, -1).flatten(0, 1),
    ).view_as(observed)
    rank = (gain > 0).sum(dim=-1, keepdim=True)
    return estimate, 1 / (1 + rank).to(estimate)
