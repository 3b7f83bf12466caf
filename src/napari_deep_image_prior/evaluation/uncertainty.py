"""How much of a result is chance: the same restoration with several seeds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..restoration.api import iter_restore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..methods.task import Task
    from ..restoration.base import Step


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Mean and spread of the results of several seeds."""

    mean: NDArray[np.float64]
    """The task's `result_shape`, the input's intensity units."""
    std: NDArray[np.float64]
    """Standard deviation of the results at each pixel, in the same units."""
    seeds: int
    """How many results there were, of the seeds from 0 on."""


@dataclass(frozen=True, eq=False)
class SeedStep:
    """One step of one of the restorations."""

    number: int
    """Which of the restorations, from 1."""
    seeds: int
    """How many there are."""
    step: Step
    """Its step."""
    seconds_left: float | None = None
    """Estimate of the time to the end of them all; None before there is one."""
    result: Uncertainty | None = field(default=None, repr=False)
    """The outcome, with the last step only."""


def uncertainty(task: Task, *, seeds: int = 5, **options: Any) -> Uncertainty:  # noqa: ANN401  (those of restore)
    """Restore an image with several seeds, and return how far the results differ.

    Where they differ, a result is a guess. Where they agree it may still be wrong: all
    of them have the same prior and the same noisy image.

    Parameters
    ----------
    task : Denoise, Inpaint or SuperResolve
        The image and what is wrong with it.
    seeds : int
        How many restorations, 2 at least; the time grows with it.
    **options
        Those of `restore`, but `seed`.

    Raises
    ------
    RestorationError, ValueError, TypeError
        As `restore`.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> dip.uncertainty(dip.Denoise(noisy), seeds=2, settings=dip.DeepImagePriorFit(iterations=2)).std.shape
    (32, 32)
    """
    for step in iter_uncertainty(task, seeds=seeds, **options):
        if step.result is not None:
            return step.result
    raise AssertionError("the last step has the result")


def iter_uncertainty(task: Task, *, seeds: int = 5, **options: Any) -> Iterator[SeedStep]:  # noqa: ANN401
    """Do as `uncertainty`, step by step; leaving the loop ends it and frees its memory."""
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 2:
        raise ValueError(
            f"seeds={seeds!r} must be a whole number from 2 on: one result has no spread."
        )
    return _restoring(task, seeds, options)


def _restoring(task: Task, seeds: int, options: dict[str, Any]) -> Iterator[SeedStep]:
    mean = np.zeros(task.result_shape)
    squares = np.zeros(task.result_shape)  # summed deviations from the mean, by Welford's update
    started = time.perf_counter()
    for number in range(1, seeds + 1):
        with iter_restore(task, **options, seed=number - 1) as steps:
            steps.wants_image = lambda: False
            for step in steps:
                if step.result is None:
                    yield SeedStep(number, seeds, step, _seconds_left(step, number, seeds, started))
        deviation = steps.result.image - mean
        mean += deviation / number
        squares += deviation * (steps.result.image - mean)
    yield SeedStep(
        seeds, seeds, step, 0.0, Uncertainty(mean, np.sqrt(squares / (seeds - 1)), seeds)
    )


def _seconds_left(step: Step, number: int, seeds: int, started: float) -> float | None:
    if step.seconds_left is None:
        return None
    each = (time.perf_counter() - started + step.seconds_left) / number
    return step.seconds_left + (seeds - number) * each
