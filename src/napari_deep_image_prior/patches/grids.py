"""Patches of planes and volumes; those of volumes follow the shape of the voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import low_rank, nl_ridge, wiener
from .search import PatchGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

REACH = 10
"""Largest offset of a similar patch of a volume in a plane, in pixels."""
PLANES = 3
"""Largest offset of a similar patch of a volume along Z, in planes."""
RIDGE, WIENER = (4, 5), (4, 4)
"""Edges of patches of a volume along Z and in a plane, where voxels are cubes."""
WIENER_GROUP = 16
"""Patches of a volume in a group of `wiener`."""


@dataclass(frozen=True)
class PatchGrids:
    """The patches of each estimate."""

    ridge: PatchGrid
    wiener: PatchGrid
    wiener_group: int
    low_rank: PatchGrid | None
    """None: the second estimate is that of `nl_ridge`."""


PLANE = PatchGrids(nl_ridge.GRID, wiener.GRID, wiener.GROUP, low_rank.GRID)
"""Patches of a plane."""


def grids_for(shape: tuple[int, ...], spacing: Sequence[float] | None) -> PatchGrids:
    """Return the patches for an image of a (Y, X) or (Z, Y, X) shape.

    spacing: distances of voxels along Z, Y and X; None: voxels are cubes.
    """
    if len(shape) == 2 or shape[0] == 1:
        return PLANE
    deep, *wide = spacing or (1.0, 1.0, 1.0)
    ratio = 2 * deep / sum(wide)

    def grid(edges: tuple[int, int], step: int) -> PatchGrid:
        along = min(max(1, round(edges[0] / ratio)), shape[0])
        return PatchGrid(
            (along, edges[1], edges[1]),
            (max(1, along // 2), step, step),
            (min(PLANES, shape[0] - along), REACH, REACH),
        )

    return PatchGrids(grid(RIDGE, 3), grid(WIENER, 2), WIENER_GROUP, None)
