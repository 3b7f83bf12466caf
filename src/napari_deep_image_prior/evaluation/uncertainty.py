"""Uncertainty of a result: the spread of the same restoration over several seeds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..restoration.api import new_steps
from ..restoration.cautions import warn_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..methods.task import Task
    from ..restoration.base import Step


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Mean and standard deviation of results over several seeds."""

    mean: NDArray[np.float64]
    """Mean, in the task's `result_shape` and the input's intensity units."""
    std: NDArray[np.float64]
    """Standard deviation at each pixel, in the same shape and units."""
    seeds: int
    """Number of results, with the seeds from 0 on."""


@dataclass(frozen=True, eq=False)
class SeedStep:
    """One step of one of the restorations."""

    number: int
    """Number of the restoration, from 1."""
    seeds: int
    """Number of restorations in total."""
    step: Step
    """The step of this restoration."""
    seconds_left: float | None = None
    """Predicted seconds to the end of all restorations; None if unknown."""
    result: Uncertainty | None = field(default=None, repr=False)
    """The result, with the last step only."""


def uncertainty(task: Task, *, seeds: int = 5, **options: Any) -> Uncertainty:  # noqa: ANN401  (those of restore)
    """Restore an image with several seeds, and return the mean and the spread of the results.

    Where results differ, they are uncertain. Where they agree they may still be wrong: all have the
    same prior and the same noisy image.

    Parameters
    ----------
    task : Denoise, Inpaint or SuperResolve
        The image and its corruption.
    seeds : int
        Number of restorations, 2 or more; the time is proportional to it.
    **options
        Arguments of `restore`, except `seed`.

    Returns
    -------
    Uncertainty

    Raises
    ------
    RestorationError, ValueError, TypeError
        As `restore`; ValueError also if `seeds` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> settings = dip.DeepImagePriorFit(iterations=2)
    >>> dip.uncertainty(dip.Denoise(noisy), seeds=2, settings=settings).std.shape
    (32, 32)
    """
    for step in iter_uncertainty(task, seeds=seeds, **options):
        if step.result is not None:
            return step.result
    raise AssertionError("the last step has the result")


def iter_uncertainty(task: Task, *, seeds: int = 5, **options: Any) -> Iterator[SeedStep]:  # noqa: ANN401
    """Do the same as `uncertainty`, step by step; the arguments are the same.

    Leaving the loop ends the restoration and frees its memory.

    Yields
    ------
    SeedStep
        The last one has the result.

    Raises
    ------
    RestorationError, ValueError, TypeError
        As `uncertainty`.
    """
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 2:
        raise ValueError(
            f"seeds={seeds!r} must be a whole number, 2 or more: one result has no spread."
        )
    warn_of(task)
    return _restoring(task, seeds, options)


def _restoring(task: Task, seeds: int, options: dict[str, Any]) -> Iterator[SeedStep]:
    mean = np.zeros(task.result_shape)
    squares = np.zeros(task.result_shape)  # summed deviations from the mean, by Welford's update
    started = time.perf_counter()
    for number in range(1, seeds + 1):
        with new_steps(task, **options, seed=number - 1) as steps:
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
