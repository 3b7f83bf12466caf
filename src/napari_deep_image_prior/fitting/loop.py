r"""The optimization loop that fits a network's weights to one image.

    theta* = argmin_theta E(f_theta),    with Adam,

as an iterator of its steps, which may be left at any of them. The model (`Fitted`) defines E; a
`Restorer` combines models and loops into a restoration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from .base import DIVERGED, FitFailedError, Progress
from .recovery import CHECK_EVERY, Recovery

if TYPE_CHECKING:
    from torch import Tensor

    from .base import Fitted, StoppingRule
    from .settings import SelfSupervisedFit


@dataclass(frozen=True)
class Schedule:
    """Parameters of the optimization."""

    iterations: int
    """Number of steps."""
    learning_rate: float
    """Largest learning rate."""
    warm_up: int = 0
    """First steps, in which the learning rate rises linearly from 0."""
    cool_down: int = 0
    """Last steps, in which the learning rate falls to 0 along a half cosine."""
    clip: float = math.inf
    """Largest norm of the gradient."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of Adam's moments."""
    worse_by: float = 10**0.5
    """Ratio to the recent misfits above which a step is undone (5 dB, as published)."""

    def rate(self, iteration: int, end: int) -> float:
        """Return the learning rate at an iteration, counted from 0, of a fit that ends at `end`."""
        rising = min(1.0, (iteration + 1) / (self.warm_up + 1))
        cooling = max(0, iteration - (end - self.cool_down))
        falling = 0.5 * (1 + math.cos(math.pi * cooling / self.cool_down)) if cooling else 1.0
        return self.learning_rate * rising * falling

    def over(self, iterations: int) -> Schedule:
        """Return the schedule scaled to another number of iterations."""
        warm_up, cool_down = (
            part * iterations // self.iterations for part in (self.warm_up, self.cool_down)
        )
        return replace(self, iterations=iterations, warm_up=warm_up, cool_down=cool_down)


def self_supervised_schedule(settings: SelfSupervisedFit) -> Schedule:
    """Return the schedule of a fit of compact networks."""
    return Schedule(
        settings.iterations,
        settings.learning_rate,
        warm_up=settings.iterations // 20,
        cool_down=int(settings.iterations * settings.cool_down),
        clip=0.5,
        betas=(0.9, 0.99),
        worse_by=math.inf,  # the misfits of random crops vary too much
    )


def relative_to(first_error: Tensor) -> Tensor:
    """Return the divisor for held-out errors: the error of the first estimate on the same crops.

    In units of that estimate's typical error, and at least 0.1: crops of background have almost no
    error.
    """
    return first_error.detach().clamp_min(0.1)


class Fit:
    """Fits a model: an iterator that makes one step for each `Progress`.

    Parameters
    ----------
    model : Fitted
    schedule : Schedule
    rule : StoppingRule, optional
        Once it reports convergence, only the cool-down remains. None: all iterations are made.

    Raises
    ------
    FitFailedError
        If the fit keeps diverging.
    """

    def __init__(self, model: Fitted, schedule: Schedule, rule: StoppingRule | None = None) -> None:
        self._model, self._schedule, self._rule = model, schedule, rule
        self._optimizer = torch.optim.Adam(
            model.network.parameters(), lr=schedule.learning_rate, betas=schedule.betas
        )
        self._on_cpu = next(model.network.parameters()).device.type == "cpu"
        self._recovery = Recovery(model, self._optimizer, schedule.worse_by)
        self._misfit, self._stepped, self._settled = math.nan, False, False
        self._start, self._iteration, self._end = 0, 0, schedule.iterations

    def __iter__(self) -> Fit:
        return self

    def __next__(self) -> Progress:
        while self._iteration < self._end:
            if self._step():
                self._stepped = True
                return Progress(self._iteration, self._end, self._misfit)
        if not self._stepped:
            raise FitFailedError(DIVERGED)
        raise StopIteration

    def _step(self) -> bool:
        """Make a step; return False if it was undone."""
        model, schedule = self._model, self._schedule
        for group in self._optimizer.param_groups:
            rate = schedule.rate(self._iteration - self._start, self._end - self._start)
            group["lr"] = rate * self._recovery.slowdown
        self._optimizer.zero_grad(set_to_none=True)
        loss = model.loss()
        loss.backward()
        if math.isfinite(schedule.clip):
            nn.utils.clip_grad_norm_(model.network.parameters(), schedule.clip)
        self._iteration += 1
        if self._on_cpu or self._iteration % CHECK_EVERY == 0 or self._iteration in (1, self._end):
            self._misfit = float(model.misfit)
            if not self._recovery.accepts(self._misfit, self._iteration):
                return False  # the state is that of the last good check
            # after convergence the rule is not called again: its reason describes that moment
            if (
                self._rule is not None
                and not self._settled
                and self._rule.settled(self._iteration, self._misfit)
            ):
                further = 0 if self._rule.adds_nothing else schedule.cool_down
                self._end = min(self._end, self._iteration + further)
                self._settled = True
        self._optimizer.step()
        return True

    @property
    def recoveries(self) -> int:
        """Steps undone so far."""
        return self._recovery.count

    @property
    def iteration(self) -> int:
        """Steps done."""
        return self._iteration

    @property
    def end(self) -> int:
        """Steps planned at this point."""
        return self._end

    def run_on(self, iterations: int | None) -> None:
        """Continue for more steps.

        None: to the planned end, or from there for as many steps as were planned. A learning rate
        with a warm-up and a cool-down rises and falls again.
        """
        if iterations is None and self._iteration < self._end:
            return
        self._schedule = self._schedule.over(iterations or self._schedule.iterations)
        self._start, self._end = self._iteration, self._iteration + self._schedule.iterations
        self._settled = False
        if self._rule is not None:
            self._rule.restart()

    def expect_a_jump(self) -> None:
        """Accept a larger misfit at the next step: the measurement has changed."""
        self._recovery.forget()

    def state(self) -> dict[str, Any]:
        """Return a checkpoint, without the model's own state and the rule's."""
        return {
            "iteration": self._iteration,
            "weights": self._model.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "recovery": self._recovery.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from a `state`; the model's own state must have been restored before."""
        self._iteration = state["iteration"]
        self._stepped = self._iteration > 0
        self._model.network.load_state_dict(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._recovery.resume(state["recovery"])
