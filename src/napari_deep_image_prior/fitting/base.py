"""Interfaces of a fit: the model, the stopping rule, a step, and the failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

DIVERGED = (
    "the fit diverged repeatedly: use a lower learning rate or another seed, "
    "and check the image for extreme values."
)


class FitFailedError(Exception):
    """A fit that failed; the message gives advice."""


class Fitted(Protocol):
    """A model that can be fitted: a network with a random loss."""

    network: nn.Module

    @property
    def misfit(self) -> Tensor:
        """The error to report for the last `loss`, a scalar tensor."""
        ...

    def loss(self) -> Tensor:
        """Draw a batch and return its loss, a scalar tensor."""
        ...

    def kept(self) -> list[Tensor]:
        """Return the tensors beside the weights that a recovery restores."""
        ...


class StoppingRule(Protocol):
    """Decides from the error at each step when a fit has converged."""

    adds_nothing: bool
    """Whether the fit is to end at once, without its cool-down."""

    def settled(self, iteration: int, misfit: float) -> bool:
        """Record the error at a step; return whether the fit has converged."""
        ...

    def restart(self) -> None:
        """Forget the errors recorded so far."""
        ...


NOISE, FIRST_ESTIMATE, FITTING = "estimating noise", "first estimate", "fitting"
WEIGHING, AVERAGING = "weighing the correction", "averaging eight views"
"""Stages of a restoration."""


@dataclass(frozen=True)
class Progress:
    """One step of a fit."""

    iteration: int
    """Steps done, from 1."""
    total: int
    """Steps planned at this point."""
    misfit: float | None = None
    """The model's misfit, on a GPU that of the last check; None before the fit has started."""
    stage: str = FITTING
    """The stage that the step belongs to."""
    fraction: float = 0.0
    """Fraction done of a stage before the fit."""
    changed: bool = True
    """Whether the restorer's estimate has changed."""
