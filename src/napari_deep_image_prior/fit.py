r"""The loop that fits a network's weights to one image,

    theta* = argmin_theta E(f_theta),    with Adam, step by step,

as a generator: whoever drives it sees every step, and may leave at any of them.
What E is belongs to the model that is fitted, see `Fitted`; a `Restorer` wraps models
and loop into a whole restoration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECK_EVERY = 10
"""Iterations between looks at the misfit on a GPU; each look makes the GPU wait."""
SETTLING = 20
"""Iterations in which the misfit may still jump about."""
MAX_RECOVERIES = 10


class FitFailedError(Exception):
    """A fit that came to nothing; the message gives advice."""


class Fitted(Protocol):
    """What can be fitted: a network with a random loss."""

    network: nn.Module

    def loss(self) -> Tensor:
        """Return the loss of one step, a scalar tensor; draws its own random numbers."""
        ...

    def average(self) -> Tensor | None:
        """Return the running average kept beside the weights, if there is one."""
        ...


@dataclass(frozen=True)
class Schedule:
    """How the weights are stepped."""

    iterations: int
    learning_rate: float
    warm_up: int = 0
    """Iterations in which the learning rate rises from 0."""
    decay: bool = False
    """Let the learning rate fall to 0 along a half cosine."""
    clip: float = math.inf
    """Largest norm of the gradient."""
    worse_by: float = 10**0.5
    """A misfit this many times the recent ones (5 dB, as published) is a bad step."""

    def rate(self, iteration: int) -> float:
        """Return the learning rate of an iteration, counted from 0."""
        rising = min(1.0, (iteration + 1) / (self.warm_up + 1))
        falling = 0.5 * (1 + math.cos(math.pi * iteration / self.iterations)) if self.decay else 1.0
        return self.learning_rate * rising * falling


@dataclass(frozen=True)
class Progress:
    """One step of a fit."""

    iteration: int
    """Steps done, from 1."""
    misfit: float
    """The loss; on a GPU that of the last look."""


def fit(model: Fitted, schedule: Schedule) -> Iterator[Progress]:
    """Fit `model`, yielding after each step.

    Raises
    ------
    FitFailedError
        If the fit keeps diverging.
    """
    optimiser = torch.optim.Adam(model.network.parameters(), lr=schedule.learning_rate)
    on_cpu = next(model.network.parameters()).device.type == "cpu"
    recovery = Recovery(model, optimiser, schedule.worse_by)
    misfit = math.nan
    for iteration in range(schedule.iterations):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(iteration) * recovery.slowdown
        optimiser.zero_grad(set_to_none=True)
        loss = model.loss()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's annotation is missing
        if math.isfinite(schedule.clip):
            nn.utils.clip_grad_norm_(model.network.parameters(), schedule.clip)
        if on_cpu or iteration % CHECK_EVERY == 0 or iteration + 1 == schedule.iterations:
            misfit = float(loss.detach())
            if not recovery.accepts(misfit, iteration):
                continue  # the bad step is not taken: everything is as it was at the last good look
        optimiser.step()
        yield Progress(iteration + 1, misfit)


class Restorer(Protocol):
    """A whole restoration, whatever it is made of."""

    total: int
    """Steps it will take at most."""
    note: str
    """What the stopping rule thinks just now."""
    stop_reason: str
    """Why the steps ended, once they have."""

    def steps(self) -> Iterator[Progress]:
        """Restore, one step at a time."""
        ...

    def estimate(self) -> Tensor:
        """Return the image as restored so far, quickly, (1, C, Y, X)."""
        ...

    def finish(self) -> Tensor:
        """Return the best image that the steps so far allow, (1, C, Y, X)."""
        ...


class Recovery:
    """Goes back to the last good state after a bad step: weights, optimiser and average together.

    Restoring the weights alone would take the same bad step again, out of Adam's memory.
    """

    def __init__(self, model: Fitted, optimiser: torch.optim.Optimizer, worse_by: float) -> None:
        self._model, self._optimiser, self._worse_by = model, optimiser, worse_by
        self._recent: float | None = None
        self._recoveries = 0
        self._last_recovery = -1000
        self.slowdown = 1.0
        """Factor on the learning rate: halved when one recovery soon follows another."""
        self._save()

    def accepts(self, misfit: float, iteration: int) -> bool:
        """Note a good state and return True, or restore the last one and return False."""
        limit = math.inf if self._recent is None or iteration < SETTLING else self._worse_by * self._recent
        if math.isfinite(misfit) and misfit <= limit:
            self._recent = misfit if self._recent is None else 0.9 * self._recent + 0.1 * misfit
            if iteration % CHECK_EVERY == 0:
                self._save()
            return True
        self._recoveries += 1
        if self._recoveries > MAX_RECOVERIES:
            raise FitFailedError(
                "the fit diverged again and again: use a lower learning rate or another seed, "
                "and check the image for extreme values."
            )
        if iteration - self._last_recovery < 100:
            self.slowdown /= 2
        self._last_recovery = iteration
        self._restore()
        return False

    def _save(self) -> None:
        # clones, as both state dicts hold the living tensors
        self._weights = [weight.detach().clone() for weight in self._model.network.parameters()]
        state = self._optimiser.state_dict()
        self._moments = {
            key: {name: value.clone() if isinstance(value, Tensor) else value for name, value in moments.items()}
            for key, moments in state["state"].items()
        }
        average = self._model.average()
        self._average = None if average is None else average.clone()

    def _restore(self) -> None:
        with torch.no_grad():
            for weight, saved in zip(self._model.network.parameters(), self._weights, strict=True):
                weight.copy_(saved)
            average = self._model.average()
            if average is not None and self._average is not None:
                average.copy_(self._average)
        state = self._optimiser.state_dict()
        # load_state_dict keeps the tensors it is given: it must not get our only copy
        state["state"] = {
            key: {name: value.clone() if isinstance(value, Tensor) else value for name, value in moments.items()}
            for key, moments in self._moments.items()
        }
        self._optimiser.load_state_dict(state)
