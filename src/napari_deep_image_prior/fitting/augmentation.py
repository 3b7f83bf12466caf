"""Data augmentation: the eight rotated and mirrored views of an image, and random crops.

Crops are drawn in a random view; results are averaged over all views (test-time augmentation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

VIEWS = 8
"""The symmetries of a square."""
ALL = tuple(range(VIEWS))
UPRIGHT = (0, 2, 4, 6)
"""The views of a rectangle: Y and X are not exchanged."""


def transformed(image: Tensor, view: int) -> Tensor:
    """Return view 0 to 7 of a (..., Y, X) image: 0 to 3 quarter turns, mirrored from 4 on."""
    image = torch.rot90(image, view % 4, (-2, -1))
    return image.flip(-1) if view >= 4 else image


def inverse_transformed(image: Tensor, view: int) -> Tensor:
    """Invert `transformed`."""
    image = image.flip(-1) if view >= 4 else image
    return torch.rot90(image, -(view % 4), (-2, -1))


def mean_over_views(
    network: Callable[[Tensor], Tensor], image: Tensor, views: Sequence[int] = ALL
) -> Generator[None, None, Tensor]:
    """Return the output of `network` for a (1, C, Y, X) image, averaged over the (eight) views.

    Yields after each view.
    """
    total: Tensor | None = None
    for view in views:
        with torch.no_grad():
            output = inverse_transformed(network(transformed(image, view)), view)
        total = output if total is None else total + output
        yield
    return cast("Tensor", total) / len(views)


class Crops:
    """Draws square crops of tensors at random positions in random views.

    Parameters
    ----------
    size : int
        Edge of the crops in pixels.
    seed : int
    planes : int
        Planes of the crops of volumes.
    views : sequence of int
        Views of the crops.
    """

    def __init__(self, size: int, seed: int, planes: int = 1, views: Sequence[int] = ALL) -> None:
        self._size, self._planes, self._views = size, planes, views
        # on the CPU for every device: the same seed draws the same crops
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self, choices: Sequence[Tensor], count: int) -> Tensor:
        """Return (count, C, size, size) crops of (C, Y, X) `choices`, drawn in proportion to area.

        The crops are smaller if one of the choices is smaller than `size`. Those of volumes,
        (C, Z, Y, X), are (count, C, planes, size, size).
        """
        size = min(self._size, *(min(choice.shape[-2:]) for choice in choices))
        areas = torch.tensor([float(choice.shape[-2] * choice.shape[-1]) for choice in choices])
        crops = []
        for index in torch.multinomial(
            areas, count, replacement=True, generator=self._generator
        ).tolist():
            choice = choices[index]
            if choice.ndim == 4 and choice.shape[1] > self._planes:
                first = self.integer(choice.shape[1] - self._planes + 1)
                choice = choice[:, first : first + self._planes]
            top, left = (self.integer(extent - size + 1) for extent in choice.shape[-2:])
            view = self._views[self.integer(len(self._views))]
            crops.append(transformed(choice[..., top : top + size, left : left + size], view))
        return torch.stack(crops)

    def integer(self, below: int) -> int:
        """Return a random integer from 0 to `below` - 1."""
        return int(torch.randint(below, (), generator=self._generator))
