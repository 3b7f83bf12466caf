r"""Biharmonic inpainting, fast enough for every crop of a fit.

The fill u minimizes |laplacian(u)|^2 with the known pixels fixed, by conjugate gradients that start
from a coarse-to-fine weighted mean.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_OFFSETS = torch.arange(-2.0, 3.0)
_KERNEL = torch.exp(-(_OFFSETS[:, None] ** 2 + _OFFSETS**2) / (2 * 0.8**2))


def biharmonic_fill(observed: Tensor, known: Tensor, iterations: int) -> Tensor:
    """Fill the unknown pixels of an image.

    Parameters
    ----------
    observed : (N, C, Y, X) tensor
    known : (N, C, Y, X) tensor
        1 where a pixel is known, else 0.
    iterations : int
        Conjugate gradient steps; more reach further into large holes.

    Returns
    -------
    (N, C, Y, X) tensor
    """
    unknown = 1 - known
    filled = pyramid_fill(observed, known)
    residual = -unknown * _laplacian(_laplacian(filled))
    direction = residual
    power = residual.square().sum(dim=(1, 2, 3), keepdim=True)
    for _ in range(iterations):
        applied = unknown * _laplacian(_laplacian(direction))
        step = power / ((direction * applied).sum(dim=(1, 2, 3), keepdim=True) + 1e-12)
        filled = filled + step * direction
        residual = residual - step * applied
        new_power = residual.square().sum(dim=(1, 2, 3), keepdim=True)
        direction = residual + new_power / (power + 1e-12) * direction
        power = new_power
    return filled


def planes_filled(observed: Tensor, known: Tensor, iterations: int) -> Tensor:
    """Fill the unknown voxels of a volume, plane by plane; parameters as of `biharmonic_fill`.

    Parameters
    ----------
    observed, known : (1, C, Z, Y, X) tensors
    iterations : int

    Returns
    -------
    (1, C, Z, Y, X) tensor
        Planes without a known voxel are interpolated linearly along Z.
    """
    planes, valid = (each[0].transpose(0, 1) for each in (observed, known))  # (Z, C, Y, X)
    filled = planes.clone()
    for plane in (valid.amin(dim=(1, 2, 3)) < 1).nonzero()[:, 0].tolist():
        one = slice(plane, plane + 1)
        filled[one] = biharmonic_fill(planes[one], valid[one], iterations)
    has_data = valid.amax(dim=(2, 3)) > 0
    for channel in range(filled.shape[1]):
        present = has_data[:, channel].nonzero()[:, 0].tolist()
        for plane in (~has_data[:, channel]).nonzero()[:, 0].tolist():
            below = max((z for z in present if z < plane), default=present[0])
            above = min((z for z in present if z > plane), default=below)
            below = below if below < plane else above
            share = (plane - below) / (above - below) if above > below else 0.0
            filled[plane, channel] = filled[below, channel].lerp(filled[above, channel], share)
    return filled.transpose(0, 1)[None]


def pyramid_fill(observed: Tensor, known: Tensor) -> Tensor:
    """Fill unknown pixels with weighted means of known ones, from coarser scales in large holes."""
    batch, channels, height, width = observed.shape
    seen = observed * known
    if min(height, width) < 4:
        mean = seen.sum(dim=(2, 3), keepdim=True) / known.sum(dim=(2, 3), keepdim=True).clamp_min(
            1e-6
        )
        return seen + (1 - known) * mean
    near, density = (_blurred(image, batch, channels) for image in (seen, known))
    local = near / density.clamp_min(1e-6)
    is_dense = density.min() > 0.05
    if _is_free_to_read(is_dense) and bool(is_dense):
        return seen + (1 - known) * local
    coarse_seen, coarse_density = (
        functional.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)
        for image in (seen, known)
    )
    coarse = pyramid_fill(
        coarse_seen / coarse_density.clamp_min(1e-6), (coarse_density > 0).to(known.dtype)
    )
    coarse = functional.interpolate(
        coarse, size=(height, width), mode="bilinear", align_corners=False
    )
    weight = (2 * density).clamp(max=1)
    return seen + (1 - known) * torch.where(is_dense, local, weight * local + (1 - weight) * coarse)


def local_density(known: Tensor) -> Tensor:
    """Return the share of known pixels around each pixel, 0 to 1; (N, C, Y, X)."""
    ones = torch.ones_like(known[:1, :1])
    return _blurred(known, *known.shape[:2]) / _blurred(ones, 1, 1)


def _is_free_to_read(value: Tensor) -> bool:
    """Return whether reading a value needs no synchronization with a GPU."""
    return value.device.type == "cpu"


def _blurred(image: Tensor, batch: int, channels: int) -> Tensor:
    kernel = _KERNEL.to(image)[None, None]
    flat = image.reshape(batch * channels, 1, *image.shape[-2:])
    return functional.conv2d(flat, kernel, padding=2).reshape(image.shape)


def _laplacian(image: Tensor) -> Tensor:
    framed = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    vertical = framed[..., :-2, 1:-1] + framed[..., 2:, 1:-1]
    return vertical + framed[..., 1:-1, :-2] + framed[..., 1:-1, 2:] - 4 * image
