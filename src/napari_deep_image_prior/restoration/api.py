"""The front door: restore an image, in one go or step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import result_dtype
from ..methods.registry import method_for, preset_settings
from .devices import choose_device
from .provenance import RestorationSpec
from .steps import Steps

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..fitting.settings import Settings
    from ..methods.task import Task
    from .base import Restoration


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
    >>> result = dip.restore(dip.Denoise(noisy), settings=dip.DeepImagePriorFit(iterations=2))
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
    >>> for step in dip.iter_restore(dip.Denoise(noisy), settings=dip.DeepImagePriorFit(iterations=3)):
    ...     if step.iteration == 2:
    ...         break
    """
    method = method_for(task)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**31:
        raise ValueError(f"seed={seed!r} must be a whole number from 0 to {2**31 - 1}.")
    for name, value in {"threads": threads, "stop_after": stop_after}.items():
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or value < 1
        ):
            raise ValueError(f"{name}={value!r} must be a whole number from 1 on, or None.")
    chosen = (
        preset_settings(task.kind, preset, factor=task.magnification)
        if settings is None
        else settings
    )
    method.check(chosen)
    task.check_settings(chosen)
    return Steps(
        RestorationSpec(
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
