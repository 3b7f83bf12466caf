"""What the parts of a fit have in common: what can be fitted, a step, a stopping rule, and how a fit fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

DIVERGED = (
    "the fit diverged again and again: use a lower learning rate or another seed, "
    "and check the image for extreme values."
)


class FitFailedError(Exception):
    """A fit that came to nothing; the message gives advice."""


class Fitted(Protocol):
    """What can be fitted: a network with a random loss."""

    network: nn.Module

    @property
    def misfit(self) -> Tensor:
        """What is reported of the last loss, a scalar tensor: the loss itself, or a steadier measure of it."""
        ...

    def loss(self) -> Tensor:
        """Return the loss of one step, a scalar tensor; draws its own random numbers, and `misfit` is then its own."""
        ...

    def kept(self) -> list[Tensor]:
        """Return the tensors kept beside the weights, which a recovery takes back too."""
        ...


class StoppingRule(Protocol):
    """Decides, from the error at each step, when a fit may be brought to its end."""

    def settled(self, iteration: int, misfit: float) -> bool:
        """Take note of the error at a step; return whether further steps would gain nothing."""
        ...

    def restart(self) -> None:
        """Judge anew from here on."""
        ...


@dataclass(frozen=True)
class Progress:
    """One step of a fit."""

    iteration: int
    """Steps done, from 1."""
    total: int
    """Steps it will take, as far as is known now."""
    misfit: float | None = None
    """What the model reports of its loss, on a GPU that of the last look; None before the fit has begun."""
