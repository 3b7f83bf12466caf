"""The eight turned and mirrored views of an image, and random crops of it.

One image is little to learn from: each crop serves in eight views, and a
restoration averaged over the views is better than any single one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

VIEWS = 8


def turned(image: Tensor, view: int) -> Tensor:
    """Return view 0 to 7 of (..., Y, X): quarter turns, from 4 on mirrored as well."""
    image = torch.rot90(image, view % 4, (-2, -1))
    return image.flip(-1) if view >= 4 else image


def turned_back(image: Tensor, view: int) -> Tensor:
    """Undo `turned`."""
    image = image.flip(-1) if view >= 4 else image
    return torch.rot90(image, -(view % 4), (-2, -1))


def mean_over_views(
    network: Callable[[Tensor], Tensor], image: Tensor
) -> Generator[None, None, Tensor]:
    """Return the mean of what `network` makes of the views of (1, C, Y, X), turned back; yields after each view."""
    total: Tensor | None = None
    for view in range(VIEWS):
        with torch.no_grad():
            seen = turned_back(network(turned(image, view)), view)
        total = seen if total is None else total + seen
        yield
    return cast("Tensor", total) / VIEWS


class Crops:
    """Draws square crops of tensors at random places and in random views."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        # on the CPU for every device: the same seed draws the same places
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self, choices: Sequence[Tensor], count: int) -> Tensor:
        """Return (count, C, size, size) crops, each of one of the (C, Y, X) `choices`, large ones more often.

        The crops are smaller where some choice is smaller than `size`.
        """
        size = min(self._size, *(min(choice.shape[-2:]) for choice in choices))
        areas = torch.tensor([float(choice.shape[-2] * choice.shape[-1]) for choice in choices])
        crops = []
        for index in torch.multinomial(
            areas, count, replacement=True, generator=self._generator
        ).tolist():
            choice = choices[index]
            top, left = (self.integer(extent - size + 1) for extent in choice.shape[-2:])
            crops.append(
                turned(choice[:, top : top + size, left : left + size], self.integer(VIEWS))
            )
        return torch.stack(crops)

    def integer(self, below: int) -> int:
        """Return a random integer from 0 to below `below`."""
        return int(torch.randint(below, (), generator=self._generator))
