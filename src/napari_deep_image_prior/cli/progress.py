"""A restoration with a progress line on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..io.console import ProgressLine
from ..restoration.timing import time_left

if TYPE_CHECKING:
    from ..restoration.base import Restoration, RestorationSteps, Step


def run_with_progress(steps: RestorationSteps, *, name: str) -> Restoration:
    """Restore with a progress line."""
    steps.wants_image = lambda: False
    line = ProgressLine()
    try:
        for step in steps:
            line.show(f"{name}: {_progress(step)} on {steps.device}")
        return steps.result
    finally:
        line.clear()
        steps.close()


def _progress(step: Step) -> str:
    return f"{step.place}{time_left(step.seconds_left)}"


def summary(result: Restoration) -> str:
    """Return the cost of a result and why it ended, in one line."""
    made = result.provenance
    cost = f"{made['seconds']:.0f} s on {made['device_name']}"
    if result.iterations:
        cost = f"{result.iterations} iterations in {cost}"
    return "; ".join(filter(None, [cost, made["found"], result.stop_reason]))
