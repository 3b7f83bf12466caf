"""Search for similar patches in an image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

PATCH = 9
"""Edge of a patch in pixels."""
REACH = 18
"""Largest offset of a similar patch along each axis, in pixels."""
STEP = 4
"""Distance between reference patches, in pixels; they overlap."""


def similar_patches(image: Tensor, rows: range, group: int) -> Tensor:
    """Return the patches most similar to each reference patch.

    Parameters
    ----------
    image : (C, Y, X) tensor
    rows : range
        First rows of the reference patches.
    group : int
        Patches to return for each of them, fewer where fewer are in reach.

    Returns
    -------
    (patches, group) tensor of int
        Flat indices of the patches' upper left corners; each reference patch comes first.
    """
    _, tall, wide = image.shape
    top, bottom = rows[0], rows[-1] + PATCH
    band = image[:, top:bottom]
    around = functional.pad(image, (REACH, REACH, REACH, REACH))[:, top : bottom + 2 * REACH]
    ys = torch.tensor(list(rows), device=image.device)
    xs = torch.arange(0, wide - PATCH + 1, STEP, device=image.device)
    side = 2 * REACH + 1
    shifts = torch.arange(-REACH, REACH + 1, device=image.device)
    fits_x = (xs + shifts[:, None] >= 0) & (xs + shifts[:, None] <= wide - PATCH)  # (side, X)
    distances = torch.full((side, side, len(ys), len(xs)), torch.inf, device=image.device)
    for dy in range(-REACH, REACH + 1):
        if not any(0 <= y + dy <= tall - PATCH for y in rows):
            continue
        fits_y = (ys + dy >= 0) & (ys + dy <= tall - PATCH)
        moved = (
            around[:, REACH + dy : REACH + dy + bottom - top]
            .unfold(-1, wide, 1)
            .permute(2, 0, 1, 3)
        )
        # (side, C, Y, X), in that order in memory too
        difference = torch.empty(moved.shape, device=image.device)
        squares = torch.sub(moved, band, out=difference).square_().sum(dim=1)
        distance = functional.avg_pool2d(squares[None], PATCH, STEP)[0]
        if dy == 0:
            distance[REACH] -= 1  # the reference patch first, even among equal ones
        distances[dy + REACH] = distance.masked_fill(
            ~(fits_y[:, None] & fits_x[:, None]), torch.inf
        )
    distances = distances.view(side * side, -1).T
    group = min(group, _in_reach(rows, tall) * _in_reach(range(0, wide - PATCH + 1, STEP), wide))
    chosen = distances.topk(group, dim=1, largest=False).indices
    own = (ys[:, None] * wide + xs).reshape(-1, 1)
    return own + (chosen // side - REACH) * wide + (chosen % side - REACH)


def _in_reach(starts: range, size: int) -> int:
    """Return the smallest number of patches in reach of any of `starts` along one axis."""
    last = size - PATCH
    return min(min(REACH, start) + min(REACH, last - start) + 1 for start in starts)
