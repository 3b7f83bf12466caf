r"""Smooth filling of unknown pixels, quick enough to be done anew for every crop of a fit.

The fill u minimizes |laplacian(u)|^2 with the known pixels fixed (biharmonic), by
conjugate gradients that start from a coarse-to-fine weighted mean.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_OFFSETS = torch.arange(-2.0, 3.0)
_KERNEL = torch.exp(-(_OFFSETS[:, None] ** 2 + _OFFSETS**2) / (2 * 0.8**2))


def biharmonic_fill(observed: Tensor, known: Tensor, iterations: int) -> Tensor:
    """Fill (N, C, Y, X) where `known`, of the same shape, is 0.

    More `iterations` carry the fill further into large holes.
    """
    unknown = 1 - known
    filled = pyramid_fill(observed, known)
    residual = -unknown * _laplacian(_laplacian(filled))
    direction = residual
    power = residual.square().sum(dim=(1, 2, 3), keepdim=True)
    for _ in range(iterations):
        moved = unknown * _laplacian(_laplacian(direction))
        step = power / ((direction * moved).sum(dim=(1, 2, 3), keepdim=True) + 1e-12)
        filled = filled + step * direction
        residual = residual - step * moved
        new_power = residual.square().sum(dim=(1, 2, 3), keepdim=True)
        direction = residual + new_power / (power + 1e-12) * direction
        power = new_power
    return filled


def pyramid_fill(observed: Tensor, known: Tensor) -> Tensor:
    """Fill with weighted means of the known neighbors, from coarser images where none is near."""
    batch, channels, height, width = observed.shape
    seen = observed * known
    if min(height, width) < 4:
        mean = seen.sum(dim=(2, 3), keepdim=True) / known.sum(dim=(2, 3), keepdim=True).clamp_min(
            1e-6
        )
        return seen + (1 - known) * mean
    near, share = (_blurred(image, batch, channels) for image in (seen, known))
    local = near / share.clamp_min(1e-6)
    is_near = share.min() > 0.05
    if _may_be_asked(is_near) and bool(is_near):
        return seen + (1 - known) * local
    coarse_seen, coarse_share = (
        functional.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)
        for image in (seen, known)
    )
    coarse = pyramid_fill(
        coarse_seen / coarse_share.clamp_min(1e-6), (coarse_share > 0).to(known.dtype)
    )
    coarse = functional.interpolate(
        coarse, size=(height, width), mode="bilinear", align_corners=False
    )
    trust = (2 * share).clamp(max=1)
    return seen + (1 - known) * torch.where(is_near, local, trust * local + (1 - trust) * coarse)


def _may_be_asked(answer: Tensor) -> bool:
    """Return whether looking at a value costs nothing: a GPU would be waited for."""
    return answer.device.type == "cpu"


def _blurred(image: Tensor, batch: int, channels: int) -> Tensor:
    kernel = _KERNEL.to(image)[None, None]
    flat = image.reshape(batch * channels, 1, *image.shape[-2:])
    return functional.conv2d(flat, kernel, padding=2).reshape(image.shape)


def _laplacian(image: Tensor) -> Tensor:
    framed = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    vertical = framed[..., :-2, 1:-1] + framed[..., 2:, 1:-1]
    return vertical + framed[..., 1:-1, :-2] + framed[..., 1:-1, 2:] - 4 * image
