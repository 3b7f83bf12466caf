"""The state of a fit for its provenance and its progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .provenance import provenance
from .timing import Clock

if TYPE_CHECKING:
    from .provenance import RestorationSpec


class FitRecord:
    """The state of a fit, without a reference to the fit itself."""

    def __init__(self, spec: RestorationSpec) -> None:
        self.spec = spec
        self.clock = Clock()
        self.noise_summary = ""
        self._fraction = 0.0
        self.history: list[float] = []
        self.run_on: list[dict[str, int | None]] = []
        self.repainted: list[int] = []
        self.warm_start = ""
        """Fingerprint of the image whose network it started from; empty: none."""

    def restart(self) -> None:
        """Let the fraction done begin again: the fit is run on."""
        self._fraction = 0.0
        self.clock.restart()

    def fraction(self, left: float | None, counted: float) -> float:
        """Return the fraction done of the run time, or `counted`; it never decreases."""
        seconds = self.clock.seconds_since_start
        done = counted if left is None else seconds / ((seconds + left) or 1)
        self._fraction = max(self._fraction, min(done, 1.0))
        return self._fraction

    def provenance(
        self, reason: str, fitted: int | None = None, *, stopped_after: int | None = None
    ) -> dict[str, Any]:
        """Return the provenance now, or as it was after `fitted` steps of the network's fit."""
        history, seconds = self.history[:fitted], self.clock.seconds
        made = provenance(
            self.spec,
            self.noise_summary,
            history,
            reason=reason,
            seconds=seconds,
            stopped_after=stopped_after,
        )
        # with interventions, the result does not follow from task, settings and seed alone
        interventions = {
            "run_on": list(self.run_on),
            "repainted": list(self.repainted),
            "warm_start": self.warm_start,
        }
        return made | {name: when for name, when in interventions.items() if when}
