"""The entry points: restore an image at once or step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import result_dtype, wide_enough
from ..methods.registry import method_for, preset_settings
from .cautions import warn_of
from .devices import choose_device
from .memory import check_memory
from .provenance import RestorationSpec
from .record import MAX_ITERATIONS, MAX_THREADS
from .steps import Steps
from .threads import default_threads, patch_threads

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..fitting.settings import Settings
    from ..methods.task import Task
    from .base import Restoration
    from .network import FittedNetwork


def restore(
    task: Task,
    *,
    preset: str = "fast",
    settings: Settings | None = None,
    device: str = "auto",
    seed: int = 0,
    dtype: DTypeLike = "float32",
    threads: int | None = None,
    stop_after: int | None = None,
) -> Restoration:
    """Restore an image.

    Parameters
    ----------
    task : Denoise, Inpaint or SuperResolve
        The image and its corruption.
    preset : {"fast", "best", "paper"}
        "fast" for good quality in short time, "best" for the highest quality in about ten times
        that time, "paper" for the published settings of the task, which take hours on a CPU.
    settings : Settings, optional
        Custom settings instead of a preset.
    device : str
        "auto" (CUDA, else Apple MPS, else CPU), or "cpu", "cuda", "cuda:1", "mps".
    seed : int
        Seed of the random numbers, 0 to 2^31 - 1. The same seed, device, threads and settings give
        the same image; on a GPU up to rounding, where torch has no deterministic kernel.
    dtype : float dtype, or "same"
        Dtype of the result. "same" is that of the input; integers are rounded and clipped. In place
        of float32 it is float64 where float32 would lose the contrast: on a large offset, where it
        has fewer than 256 steps of float32, and beyond the range of float32.
    threads : int, optional
        Largest number of CPU threads; None: torch's current setting, but one core is spared, and
        all cores for the nonlocal estimates of `Denoise`. The result depends on torch's only.
    stop_after : int, optional
        Stop after this many steps, as `Steps.stop` would; None: run to the end.

    Returns
    -------
    Restoration
        The restored image, in the input's intensity units, and its provenance.

    Raises
    ------
    RestorationError
        If the fit failed (it diverged, or the memory was insufficient).
    ValueError, TypeError
        If an argument is invalid.

    References
    ----------
    Ulyanov, Vedaldi, Lempitsky, "Deep Image Prior", CVPR 2018, arXiv:1711.10925.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> result = dip.restore(dip.Denoise(noisy), settings=dip.DeepImagePriorFit(iterations=2))
    >>> result.image.shape, result.stop_reason
    ((32, 32), 'all 2 steps done')
    """
    return result_of(
        iter_restore(
            task,
            preset=preset,
            settings=settings,
            device=device,
            seed=seed,
            dtype=dtype,
            threads=threads,
            stop_after=stop_after,
        )
    )


def result_of(steps: Steps) -> Restoration:
    """Return the result of steps, without previews."""
    with steps:
        steps.wants_image = lambda: False
        for _step in steps:
            pass
        return steps.result


def iter_restore(
    task: Task,
    *,
    preset: str = "fast",
    settings: Settings | None = None,
    device: str = "auto",
    seed: int = 0,
    dtype: DTypeLike = "float32",
    threads: int | None = None,
    stop_after: int | None = None,
) -> Steps:
    """Restore an image step by step; the arguments are those of `restore`.

    Leaving the loop ends the fit and frees its memory.

    Returns
    -------
    Steps
        An iterator of `Step`; the last one has the result.

    Raises
    ------
    RestorationError
        While iterating, if the fit failed.
    ValueError, TypeError
        If an argument is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> settings = dip.DeepImagePriorFit(iterations=3)
    >>> for step in dip.iter_restore(dip.Denoise(noisy), settings=settings):
    ...     if step.iteration == 2:
    ...         break
    """
    steps = new_steps(
        task,
        preset=preset,
        settings=settings,
        device=device,
        seed=seed,
        dtype=dtype,
        threads=threads,
        stop_after=stop_after,
    )
    warn_of(task)
    return steps


def new_steps(  # noqa: PLR0913  (those of restore, and one more)
    task: Task,
    *,
    preset: str = "fast",
    settings: Settings | None = None,
    device: str = "auto",
    seed: int = 0,
    dtype: DTypeLike = "float32",
    threads: int | None = None,
    stop_after: int | None = None,
    fitted: FittedNetwork | None = None,
) -> Steps:
    """Do the same as `iter_restore`, without a warning if the task looks like a mistake.

    fitted: a network fitted to other images, in place of an own fit; it has its settings.
    """
    method = method_for(task)
    if fitted is not None:
        fitted.check(task)
        settings = fitted.settings
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**31:
        raise ValueError(f"seed={seed!r} must be a whole number from 0 to {2**31 - 1}.")
    for name, value, most in (
        ("threads", threads, MAX_THREADS),
        ("stop_after", stop_after, MAX_ITERATIONS),
    ):
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (is_whole and 1 <= value <= most):
            raise ValueError(f"{name}={value!r} must be a whole number from 1 to {most}, or None.")
    chosen = (
        preset_settings(task.kind, preset, factor=task.magnification).for_pixels(
            math.prod(task.result_spatial_shape)
        )
        if settings is None
        else settings
    )
    method.check(chosen)
    check_memory(task, chosen)
    image = np.asarray(task.image)
    task.check_settings(chosen)
    return Steps(
        RestorationSpec(
            task,
            chosen,
            preset=preset if settings is None else None,
            device=choose_device(device),
            seed=int(seed),
            dtype=wide_enough(result_dtype(dtype, image.dtype), image[~task.unknown]),
            threads=threads or default_threads(),
            workers=patch_threads(threads),
            stop_after=stop_after,
            fitted=fitted,
        )
    )
