"""Early stopping without the true image."""

from __future__ import annotations

import math

WINDOW = 50
"""Errors that are averaged; the error of a single step is noisy."""
GAIN = 0.002
"""Smallest relative improvement that counts as one."""
NOTHING = 0.995
"""Held-out error, relative to that of the first estimate, above which the fit adds nothing."""


class HeldOutPlateau:
    """Stops once the held-out error has not improved for `patience` steps.

    The errors are relative to those of the first estimate, and must be those of pixels that the
    network could not see at that step: otherwise a fit to the noise would count as an improvement.

    Parameters
    ----------
    patience : int
    trial : int, optional
        Steps after which the fit ends at once if it adds nothing; None: it goes on.
    """

    def __init__(self, patience: int, trial: int | None = None) -> None:
        self._patience, self._trial = patience, trial
        self.adds_nothing = False
        """Whether the fit ended because it adds nothing to the first estimate."""
        self._settled_at: int | None = None
        self._errors: list[float] = []
        self._best = math.inf
        self._step = self._best_step = 0
        self.note = "measuring the held-out error"
        """The held-out error and its trend, as text."""

    def settled(self, iteration: int, error: float) -> bool:
        """Record the held-out error at a step; return whether the fit has converged.

        Steps may be skipped: on a GPU the error is not read at each of them.
        """
        self._step = iteration
        self._errors.append(error)
        if len(self._errors) == WINDOW:
            mean = sum(self._errors) / WINDOW
            self._errors.clear()
            if mean < (1 - GAIN) * self._best:
                self._best, self._best_step = mean, self._step
            ago = self._step - self._best_step
            trend = "falling" if ago == 0 else f"no improvement for {ago} steps"
            side = "above" if mean > 1 else "below"
            self.note = (
                f"held-out error {100 * abs(mean - 1):.1f} % {side} the first estimate; {trend}"
            )
        if self._settled_at is None and self._trial is not None and self._step >= self._trial:
            self._trial, self.adds_nothing = None, self._lowest > NOTHING
        is_plateau = self._step - self._best_step >= self._patience
        if self._settled_at is None and (is_plateau or self.adds_nothing):
            self._settled_at = self._step
        return self._settled_at is not None

    @property
    def _lowest(self) -> float:
        """The lowest mean so far; of the later half of the errors while they are few."""
        later = self._errors[len(self._errors) // 2 :]
        return self._best if math.isfinite(self._best) else sum(later) / len(later)

    def restart(self) -> None:
        """Forget the errors recorded so far, for a fit that is continued after its end."""
        self._settled_at, self.adds_nothing = None, False
        self._errors.clear()
        self._best, self._best_step = math.inf, self._step

    @property
    def has_errors(self) -> bool:
        """Whether an error was recorded."""
        return self._step > 0

    @property
    def reason(self) -> str:
        """Why the fit ended."""
        if self._settled_at is None:
            return f"all {self._step} steps done"
        if self.adds_nothing:
            return (
                f"the network had added nothing after {self._settled_at} steps; "
                "first estimate returned"
            )
        waited = self._settled_at - self._best_step
        return (
            f"held-out error had not improved for {waited} iterations "
            f"at iteration {self._settled_at}"
        )
