"""Search for similar patches in an image or a volume.

The squared distance of two patches p and q is |p|^2 - 2 p.q + |q|^2. The products of all reference
patches of a tile with all patches around it are one matrix product, which does more operations
than comparing each pair within reach, but at the full speed of the processor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterable

TILE = 8
"""Reference patches along each edge of a tile, in a plane."""
Triple = tuple[int, int, int]
"""Numbers for the axes Z, Y and X."""


@dataclass(frozen=True)
class PatchGrid:
    """Reference patches at regular positions; they overlap."""

    patch: Triple
    """Size of a patch, in pixels."""
    step: Triple
    """Distance between reference patches, in pixels."""
    reach: Triple
    """Largest offset of a similar patch along each axis, in pixels."""

    @classmethod
    def flat(cls, patch: int, step: int) -> PatchGrid:
        """Return square patches of a plane."""
        return cls((1, patch, patch), (1, step, step), (0, REACH, REACH))

    @property
    def area(self) -> int:
        """Number of pixels of a patch."""
        return math.prod(self.patch)

    def missing(self, sizes: Iterable[int]) -> list[int]:
        """Return the pixels to append along each axis so that the patches cover all of it."""
        return [
            max(patch - size, 0) + (patch - max(size, patch)) % step
            for size, patch, step in zip(sizes, self.patch, self.step, strict=True)
        ]

    def starts(self, axis: int, size: int) -> range:
        """Return the first pixels of the reference patches along an axis."""
        return range(0, size - self.patch[axis] + 1, self.step[axis])

    def offsets(self, tall: int, wide: int, device: torch.device) -> Tensor:
        """Return the flat indices of a patch's pixels in planes of that size."""
        z, y, x = (torch.arange(size, device=device) for size in self.patch)
        return ((z[:, None, None] * tall + y[:, None]) * wide + x).reshape(-1)


REACH = 18
"""`PatchGrid.reach` in a plane."""


def similar_patches(image: Tensor, grid: PatchGrid, z: int, rows: range, group: int) -> Tensor:
    """Return the patches most similar to each reference patch, including itself.

    Parameters
    ----------
    image : (C, Z, Y, X) tensor
    grid : PatchGrid
    z : int
        First plane of the reference patches.
    rows : range
        Their first rows.
    group : int
        Patches to return for each of them, fewer where fewer are in reach.

    Returns
    -------
    (patches, group) tensor of int
        Flat indices of the patches' first corners.
    """
    tall, wide = image.shape[-2:]
    columns = grid.starts(2, wide)
    starts = (range(z, z + 1), rows, columns)
    within = [
        _in_reach(each, size - patch, reach)
        for each, size, patch, reach in zip(
            starts, image.shape[1:], grid.patch, grid.reach, strict=True
        )
    ]
    group = min(group, math.prod(within))
    found = []
    for first in range(0, len(rows), TILE):
        ys = rows[first : first + TILE]
        patches, squares = _patches_around(image, grid, z, ys)
        found.append(
            torch.cat(
                [
                    _chosen(patches, squares, grid, z, ys, columns[start : start + TILE], group)
                    for start in range(0, len(columns), TILE)
                ],
                dim=1,
            )
        )
    # from (row, column, group) of positions (z, y, x) to flat indices
    z_found, y, x = torch.cat(found).flatten(0, 1).unbind(-1)
    return (z_found * tall + y) * wide + x


def _patches_around(image: Tensor, grid: PatchGrid, z: int, ys: range) -> tuple[Tensor, Tensor]:
    """Return the patches within reach of rows, (Z, Y, X, area), and their squared norms.

    Both are padded by `reach` on all sides; the norms of patches outside of the image are infinite.
    """
    wanted = ((z, z), (ys[0], ys[-1]))
    inside, margins = image, [grid.reach[2], grid.reach[2]]
    for axis in (1, 0):
        first, last = wanted[axis]
        reach, patch, size = grid.reach[axis], grid.patch[axis], image.shape[axis + 1]
        low, high = max(first - reach, 0), min(last + reach + 1, size - patch + 1)
        inside = inside.narrow(axis + 1, low, high + patch - 1 - low)
        margins += [low - first + reach, last + reach + 1 - high]
    for axis, patch in enumerate(grid.patch):
        inside = inside.unfold(axis + 1, patch, 1)
    patches = inside.permute(1, 2, 3, 0, 4, 5, 6).flatten(3)
    # the same patch is subtracted from all, for precision
    patches = patches - patches.mean(dim=(0, 1, 2))
    squares = functional.pad(patches.square().sum(dim=-1), margins, value=torch.inf)
    return functional.pad(patches, (0, 0, *margins)), squares


def _chosen(
    patches: Tensor, squares: Tensor, grid: PatchGrid, z: int, ys: range, xs: range, group: int
) -> Tensor:
    """Return the positions (z, y, x) of the patches similar to those of a tile.

    Their shape is (Y, X, group, 3).
    """
    shape, step = (len(ys), len(xs)), grid.step[1:]
    deep, tall, wide = grid.reach
    sides = tuple(2 * reach + 1 for reach in grid.reach)
    height, width = (
        each * (count - 1) + side for each, count, side in zip(step, shape, sides[1:], strict=True)
    )
    around = patches[:, :, xs[0] : xs[0] + width]
    references = around[
        deep, tall : tall + ys[-1] - ys[0] + 1 : step[0], wide : width - wide : step[1]
    ]
    distances = torch.addmm(
        squares[:, :, xs[0] : xs[0] + width].reshape(1, -1),
        references.flatten(0, 1),
        around.flatten(0, 2).T,
        alpha=-2,
    )
    # of reference (a, b), those at (w, step a + v, step b + u) are in reach
    area = sides[0] * height * width
    within = distances.as_strided(
        (*shape, *sides),
        (shape[1] * area + step[0] * width, area + step[1], height * width, width, 1),
    ).flatten(2)
    within[..., within.shape[-1] // 2] = -torch.inf  # itself, even among equal ones
    best = within.topk(group, largest=False, sorted=False).indices
    planes = best // (sides[1] * sides[2]) - deep + z
    y = _on_device(ys, best)[:, None, None] + best // sides[2] % sides[1] - tall
    x = _on_device(xs, best)[:, None] + best % sides[2] - wide
    return torch.stack([planes, y, x], dim=-1)


def _on_device(numbers: range, like: Tensor) -> Tensor:
    """Return a range on a tensor's device; made there, as a copy would have to wait."""
    return torch.arange(numbers.start, numbers.stop, numbers.step, device=like.device)


def _in_reach(starts: range, last: int, reach: int) -> int:
    """Return the smallest number of patches in reach of any of `starts` along one axis."""
    return min(min(reach, start) + min(reach, last - start) + 1 for start in starts)
