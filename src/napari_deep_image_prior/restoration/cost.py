"""Prediction of run time and memory use, from a rehearsal on a piece of the image.

Self-supervised fits process crops: the time of a step is independent of the image size. Operations
on the whole image (the first estimate, the end of the fit, each step of the published method) scale
with the number of pixels.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..generators import run_to_end
from ..methods.registry import method_of
from .api import new_steps
from .devices import choose_device, fit_environment
from .threads import patch_threads

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch

    from ..fitting.settings import Settings
    from ..methods.base import Rehearsal
    from ..methods.task import Task
    from .steps import Steps

EDGE = 96
"""Edge of the piece on a CPU, in pixels."""
EDGE_ON_A_GPU = 1024
"""Edge of the piece on a GPU, which a small piece would not fill."""
ENOUGH_STEPS, ENOUGH_SECONDS = 20, 1.0
"""Steps of the fit in a rehearsal, and the time on a CPU after which fewer are enough."""


@dataclass(frozen=True)
class Estimate:
    """Predicted cost of a restoration."""

    seconds: float
    """Run time without early stopping."""
    memory: float
    """Upper bound of the memory in bytes, excluding the image and the program."""
    device: str
    """The device, as text for users."""
    may_end_early: bool
    """Whether the fit has early stopping."""

    def __str__(self) -> str:
        most = "At most about" if self.may_end_early else "About"
        memory = f"{max(self.memory, 1e8) / 1e9:.1f} GB"
        return f"{most} {_rounded(self.seconds)} and {memory} on {self.device}."


def estimate(
    task: Task,
    *,
    preset: str = "fast",
    settings: Settings | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Estimate:
    """Predict the cost of a restoration in about three seconds.

    The arguments are those of `restore`.

    Returns
    -------
    Estimate

    Raises
    ------
    RestorationError, ValueError, TypeError
        As `restore`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_deep_image_prior import Denoise, DeepImagePriorFit
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> settings = DeepImagePriorFit(iterations=100)
    >>> estimate(Denoise(noisy), settings=settings, device="cpu").may_end_early
    False
    """
    return run_to_end(
        estimating(task, preset=preset, settings=settings, device=device, threads=threads)
    )


def estimating(
    task: Task, *, preset: str, settings: Settings | None, device: str, threads: int | None
) -> Generator[str, None, Estimate]:
    """Do the same as `estimate`; yields what is done after each step, to be interrupted there."""
    planned = new_steps(task, preset=preset, settings=settings, device=device, threads=threads)
    chosen, where = planned.settings, choose_device(device)
    restorer = method_of(task.kind).restorer(chosen)
    edge = restorer.rehearsal_edge(task, chosen, EDGE if where.type == "cpu" else EDGE_ON_A_GPU)
    piece = task.rehearsal(edge)
    whole_pixels, piece_pixels = (
        restorer.pixels(chosen, each.result_spatial_shape) for each in (task, piece)
    )
    before = _allocated(where, start=True)
    rehearsed = restorer.rehearsal_settings(chosen)
    with new_steps(piece, settings=rehearsed, device=device, threads=threads) as steps:
        steps.wants_image = lambda: False
        rehearsal = yield from _rehearsal(
            steps, whole_pixels / piece_pixels, on_cpu=where.type == "cpu"
        )
    seconds = restorer.seconds(chosen, rehearsal, task.result_spatial_shape)
    on_gpu = where.type == "cuda"
    with fit_environment(threads, patch_threads(threads)):
        memory = (
            (_allocated(where) - before) * rehearsal.ratio
            if on_gpu
            else restorer.memory(task, chosen)
        )
    return Estimate(seconds, memory, planned.device, chosen.may_end_early)


def _rehearsal(steps: Steps, ratio: float, *, on_cpu: bool) -> Generator[str, None, Rehearsal]:
    """Time the first steps of a fit and what precedes and follows them."""
    from ..methods.base import Rehearsal

    at: dict[int, float] = {}
    fitted: list[float] = []
    total = 0
    start = time.perf_counter()
    for step in steps:
        now = time.perf_counter() - start
        at.setdefault(step.iteration, now)
        if step.fitted > len(fitted):
            fitted.append(now)
            total = step.total - (step.iteration - step.fitted)
        # steps 1, 10 and 20 synchronize with a GPU: only their times are exact
        is_slow = on_cpu and len(fitted) > 2 and now - fitted[0] > ENOUGH_SECONDS
        if is_slow or len(fitted) >= ENOUGH_STEPS:
            steps.stop()
        yield step.place
    end = time.perf_counter() - start
    fitted, total = fitted or [end], total or 1  # some methods fit no network
    per_step = (fitted[-1] - fitted[0]) / (len(fitted) - 1) if len(fitted) > 1 else fitted[0]
    return Rehearsal(
        setup=max(fitted[0] - per_step, 0.0),
        step=per_step,
        finish=end - fitted[-1],
        steps=total,
        reached=at,
        ratio=ratio,
        piece=steps.task.result_spatial_shape,
    )


def _allocated(device: torch.device, *, start: bool = False) -> int:
    """Return a GPU's memory in use at the start, or its peak since then; 0 on other devices."""
    if device.type != "cuda":
        return 0
    import torch

    if start:
        torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.max_memory_allocated(device)


def _rounded(seconds: float) -> str:
    """Return a time as text, rounded to its accuracy."""
    if seconds < 10:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    return (
        f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.{1 if seconds < 36000 else 0}f} h"
    )
