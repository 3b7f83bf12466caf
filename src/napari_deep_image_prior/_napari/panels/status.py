"""The state of a run as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...restoration.base import FINISHING
from ...restoration.timing import time_left
from ..jobs.estimate import active_estimate
from ..jobs.queue import queue_of
from ..jobs.uncertainty import active_uncertainty
from ..layers.noise import fit_text, noise_text, with_channel_name
from ..viewer.messages import sentence

if TYPE_CHECKING:
    from ...restoration.base import Step
    from ..jobs.run import Run


def status_text(run: Run) -> str:
    """Return the state of a run, in a few lines."""
    if not run.is_active:
        result = run.result if run.state == "done" else None
        noise = "" if result is None else noise_text(result.provenance, run.source)
        reason = with_channel_name(run.message.removesuffix("."), run.source)
        end = f"{run.state.capitalize()}: {reason.removesuffix(' done')}."
        return "\n".join(filter(None, [end, noise]))
    if run.state == "waiting":
        if active_estimate(run.viewer) is not None:
            return "Queued: starts after the estimate."
        return _waiting_text(run)
    if run.step is None:
        verb = "Stopping" if run.state == "stopping" else "Starting"
        return f"{verb} on {run.device} …"
    note = "" if run.step.note in run.step.place else fit_text(run.step.note, run.source)
    return "\n".join(filter(None, [_step_text(run, run.step), run.device, note]))


def _waiting_text(run: Run) -> str:
    jobs_before = queue_of(run.viewer).jobs.index(run)
    if jobs_before == 0 and active_uncertainty(run.viewer) is not None:
        return "Queued: starts after the uncertainty estimate (Results panel)."
    if jobs_before == 0:
        return "Queued: starts when the last step before it has ended."
    return f"Queued: starts after {jobs_before} other{'s' if jobs_before > 1 else ''}."


def _step_text(run: Run, step: Step) -> str:
    verb = {"paused": "Paused: ", "stopping": "Stopping: "}.get(run.state, "")
    if step.stage == FINISHING:
        verb = ""
    left = ""
    is_stopped = run.state in ("paused", "stopping")  # the time left is that of the planned steps
    if not is_stopped or step.stage == FINISHING:
        left = time_left(run.seconds_left)
    return sentence(f"{verb}{step.place}{left}")
