r"""Classical denoising by groups of alike patches, each estimated from all of its group.

A patch of the image is replaced by the combination of the k patches most alike,
with the weights that minimize the expected error under the known noise:

    T = I - n s^2 (X X' + n s^2 I)^-1,     estimate = T Y,

Y the (k, n) noisy patches, X the same of the best estimate so far. What is alike is
looked for in all channels together; each channel then has weights of its own. Where the noise is
weaker than elsewhere, n s^2 is a diagonal matrix. The same is done at half and a quarter of the size,
whose low frequencies are better: a patch there sees more of the image.
Herbreteau and Kervrann, "Towards a unified view of unsupervised non-local methods for image
denoising: the NL-Ridge approach", ICIP 2022, arXiv:2203.00570.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ..generators import mapped
from .search import PATCH, STEP, similar_patches

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

GROUPS = (18, 90)
"""Patches in a group: in the first pass, and in the second, which is guided by the first."""
BAND = 16
"""Rows of patches done at once: bounds the memory."""
CHUNK = 1024
"""Groups solved at once: bounds the memory."""
HALVINGS = 2
"""How often the image is halved to denoise its low frequencies."""
SMALLEST = 4 * PATCH
"""Edge of a halved image, at least."""
LEAST = 0.34
"""Variance that the noise of a patch is taken for at least: half of it clipped. Estimates of less count too much."""
FINEST = 0.75
"""Share of the time that the finest of the scales takes."""


def nl_ridge(
    noisy: Tensor,
    overestimation: float = 1.0,
    variance: Tensor | None = None,
    variance_gain: Tensor | None = None,
) -> Generator[float, None, Tensor]:
    """Denoise (C, Y, X) with noise of standard deviation 1; yields the fraction done, returns the estimate.

    `excess`, 1 or more: the noise may be so many times weaker than that, and more is smoothed on purpose.
    `variance`, like the image: that of the noise, where it is not 1 everywhere.
    `growth`, (halvings, C): the factor on it each time the image is halved; 1 if neighbors share no noise.
    """
    if variance is None:
        variance = torch.ones(1, device=noisy.device).expand_as(noisy)
    if variance_gain is None:
        variance_gain = torch.ones((HALVINGS, len(noisy)), device=noisy.device)
    is_halved = len(variance_gain) > 0 and min(noisy.shape[-2:]) >= 2 * SMALLEST
    share = FINEST if is_halved else 1.0
    mean = noisy.mean(dim=(1, 2), keepdim=True)
    centerd = noisy - mean
    first = yield from mapped(
        _one_pass(centerd, None, variance, overestimation), _part(0, share / 2)
    )
    second = yield from mapped(_one_pass(centerd, first, variance), _part(share / 2, share))
    estimate = second + mean
    if not is_halved:
        return estimate
    # 4 pixels are averaged: twice that has white noise of standard deviation 1 again
    smaller = nl_ridge(
        2 * _halved(noisy),
        overestimation,
        _halved(variance) * variance_gain[0][:, None, None],
        variance_gain[1:],
    )
    coarse = (yield from mapped(smaller, _part(share, 1))) / 2
    return estimate + _enlarged(coarse - _halved(estimate), estimate)


def _part(start: float, end: float) -> Callable[[float], float]:
    """Count the fraction of a part that is done as a fraction of the whole."""
    return lambda fraction: start + (end - start) * fraction


def _halved(image: Tensor) -> Tensor:
    return functional.avg_pool2d(image[None], 2)[0]


def _enlarged(difference: Tensor, like: Tensor) -> Tensor:
    """Return a difference of halved images at full size, without what is too fine to be told at half of it."""
    smooth = functional.avg_pool2d(
        functional.pad(difference[None], (1, 1, 1, 1), mode="replicate"), 3, 1
    )
    large = functional.interpolate(smooth, scale_factor=2, mode="bilinear", align_corners=False)[0]
    height, width = like.shape[-2:]
    return _extended(large, [height - large.shape[-2], width - large.shape[-1]])


def _one_pass(
    noisy: Tensor, guide: Tensor | None, variance: Tensor, overestimation: float = 1.0
) -> Generator[float, None, Tensor]:
    group = GROUPS[0] if guide is None else GROUPS[1]
    channels, height, width = noisy.shape
    # mirrored at the far border until patches at every STEP pixels cover all
    extra = [
        max(PATCH - size, 0) + (-(max(size, PATCH) - PATCH)) % STEP for size in (height, width)
    ]
    noisy = _extended(noisy, extra)
    alike = noisy if guide is None else _extended(guide, extra)
    variance = _extended(variance, extra)
    _, tall, wide = noisy.shape
    total = torch.zeros((channels, tall * wide), device=noisy.device)
    weight = torch.zeros_like(total)
    offsets = (
        (torch.arange(PATCH)[:, None] * wide + torch.arange(PATCH)).reshape(-1).to(noisy.device)
    )
    rows = range(0, tall - PATCH + 1, STEP)
    for start in range(0, len(rows), BAND):
        corners = similar_patches(alike, rows[start : start + BAND], group)  # (patches, group)
        for chunk in corners.split(CHUNK):
            pixels = chunk[:, :, None] + offsets
            # of a patch, by its middle
            noise_power = PATCH**2 * _taken(variance, pixels[..., PATCH**2 // 2]).clamp_min(LEAST)
            _restore_groups(
                noisy,
                guide if guide is None else alike,
                noise_power,
                pixels,
                (total, weight),
                overestimation,
            )
            yield start / len(rows)
    restored = (total / weight.clamp_min(1e-12)).view(channels, tall, wide)
    return restored[:, :height, :width]


def _extended(image: Tensor, extra: list[int]) -> Tensor:
    # replicate, as reflection cannot exceed the image
    return functional.pad(image[None], (0, extra[1], 0, extra[0]), mode="replicate")[0]


def _restore_groups(
    noisy: Tensor,
    guide: Tensor | None,
    noise_power: Tensor,
    pixels: Tensor,
    sums: tuple[Tensor, Tensor],
    overestimation: float,
) -> None:
    """Restore groups of patches and add them into `sums`, total and weight.

    noise_power: (C, groups, k), that in each patch; pixels: (groups, k, PATCH^2) flat indices.
    """
    channels = noisy.shape[0]
    _, size, area = pixels.shape
    observed = _taken(noisy, pixels)  # (C, groups, k, area)
    known = observed if guide is None else _taken(guide, pixels)
    eye = torch.eye(size, device=noisy.device)
    power = known @ known.transpose(-2, -1)  # X X'
    # without a guide it has the noise's own power already, but for what the noise is weaker than it is taken for:
    # without that, T would turn noise around. The rest keeps the inverse stable in float32,
    # where patches are equal and the noise is next to none
    lacking = 1 - 1 / overestimation**2 + 1e-3 if guide is None else 1.0
    ridge = noise_power * lacking + 1e-5 * power.diagonal(dim1=-2, dim2=-1).mean(-1, keepdim=True)
    combine = eye - noise_power[..., None] * torch.linalg.inv(power + torch.diag_embed(ridge))  # T
    # patches whose estimate keeps little noise count more
    left = (combine.square() @ noise_power[..., None]) / area  # (C, groups, k, 1)
    trust = 1 / left.maximum(noise_power.mean(dim=-1)[..., None, None] / (area * size))
    places = pixels.reshape(-1)
    total, weight = sums
    weight.index_add_(1, places, trust.expand(-1, -1, -1, area).reshape(channels, -1))
    total.index_add_(1, places, (combine @ observed * trust).reshape(channels, -1))


def _taken(image: Tensor, pixels: Tensor) -> Tensor:
    return image.reshape(len(image), -1)[:, pixels]
