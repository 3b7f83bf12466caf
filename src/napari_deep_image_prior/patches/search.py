"""Search for similar patches in an image.

The squared distance of two patches p and q is |p|^2 - 2 p.q + |q|^2. The products of all reference
patches of a tile with all patches around it are one matrix product, which does more operations
than comparing each pair within reach, but at the full speed of the processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

REACH = 18
"""Largest offset of a similar patch along each axis, in pixels."""
TILE = 8
"""Reference patches along each edge of a tile."""
SIDE = 2 * REACH + 1


@dataclass(frozen=True)
class PatchGrid:
    """Square reference patches at regular positions; they overlap."""

    patch: int
    """Edge of a patch in pixels."""
    step: int
    """Distance between reference patches, in pixels."""

    def missing(self, size: int) -> int:
        """Return the pixels to append along an axis so that the patches cover all of it."""
        return max(self.patch - size, 0) + (self.patch - max(size, self.patch)) % self.step

    def starts(self, size: int) -> range:
        """Return the first pixels of the reference patches along an axis."""
        return range(0, size - self.patch + 1, self.step)

    def offsets(self, width: int, device: torch.device) -> Tensor:
        """Return the flat indices of a patch's pixels in an image of that width."""
        edge = torch.arange(self.patch, device=device)
        return (edge[:, None] * width + edge).reshape(-1)


def similar_patches(image: Tensor, grid: PatchGrid, rows: range, group: int) -> Tensor:
    """Return the patches most similar to each reference patch, including itself.

    Parameters
    ----------
    image : (C, Y, X) tensor
    grid : PatchGrid
    rows : range
        First rows of the reference patches.
    group : int
        Patches to return for each of them, fewer where fewer are in reach.

    Returns
    -------
    (patches, group) tensor of int
        Flat indices of the patches' upper left corners.
    """
    _, tall, wide = image.shape
    columns = grid.starts(wide)
    group = min(group, _in_reach(rows, tall - grid.patch) * _in_reach(columns, wide - grid.patch))
    found = []
    for first in range(0, len(rows), TILE):
        ys = rows[first : first + TILE]
        patches, squares = _patches_around(image, grid.patch, ys)
        found.append(
            torch.cat(
                [
                    _chosen(patches, squares, ys, columns[start : start + TILE], group)
                    for start in range(0, len(columns), TILE)
                ],
                dim=1,
            )
        )
    # from (row, column, group) of positions (y, x) to flat indices
    y, x = torch.cat(found).flatten(0, 1).unbind(-1)
    return y * wide + x


def _patches_around(image: Tensor, patch: int, ys: range) -> tuple[Tensor, Tensor]:
    """Return the patches within reach of rows, (Y, X, area), and their squared norms.

    Both are padded by `REACH` on all sides; the norms of patches outside of the image are infinite.
    """
    _, tall, wide = image.shape
    start, stop = ys[0] - REACH, ys[-1] + REACH + 1
    top, bottom = max(start, 0), min(stop, tall - patch + 1)
    inside = image[:, top : bottom + patch - 1].unfold(1, patch, 1).unfold(2, patch, 1)
    patches = inside.permute(1, 2, 0, 3, 4).reshape(bottom - top, wide - patch + 1, -1)
    # the same patch is subtracted from all, for precision
    patches = patches - patches.mean(dim=(0, 1))
    margins = (REACH, REACH, top - start, stop - bottom)
    squares = functional.pad(patches.square().sum(dim=-1), margins, value=torch.inf)
    return functional.pad(patches, (0, 0, *margins)), squares


def _chosen(patches: Tensor, squares: Tensor, ys: range, xs: range, group: int) -> Tensor:
    """Return the positions (y, x) of the patches similar to those of a tile, (Y, X, group, 2)."""
    shape, step = (len(ys), len(xs)), ys.step
    height, width = (step * (count - 1) + SIDE for count in shape)
    around = patches[:, xs[0] : xs[0] + width]
    references = around[REACH : REACH + ys[-1] - ys[0] + 1 : step, REACH : width - REACH : step]
    distances = torch.addmm(
        squares[:, xs[0] : xs[0] + width].reshape(1, -1),
        references.flatten(0, 1),
        around.flatten(0, 1).T,
        alpha=-2,
    )
    # of reference (a, b), those at (step a + v, step b + u) are in reach
    area = height * width
    within = distances.as_strided(
        (*shape, SIDE, SIDE), (shape[1] * area + step * width, area + step, width, 1)
    ).flatten(2)
    within[..., REACH * SIDE + REACH] = -torch.inf  # itself, even among equal ones
    best = within.topk(group, largest=False, sorted=False).indices
    y = _on_device(ys, best)[:, None, None] + best // SIDE - REACH
    x = _on_device(xs, best)[:, None] + best % SIDE - REACH
    return torch.stack([y, x], dim=-1)


def _on_device(numbers: range, like: Tensor) -> Tensor:
    """Return a range on a tensor's device; made there, as a copy would have to wait."""
    return torch.arange(numbers.start, numbers.stop, numbers.step, device=like.device)


def _in_reach(starts: range, last: int) -> int:
    """Return the smallest number of patches in reach of any of `starts` along one axis."""
    return min(min(REACH, start) + min(REACH, last - start) + 1 for start in starts)
