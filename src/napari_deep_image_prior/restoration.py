"""The front door: restore an image, in one go or step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arrays import result_dtype
from .devices import choose_device
from .provenance import Order
from .settings import CrossScaleFit, GuidedFit, MaskedFit, PriorFit, preset_settings
from .steps import Restoration, RestorationError, Step, Steps, explained_errors
from .tasks import Denoise, Inpaint, SuperResolve

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .settings import Settings
    from .tasks import Task

__all__ = ["Restoration", "RestorationError", "Step", "Steps", "explained_errors", "iter_restore", "restore"]


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
        The image and what is wrong with it.
    preset : {"fast", "best", "paper"}
        Good and quick; the highest quality at about ten times the time; or the
        published settings of the task, which take hours on a CPU.
    settings : Settings, optional
        Settings of your own, instead of a preset.
    device : str
        "auto" (CUDA, else Apple MPS, else CPU), or "cpu", "cuda", "cuda:1", "mps".
    seed : int
        Of the random numbers, 0 or more. The same seed, device, threads and settings give the same image; on a GPU
        up to rounding, where torch has no reproducible kernel.
    dtype : float dtype, or "same"
        Of the result. "same" rounds and clips back to an integer input's dtype.
    threads : int, optional
        CPU threads to use at most; None: as many as torch is set to.
    stop_after : int, optional
        Stop after so many steps, as `Steps.stop` would; None: go on to the end.

    Returns
    -------
    Restoration

    Raises
    ------
    RestorationError
        If the fit could not be done (it diverged, the memory was too small).
    ValueError, TypeError
        If an argument is wrong.

    References
    ----------
    Ulyanov, Vedaldi, Lempitsky, "Deep Image Prior", CVPR 2018, arXiv:1711.10925.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> result = dip.restore(dip.Denoise(noisy), settings=dip.PriorFit(iterations=2))
    >>> result.image.shape, result.stop_reason
    ((32, 32), 'all 2 iterations done')
    """
    with iter_restore(
        task,
        preset=preset,
        settings=settings,
        device=device,
        seed=seed,
        dtype=dtype,
        threads=threads,
        stop_after=stop_after,
    ) as steps:
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
        An iterator of `Step`; the last one holds the result.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> for step in dip.iter_restore(dip.Denoise(noisy), settings=dip.PriorFit(iterations=3)):
    ...     if step.iteration == 2:
    ...         break
    """
    if not isinstance(task, Denoise | Inpaint | SuperResolve):
        raise TypeError(f"task is a {type(task).__name__}: use Denoise, Inpaint or SuperResolve.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**31:
        raise ValueError(f"seed={seed!r} must be a whole number from 0 to {2**31 - 1}.")
    for name, value in {"threads": threads, "stop_after": stop_after}.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}={value!r} must be a whole number from 1 on, or None.")
    _check_settings(task, settings)
    chosen = preset_settings(task.kind, preset, factor=_largest_factor(task)) if settings is None else settings
    _check_strength(task, chosen)
    return Steps(
        Order(
            task,
            chosen,
            preset=preset if settings is None else None,
            device=choose_device(device),
            seed=int(seed),
            dtype=result_dtype(dtype, np.asarray(task.image).dtype),
            threads=threads,
            stop_after=stop_after,
        )
    )


def _check_settings(task: Task, settings: object) -> None:
    fitting = {"denoise": GuidedFit, "inpaint": MaskedFit, "super-resolve": CrossScaleFit}[task.kind]
    if settings is not None and not isinstance(settings, PriorFit | fitting):
        given = settings if isinstance(settings, str) else type(settings).__name__
        raise TypeError(f"settings={given} cannot serve the task {task.kind}: use {fitting.__name__} or PriorFit.")


def _check_strength(task: Task, settings: Settings) -> None:
    if isinstance(task, Denoise) and task.strength != 1 and isinstance(settings, PriorFit):
        raise ValueError(
            f"strength={task.strength:g} means nothing to the published method (preset paper), which knows no noise "
            "level: leave it at 1, or use the preset fast or best."
        )


def _largest_factor(task: Task) -> float:
    return max(task.factors) if isinstance(task, SuperResolve) else 1
