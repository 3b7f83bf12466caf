r"""The loop that fits a network's weights to one image.

    theta* = argmin_theta E(f_theta),    with Adam, step by step,

as an iterator: whoever drives it sees every step, and may leave at any of them.
What E is belongs to the model that is fitted, see `Fitted`; a `Restorer` wraps models
and loop into a whole restoration.
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
    """How the weights are stepped."""

    iterations: int
    learning_rate: float
    warm_up: int = 0
    """Iterations in which the learning rate rises from 0."""
    cool_down: int = 0
    """Last iterations, in which the learning rate falls to 0 along a half cosine."""
    clip: float = math.inf
    """Largest norm of the gradient."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of Adam."""
    worse_by: float = 10**0.5
    """A misfit this many times the recent ones (5 dB, as published) is a bad step."""

    def rate(self, iteration: int, end: int) -> float:
        """Return the learning rate of an iteration, counted from 0, of a fit that ends at `end`."""
        rising = min(1.0, (iteration + 1) / (self.warm_up + 1))
        cooling = max(0, iteration - (end - self.cool_down))
        falling = 0.5 * (1 + math.cos(math.pi * cooling / self.cool_down)) if cooling else 1.0
        return self.learning_rate * rising * falling

    def over(self, iterations: int) -> Schedule:
        """Return the same schedule, stretched or squeezed to another number of iterations."""
        warm_up, cool_down = (
            part * iterations // self.iterations for part in (self.warm_up, self.cool_down)
        )
        return replace(self, iterations=iterations, warm_up=warm_up, cool_down=cool_down)


def self_supervised_schedule(settings: SelfSupervisedFit) -> Schedule:
    """Return how the lean networks are stepped."""
    return Schedule(
        settings.iterations,
        settings.learning_rate,
        warm_up=settings.iterations // 20,
        cool_down=int(settings.iterations * settings.cool_down),
        clip=0.5,
        betas=(0.9, 0.99),
        worse_by=math.inf,  # random crops differ too much; what a fit is worth is judged when it has ended
    )


def relative_to(classical: Tensor) -> Tensor:
    """Return a classical estimate's error on some crops, in units of its typical error, to divide by.

    Crops of nothing but background have next to no error: a tenth of the typical one
    keeps the ratio from exploding.
    """
    return classical.detach().clamp_min(0.1)


class Fit:
    """Fits `model` step by step: an iterator that makes one step for each `Progress`.

    Once the `rule` finds the fit settled, only the cool-down is left to do.

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
        """Make a step; return False if it was a bad one, which is then not taken."""
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
                return False  # everything is as it was at the last good look
            # once settled, the rule is not asked any more: its reason is that of the moment
            if (
                self._rule is not None
                and not self._settled
                and self._rule.settled(self._iteration, self._misfit)
            ):
                self._end = min(self._end, self._iteration + schedule.cool_down)
                self._settled = True
        self._optimizer.step()
        return True

    @property
    def recoveries(self) -> int:
        """Bad steps taken back so far."""
        return self._recovery.count

    @property
    def iteration(self) -> int:
        """Steps done."""
        return self._iteration

    @property
    def end(self) -> int:
        """Steps it will have done at its end, as far as is known now."""
        return self._end

    def run_on(self, iterations: int | None) -> None:
        """Go on where it is: for `iterations` more, or, None, to its end, or if it is there as long as it was planned.

        A learning rate that falls in the end rises and falls again.
        """
        if iterations is None and self._iteration < self._end:
            return
        self._schedule = self._schedule.over(iterations or self._schedule.iterations)
        self._start, self._end = self._iteration, self._iteration + self._schedule.iterations
        self._settled = False
        if self._rule is not None:
            self._rule.restart()

    def expect_a_jump(self) -> None:
        """Do not take it for a bad step if the next misfit is worse: what is fitted has changed."""
        self._recovery.forget()

    def state(self) -> dict[str, Any]:
        """Return all that the next steps depend on, to go on from later, but the model's own and the rule's."""
        return {
            "iteration": self._iteration,
            "weights": self._model.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "recovery": self._recovery.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a `state`; the model's own state must have been brought back before."""
        self._iteration = state["iteration"]
        self._stepped = self._iteration > 0
        self._model.network.load_state_dict(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._recovery.resume(state["recovery"])
