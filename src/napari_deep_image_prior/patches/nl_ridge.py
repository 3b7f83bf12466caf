r"""Linear combinations of similar patches (NL-Ridge).

Each patch of a group of k similar patches is replaced by a combination of the group, with the
weights that minimize the expected error for the known noise:

    T = I - n s^2 (X X' + n s^2 I)^-1,     estimate = T Y,

where Y holds the (k, n) noisy patches and X the same patches of the best estimate so far.
Similarity is measured over all channels together; the weights are computed for each channel. For
noise of varying variance n s^2 is a diagonal matrix. Low frequencies are taken from estimates at
half and a quarter of the size, where a patch covers more of the image.
Herbreteau and Kervrann, "Towards a unified view of unsupervised non-local methods for image
denoising: the NL-Ridge approach", ICIP 2022, arXiv:2203.00570.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ..generators import mapped, part
from .passes import one_pass
from .search import PatchGrid

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .passes import Watch

GRID = PatchGrid.flat(patch=9, step=4)
GROUPS = (18, 48)
"""Patches in a group in the first pass, and in the second, which is guided by the first."""
FIRST_PASS = 0.3
"""Fraction of the run time of both passes that the first one takes."""
HALVINGS = 2
"""Number of coarser scales, each half the size of the one before."""
SMALLEST = 36
"""Smallest edge of a halved image, in pixels."""
MIN_VARIANCE = 0.34
"""Smallest noise variance assumed for a patch, that of half-clipped noise; smaller values would
give its estimate too much weight."""
FINEST = 0.75
"""Fraction of the run time spent on the finest scale."""


def nl_ridge(
    noisy: Tensor,
    overestimation: float = 1.0,
    variance: Tensor | None = None,
    variance_gain: Tensor | None = None,
    watch: Watch | None = None,
    grid: PatchGrid = GRID,
) -> Generator[float, None, Tensor]:
    """Denoise an image with noise of standard deviation 1.

    Parameters
    ----------
    noisy : (C, Z, Y, X) tensor
    overestimation : float
        1 or more: how many times the assumed noise level exceeds the true one, for extra smoothing.
    variance : (C, Z, Y, X) tensor, optional
        Noise variance; None: 1 everywhere.
    variance_gain : (halvings, C) tensor, optional
        Factors on the variance for each halving; None: 1, as for white noise.
    watch : callable, optional
        Called before each yield of the finest scale.

    Yields
    ------
    float
        The fraction done.

    Returns
    -------
    (C, Z, Y, X) tensor
        The estimate.
    """
    if variance is None:
        variance = torch.ones(1, device=noisy.device).expand_as(noisy)
    if variance_gain is None:
        variance_gain = torch.ones((HALVINGS, len(noisy)), device=noisy.device)
    is_halved = len(variance_gain) > 0 and min(noisy.shape[-2:]) >= 2 * SMALLEST
    share = FINEST if is_halved else 1.0
    mean = noisy.mean(dim=(1, 2, 3), keepdim=True)
    centered = noisy - mean

    def watch_centered(so_far: Callable[[], Tensor]) -> None:
        if watch is not None:
            watch(lambda: so_far() + mean)

    passes = _two_passes(centered, variance, overestimation, watch_centered, grid)
    estimate = (yield from mapped(passes, part(0, share))) + mean
    if not is_halved:
        return estimate
    # the mean of 4 pixels, doubled, has white noise of standard deviation 1 again
    smaller = nl_ridge(
        2 * _halved(noisy),
        overestimation,
        _halved(variance) * variance_gain[0][:, None, None, None],
        variance_gain[1:],
        grid=grid,
    )
    coarse = (yield from mapped(smaller, part(share, 1))) / 2
    return estimate + _enlarged(coarse - _halved(estimate), estimate)


def _two_passes(
    noisy: Tensor, variance: Tensor, overestimation: float, watch: Watch, grid: PatchGrid
) -> Generator[float, None, Tensor]:
    """Return the estimate at one scale, of an image of mean 0."""

    def combined(
        guide: Tensor | None, group: int, unaccounted: float
    ) -> Generator[float, None, Tensor]:
        restore = partial(_combined, unaccounted=unaccounted)
        return one_pass(noisy, guide, variance, grid, group, restore, watch)

    # without a guide, the patches contain the noise already, except for the overestimated part:
    # without that part, T would change the sign of noise
    unaccounted = 1 - 1 / overestimation**2 + 1e-3
    first = yield from mapped(combined(None, GROUPS[0], unaccounted), part(0, FIRST_PASS))
    return (yield from mapped(combined(first, GROUPS[1], 1.0), part(FIRST_PASS, 1)))


def _halved(image: Tensor) -> Tensor:
    """Return a (C, Z, Y, X) image with its planes at half the size."""
    return functional.avg_pool3d(image, (1, 2, 2))


def _enlarged(difference: Tensor, like: Tensor) -> Tensor:
    """Return a difference of halved images at full size, low-pass filtered to avoid aliasing."""
    planes = difference.flatten(0, 1)[:, None]
    smooth = functional.avg_pool2d(functional.pad(planes, (1, 1, 1, 1), mode="replicate"), 3, 1)
    large = functional.interpolate(smooth, scale_factor=2, mode="bilinear", align_corners=False)
    height, width = like.shape[-2:]
    margins = (0, width - large.shape[-1], 0, height - large.shape[-2])
    return functional.pad(large, margins, mode="replicate")[:, 0].view_as(like)


def _combined(
    observed: Tensor, known: Tensor, variance: Tensor, unaccounted: float
) -> tuple[Tensor, Tensor]:
    """Combine the patches of each group; see `passes.Restore`.

    unaccounted: fraction of the noise power that `known` does not contain.
    """
    size, area = observed.shape[-2:]
    noise_power = area * variance.clamp_min(MIN_VARIANCE)
    power = known @ known.transpose(-2, -1)  # X X'
    # the second term keeps the inverse stable in float32 where patches are equal and the noise is
    # nearly 0
    diagonal = power.diagonal(dim1=-2, dim2=-1)
    diagonal += noise_power * unaccounted + 1e-5 * diagonal.mean(-1, keepdim=True)
    inverse = _inverse(power)
    # T = I - N inverse, N: the noise power on the diagonal; its rows' residual noise is that of
    # e_i - n_i inverse_i
    own = inverse.diagonal(dim1=-2, dim2=-1)
    mixed = (inverse.square() @ noise_power[..., None])[..., 0]
    residual = noise_power * (1 - 2 * noise_power * own + noise_power * mixed)
    smallest = noise_power.mean(dim=-1, keepdim=True) / size
    # inverse-variance weights: estimates with less residual noise count more
    precision = area / residual.maximum(smallest)[..., None]
    estimate = torch.addcmul(observed, noise_power[..., None], inverse @ observed, value=-1)
    return estimate, precision


def _inverse(matrices: Tensor) -> Tensor:
    """Return the inverse of symmetric matrices, 0 for those singular in the precision at hand.

    These have noise that is negligible next to the contrast; with 0, the patches are unchanged.
    """
    factors, problem = torch.linalg.cholesky_ex(matrices)
    singular = (problem > 0)[..., None, None]
    # torch refuses to invert factors with a 0 on the diagonal
    factors.diagonal(dim1=-2, dim2=-1).masked_fill_(singular[..., 0], 1.0)
    return torch.cholesky_inverse(factors).masked_fill_(singular, 0.0)
