"""Recovery of a diverging fit: return to the last good state after a bad step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .base import DIVERGED, FitFailedError

if TYPE_CHECKING:
    from .base import Fitted

CHECK_EVERY = 10
"""Iterations between checks of the misfit on a GPU; each check synchronizes."""
SETTLING = 20
"""First iterations, in which the misfit may vary freely."""
QUIET = 100
"""Iterations without a recovery after which a series of them ends."""
MAX_RECOVERIES = 10
"""Recoveries in a series; from then on only misfits that are not finite are refused (the learning
rate is a thousandth)."""
TINY = 1e-5
"""Rounding level of the misfit."""


class Recovery:
    """Restores the last good state after a bad step: weights, optimizer and the model's `kept`.

    Restoring the weights alone would take the same bad step again, out of Adam's memory.
    """

    def __init__(self, model: Fitted, optimizer: torch.optim.Optimizer, worse_by: float) -> None:
        self._model, self._optimizer, self._worse_by = model, optimizer, worse_by
        self._recent: float | None = None
        self._row = 0
        self._last = -QUIET
        self.slowdown = 1.0
        """Factor on the learning rate: halved when one recovery soon follows another."""
        self.count = 0
        """Steps undone so far."""
        self._save()

    def accepts(self, misfit: float, iteration: int) -> bool:
        """Save a good state and return True, or restore the last one and return False."""
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
        """Forget the recent misfits."""
        self._recent = None

    def state(self) -> dict[str, Any]:
        """Return a checkpoint, including the last good state."""
        return {
            "judged": (self._recent, self._row, self._last, self.slowdown, self.count),
            "good": (self._weights, self._moments, self._kept),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from a `state`."""
        self._recent, self._row, self._last, self.slowdown, self.count = state["judged"]
        device = next(self._model.network.parameters()).device
        self._weights, self._moments, self._kept = _moved(state["good"], device)

    def _save(self) -> None:
        # clones, as both state dicts hold the live tensors
        self._weights = [weight.detach().clone() for weight in self._model.network.parameters()]
        state = self._optimizer.state_dict()
        self._moments = _cloned(state["state"])
        self._kept = [tensor.clone() for tensor in self._model.kept()]

    def _restore(self) -> None:
        with torch.no_grad():
            for weight, saved in zip(self._model.network.parameters(), self._weights, strict=True):
                weight.copy_(saved)
            # before the first good check nothing was kept
            for tensor, saved in zip(self._model.kept(), self._kept, strict=False):
                tensor.copy_(saved)
        state = self._optimizer.state_dict()
        state["state"] = _cloned(self._moments)  # load_state_dict keeps the tensors it is given
        self._optimizer.load_state_dict(state)


def _moved(saved: Any, device: torch.device) -> Any:  # noqa: ANN401  (lists and dicts of tensors)
    """Return saved tensors on a device; Adam counts its steps on the CPU."""
    if isinstance(saved, dict):
        return {
            key: value if key == "step" else _moved(value, device) for key, value in saved.items()
        }
    if isinstance(saved, list | tuple):
        return [_moved(value, device) for value in saved]
    return saved.to(device) if isinstance(saved, Tensor) else saved


def _cloned(moments: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {
        key: {
            name: value.clone() if isinstance(value, Tensor) else value
            for name, value in state.items()
        }
        for key, state in moments.items()
    }
