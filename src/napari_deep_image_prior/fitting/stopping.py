"""When to stop a fit without knowing the true image, and why."""

from __future__ import annotations

import math

WINDOW = 50
"""Steps whose errors are averaged: one step's crops say little."""
GAIN = 0.002
"""Smallest relative improvement that counts."""


class HeldOutPlateau:
    """Settled once the error on held-out pixels has not improved for `patience` steps.

    The errors must be of pixels that the network could not see at that step, or a
    fit to the noise would pass for an improvement.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._settled_at: int | None = None
        self._errors: list[float] = []
        self._best = math.inf
        self._step = self._best_step = 0
        self.note = "measuring the held-out error"
        """What the rule thinks just now."""

    def settled(self, iteration: int, error: float) -> bool:
        """Take note of the held-out error at a step; return whether further steps would gain nothing.

        Iterations may be left out: a GPU is not asked at each of them.
        """
        self._step = iteration
        self._errors.append(error)
        if len(self._errors) == WINDOW:
            mean = sum(self._errors) / WINDOW
            self._errors.clear()
            if mean < (1 - GAIN) * self._best:
                self._best, self._best_step = mean, self._step
            ago = self._step - self._best_step
            trend = "falling" if ago == 0 else f"no clear gain for {ago} steps"
            self.note = f"held-out error {mean:.1%} of the classical estimate's, {trend}"
        if self._settled_at is None and self._step - self._best_step >= self._patience:
            self._settled_at = self._step
        return self._settled_at is not None

    def restart(self) -> None:
        """Judge anew from here on, as a fit does that is run on after its end."""
        self._settled_at = None
        self._errors.clear()
        self._best, self._best_step = math.inf, self._step

    @property
    def has_errors(self) -> bool:
        """Whether the fit has begun."""
        return self._step > 0

    @property
    def reason(self) -> str:
        """Why the fit ended."""
        if self._settled_at is None:
            return f"all {self._step} iterations done"
        waited = self._settled_at - self._best_step
        return f"held-out error had not improved for {waited} iterations at iteration {self._settled_at}"
