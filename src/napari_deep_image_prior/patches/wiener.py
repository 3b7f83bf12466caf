"""Wiener shrinkage of groups of similar patches in a transform domain.

Cosine transforms within the patches of a group and across them make it sparse. Each coefficient a
of the noisy group is multiplied by r^2 / (r^2 + s^2), where r is the same coefficient of the guide
and s^2 the noise variance. The second step of Dabov, Foi, Katkovnik, Egiazarian, "Image Denoising
by Sparse 3-D Transform-Domain Collaborative Filtering", IEEE Trans. Image Process. 16 (2007).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import torch

from .passes import one_pass
from .search import PatchGrid

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from .search import Triple

GRID = PatchGrid.flat(patch=8, step=4)
GROUP = 32
"""Patches in a group."""
SMALLEST_VARIANCE = 1e-6
"""Smallest noise variance assumed for a group."""


def wiener(
    noisy: Tensor, guide: Tensor, variance: Tensor, grid: PatchGrid = GRID, group: int = GROUP
) -> Generator[float, None, Tensor]:
    """Denoise an image, given an estimate of it.

    Parameters
    ----------
    noisy, guide : (C, Z, Y, X) tensors
    variance : (C, Z, Y, X) tensor
        Noise variance.
    grid : PatchGrid
    group : int
        Patches in a group.

    Yields
    ------
    float
        The fraction done.

    Returns
    -------
    (C, Z, Y, X) tensor
        The estimate.
    """
    return (
        yield from one_pass(noisy, guide, variance, grid, group, partial(_shrunk, patch=grid.patch))
    )


def _shrunk(
    observed: Tensor, known: Tensor, variance: Tensor, patch: Triple
) -> tuple[Tensor, Tensor]:
    """Shrink the coefficients of each group; see `passes.Restore`."""
    across = _cosine_transform(observed.shape[-2], like=observed)
    deep, tall, wide = (_cosine_transform(size, like=observed) for size in patch)
    within = torch.kron(torch.kron(deep, tall), wide)
    power = (across @ known @ within.T).square()
    # the smallest value keeps 0 / 0 out: fully clipped pixels have no noise
    noise_power = variance.mean(dim=-1)[..., None, None].clamp_min(SMALLEST_VARIANCE)
    gain = power / (power + noise_power)
    estimate = across.T @ (gain * (across @ observed @ within.T)) @ within
    # the noise left in the group, at least that of one coefficient
    left = gain.square().sum(dim=(-2, -1), keepdim=True).clamp_min(1.0)
    return estimate, 1 / left


def _cosine_transform(size: int, like: Tensor) -> Tensor:
    """Return the orthonormal cosine transform of `size` values; the first one is their sum."""
    index = torch.arange(size, device=like.device, dtype=like.dtype)
    waves = torch.cos(math.pi / size * (index + 0.5) * index[:, None])
    waves[0] /= math.sqrt(2)
    return waves * math.sqrt(2 / size)
