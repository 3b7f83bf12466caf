"""The tiles of a large array."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALIGNMENT = 16
"""Edges of tiles in a plane are multiples of it: patches and the network's scales lie as they do in
the whole image."""


@dataclass(frozen=True)
class Tile:
    """A part of an array that is restored by itself, and what is read for it."""

    number: int
    """Its number, from 0."""
    inner: tuple[slice, ...]
    """The part, with a slice for each axis."""
    outer: tuple[slice, ...]
    """The part with its halo: as much around it as its result depends on."""

    def result(self, factors: Sequence[int]) -> tuple[slice, ...]:
        """Return the part of a result that is `factors` times as large."""
        return _enlarged(self.inner, factors)

    def own(self, factors: Sequence[int]) -> tuple[slice, ...]:
        """Return the part without its halo, in the result of what is read."""
        inside = (
            slice(inner.start - outer.start, inner.stop - outer.start)
            for inner, outer in zip(self.inner, self.outer, strict=True)
        )
        return _enlarged(tuple(inside), factors)

    @property
    def place(self) -> str:
        """The first and last element along each axis, as text."""
        return ", ".join(f"{part.start}:{part.stop}" for part in self.inner)


def tiles_of(shape: Sequence[int], edges: Sequence[int], halos: Sequence[int]) -> list[Tile]:
    """Return the tiles of an array in the order of their place.

    Parameters
    ----------
    shape : sequence of int
    edges : sequence of int
        Largest size of a tile along each axis, without its halo.
    halos : sequence of int
        Width of the halo along each axis.
    """
    along = [
        [slice(start, min(start + edge, size)) for start in range(0, size, edge)]
        for size, edge in zip(shape, edges, strict=True)
    ]
    tiles = []
    for number, inner in enumerate(itertools.product(*along)):
        outer = tuple(
            slice(max(part.start - halo, 0), min(part.stop + halo, size))
            for part, halo, size in zip(inner, halos, shape, strict=True)
        )
        tiles.append(Tile(number, inner, outer))
    return tiles


def _enlarged(parts: tuple[slice, ...], factors: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(part.start * factor, part.stop * factor)
        for part, factor in zip(parts, factors, strict=True)
    )
