r"""The loop that fits a network's weights to one image.

    theta* = argmin_theta E(f_theta),    with Adam, step by step,

as an iterator: whoever drives it sees every step, and may leave at any of them.
What E is belongs to the model that is fitted, see `Fitted`; a `Restorer` wraps models
and loop into a whole restoration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

Result = TypeVar("Result")

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from .settings import LeanFit

CHECK_EVERY = 10
"""Iterations between looks at the misfit on a GPU; each look makes the GPU wait."""
SETTLING = 20
"""Iterations in which the misfit may still jump about."""
QUIET = 100
"""Iterations after which a recovery is forgotten."""
MAX_RECOVERIES = 10
"""Recoveries in a row; the learning rate is then a thousandth, and only numbers that are no numbers are refused."""
TINY = 1e-5
"""Misfits this small are rounding: their jumps say nothing."""
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
        warm_up, cool_down = (part * iterations // self.iterations for part in (self.warm_up, self.cool_down))
        return replace(self, iterations=iterations, warm_up=warm_up, cool_down=cool_down)


def lean_schedule(settings: LeanFit) -> Schedule:
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
        self._optimiser = torch.optim.Adam(model.network.parameters(), lr=schedule.learning_rate, betas=schedule.betas)
        self._on_cpu = next(model.network.parameters()).device.type == "cpu"
        self._recovery = Recovery(model, self._optimiser, schedule.worse_by)
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
        for group in self._optimiser.param_groups:
            rate = schedule.rate(self._iteration - self._start, self._end - self._start)
            group["lr"] = rate * self._recovery.slowdown
        self._optimiser.zero_grad(set_to_none=True)
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
            if self._rule is not None and not self._settled and self._rule.settled(self._iteration, self._misfit):
                self._end = min(self._end, self._iteration + schedule.cool_down)
                self._settled = True
        self._optimiser.step()
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
            "optimiser": self._optimiser.state_dict(),
            "recovery": self._recovery.state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a `state`; the model's own state must have been brought back before."""
        self._iteration = state["iteration"]
        self._stepped = self._iteration > 0
        self._model.network.load_state_dict(state["weights"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._recovery.resume(state["recovery"])


class Restorer(Protocol):
    """A whole restoration, whatever it is made of."""

    @property
    def found(self) -> str:
        """What was found out about the image, such as its noise; may be empty."""
        ...

    @property
    def note(self) -> str:
        """What the stopping rule thinks just now."""
        ...

    @property
    def stop_reason(self) -> str:
        """Why the steps ended, once they have."""
        ...

    def steps(self) -> Iterator[Progress]:
        """Restore, one step at a time."""
        ...

    def estimate(self) -> NDArray[np.float64]:
        """Return the image as restored so far, quickly: (C, Y, X) in the input's intensity units."""
        ...

    def finish(self) -> Generator[None, None, NDArray[np.float64]]:
        """Return the best image that the steps so far allow, (C, Y, X) in the input's intensity units.

        Yields now and then, so that it can be left.
        """
        ...

    def run_on(self, iterations: int | None) -> None:
        """Let the next `steps` go on where the last ones ended, see `Fit.run_on`."""
        ...


def with_trust(reason: str, trusts: Iterable[float]) -> str:
    """Add to the reason how far the network was followed, where that was not all the way."""
    shares = ", ".join(f"{trust:.0%}" for trust in trusts if round(trust, 2) < 1)
    return f"{reason}; unseen pixels support {shares} of the network's correction" if shares else reason


def run_to_end(working: Generator[None, None, Result]) -> Result:
    """Run a generator to its end and return what it returns."""
    while True:
        try:
            next(working)
        except StopIteration as done:
            return cast("Result", done.value)


class Recovery:
    """Goes back to the last good state after a bad step: weights, optimiser and what is kept beside them.

    Restoring the weights alone would take the same bad step again, out of Adam's memory.
    """

    def __init__(self, model: Fitted, optimiser: torch.optim.Optimizer, worse_by: float) -> None:
        self._model, self._optimiser, self._worse_by = model, optimiser, worse_by
        self._recent: float | None = None
        self._row = 0
        self._last = -QUIET
        self.slowdown = 1.0
        """Factor on the learning rate: halved when one recovery soon follows another."""
        self.count = 0
        """Steps taken back so far."""
        self._save()

    def accepts(self, misfit: float, iteration: int) -> bool:
        """Note a good state and return True, or restore the last one and return False."""
        limit = math.inf
        if self._recent is not None and iteration > SETTLING and math.isfinite(self._worse_by):
            limit = self._worse_by * self._recent + TINY
        exhausted = self._row >= MAX_RECOVERIES
        if math.isfinite(misfit) and (misfit <= limit or exhausted):
            self._recent = misfit if self._recent is None else 0.9 * self._recent + 0.1 * misfit
            if iteration % CHECK_EVERY == 0:
                self._save()
            return True
        if exhausted:
            raise FitFailedError(DIVERGED)
        self._row = self._row + 1 if iteration - self._last < QUIET else 1
        if self._row > 1:
            self.slowdown /= 2
        self._last = iteration
        self.count += 1
        self._restore()
        return False

    def forget(self) -> None:
        """Forget how large the misfit was."""
        self._recent = None

    def state(self) -> dict[str, Any]:
        """Return what it remembers, the last good state included."""
        return {
            "judged": (self._recent, self._row, self._last, self.slowdown, self.count),
            "good": (self._weights, self._moments, self._kept),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Bring back a `state`."""
        self._recent, self._row, self._last, self.slowdown, self.count = state["judged"]
        device = next(self._model.network.parameters()).device
        self._weights, self._moments, self._kept = _moved(state["good"], device)

    def _save(self) -> None:
        # clones, as both state dicts hold the living tensors
        self._weights = [weight.detach().clone() for weight in self._model.network.parameters()]
        state = self._optimiser.state_dict()
        self._moments = _cloned(state["state"])
        self._kept = [tensor.clone() for tensor in self._model.kept()]

    def _restore(self) -> None:
        with torch.no_grad():
            for weight, saved in zip(self._model.network.parameters(), self._weights, strict=True):
                weight.copy_(saved)
            # before the first good look nothing was kept
            for tensor, saved in zip(self._model.kept(), self._kept, strict=False):
                tensor.copy_(saved)
        state = self._optimiser.state_dict()
        state["state"] = _cloned(self._moments)  # load_state_dict keeps the tensors it is given
        self._optimiser.load_state_dict(state)


def _moved(saved: Any, device: torch.device) -> Any:  # noqa: ANN401  (lists and dicts of tensors)
    """Return saved tensors on a device; Adam counts its steps on the CPU."""
    if isinstance(saved, dict):
        return {key: value if key == "step" else _moved(value, device) for key, value in saved.items()}
    if isinstance(saved, list | tuple):
        return [_moved(value, device) for value in saved]
    return saved.to(device) if isinstance(saved, Tensor) else saved


def _cloned(moments: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {
        key: {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}
        for key, state in moments.items()
    }
