"""The front door: restore an image, in one go or step by step."""

from __future__ import annotations

import dataclasses
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from . import __version__
from .arrays import cast, channels_back, channels_first, full_range_scaling, percentile_scaling, result_dtype
from .denoising import GuidedRestorer
from .devices import choose_device, cpu_threads, device_name
from .filling import biharmonic_fill
from .fit import FitFailedError
from .inpainting import MaskedRestorer
from .measurement import Downsample, Identity, Mask, Measurement
from .prior_fit import PriorRestorer
from .settings import CrossScaleFit, GuidedFit, MaskedFit, PriorFit, preset_settings, settings_to_dict
from .super_resolution import CrossScaleRestorer
from .tasks import Denoise, Inpaint, SuperResolve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import TracebackType

    from numpy.typing import DTypeLike, NDArray

    from .fit import Restorer
    from .settings import Settings
    from .tasks import Task

PREVIEW_SECONDS = 0.33
"""Time between the images that come with the steps."""


class RestorationError(Exception):
    """A fit that could not be done; the message says what to try."""


@dataclass(frozen=True, eq=False)
class Restoration:
    """A restored image and how it came about."""

    image: NDArray[Any]
    """The restored image: the task's `result_shape`, the input's intensity units."""
    stop_reason: str
    """Why the fit ended."""
    iterations: int
    """Steps that were done."""
    history: list[float]
    """Misfit after each step, in the units of the loss."""
    provenance: dict[str, Any]
    """Task, settings, seed, device, versions, seconds, iterations, stop reason and history; JSON-able."""


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a restoration."""

    iteration: int
    """Steps done, from 1."""
    total: int
    """Steps it will take at most."""
    misfit: float
    """The loss of this step."""
    image: NDArray[Any] | None = None
    """The image as restored so far, now and then; always with the last step."""
    note: str = ""
    """What the stopping rule thinks."""
    result: Restoration | None = field(default=None, repr=False)
    """The outcome, with the last step only."""


def restore(
    task: Task,
    *,
    preset: str = "fast",
    settings: Settings | None = None,
    device: str = "auto",
    seed: int = 0,
    dtype: DTypeLike = "float32",
    threads: int | None = None,
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
        Of the random numbers, 0 or more. The same seed, device and settings give the same image.
    dtype : float dtype, or "same"
        Of the result. "same" rounds and clips back to an integer input's dtype.
    threads : int, optional
        CPU threads to use at most; None: as many as torch is set to.

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
        task, preset=preset, settings=settings, device=device, seed=seed, dtype=dtype, threads=threads
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
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads={threads!r} must be a whole number from 1 on, or None.")
    chosen = preset_settings(task.kind, preset, factor=_largest_factor(task)) if settings is None else settings
    return Steps(
        task,
        settings=chosen,
        preset=preset if settings is None else None,
        device=choose_device(device),
        seed=int(seed),
        dtype=result_dtype(dtype, np.asarray(task.image).dtype),
        threads=threads,
    )


class Steps:
    """A restoration under way: iterate over it, or stop it and keep what it has."""

    def __init__(
        self,
        task: Task,
        *,
        settings: Settings,
        preset: str | None,
        device: torch.device,
        seed: int,
        dtype: np.dtype[Any],
        threads: int | None,
    ) -> None:
        self.task, self.settings, self.preset, self.seed, self.dtype = task, settings, preset, seed, dtype
        self._device, self._threads = device, threads
        self._last_image, self._rest = -math.inf, 0.0
        self.wants_image: Callable[[], bool] = self.image_is_due
        """Asked after each step whether it shall come with an image."""
        self._stop_requested = False
        self._result: Restoration | None = None
        self._generator = self._run()

    @property
    def device(self) -> str:
        """The device, named for people."""
        return device_name(self._device, self._threads)

    @property
    def result(self) -> Restoration:
        """The outcome, once the steps have ended; until then RestorationError is raised."""
        if self._result is None:
            raise RestorationError("there is no result yet: iterate to the end first.")
        return self._result

    def stop(self) -> None:
        """Let the next step be the last one: the best image so far becomes the result."""
        self._stop_requested = True

    def close(self) -> None:
        """End the fit without a result and free its memory."""
        self._generator.close()

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Step:
        return next(self._generator)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> Generator[Step, None, None]:
        started = time.perf_counter()
        history: list[float] = []
        with cpu_threads(self._threads), _explained_errors(self._device):
            restorer = _restorer(self.task, self.settings, self._device, self.seed)
            for done in restorer.steps():
                history.append(done.misfit)
                last = self._stop_requested or done.iteration >= done.total
                image = None if last or not self.wants_image() else self._preview(restorer)
                yield Step(done.iteration, done.total, done.misfit, image, "finishing" if last else restorer.note)
                if self._stop_requested:
                    break
            image = self._finite(restorer.finish())
            reason = restorer.stop_reason
            if self._stop_requested:
                reason = f"stopped by the user after {done.iteration} of {done.total} iterations"
            seconds = time.perf_counter() - started
            self._result = self._restoration(image, history=history, reason=reason, seconds=seconds)
        yield Step(done.iteration, done.iteration, done.misfit, self._result.image, reason, self._result)

    def image_is_due(self) -> bool:
        """Return whether it is time for another image: about 3 times a second, less often where it costs much."""
        return time.monotonic() - self._last_image > max(PREVIEW_SECONDS, self._rest)

    def _preview(self, restorer: Restorer) -> NDArray[Any]:
        started = time.monotonic()
        image = self._finite(restorer.estimate())
        self._last_image = time.monotonic()
        # previews of a large image are dear: at most a tenth of the time goes into them
        self._rest = 9 * (self._last_image - started)
        return image

    def _finite(self, image: NDArray[np.float64]) -> NDArray[Any]:
        if not np.isfinite(image).all():
            raise FitFailedError("the fit left the range of numbers: use a lower learning rate or another seed.")
        return cast(channels_back(image, self.task.channel_axis), self.dtype)

    def _restoration(self, image: NDArray[Any], *, history: list[float], reason: str, seconds: float) -> Restoration:
        provenance = {
            "task": _task_to_dict(self.task),
            "preset": self.preset,
            "settings": settings_to_dict(self.settings),
            "seed": self.seed,
            "device": self.device,
            "dtype": str(self.dtype),
            "versions": {
                "napari-deep-image-prior": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
            "seconds": round(seconds, 2),
            "iterations": len(history),
            "stop_reason": reason,
            "history": [float(f"{misfit:.4g}") for misfit in history],
        }
        return Restoration(image, reason, len(history), history, provenance)


@contextmanager
def _explained_errors(device: torch.device) -> Iterator[None]:
    """Turn what torch raises into RestorationError with advice."""
    try:
        yield
    except FitFailedError as error:
        raise RestorationError(str(error)) from error
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise RestorationError(_memory_advice(device)) from error
    except RuntimeError as error:
        # the CPU allocator raises a plain RuntimeError
        if "alloc" in str(error) or "memory" in str(error):
            raise RestorationError(_memory_advice(device)) from error
        raise RestorationError(
            f"the fit failed on {device}: {str(error).splitlines()[0]}; try device='cpu'."
        ) from error
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _memory_advice(device: torch.device) -> str:
    other = "close other programs" if device.type == "cpu" else "choose the device 'cpu'"
    return f"not enough memory on {device} for this image: crop it, take the preset 'fast', or {other}."


def _restorer(task: Task, settings: Settings, device: torch.device, seed: int) -> Restorer:
    """Choose what restores the task, and give it the task's arrays."""
    image = channels_first(np.asarray(task.image), task.channel_axis)  # (C, Y, X)
    known = np.isfinite(image)
    if isinstance(task, Inpaint):
        known = ~channels_first(np.asarray(task.missing), task.channel_axis)
    if isinstance(settings, PriorFit):
        scaling = full_range_scaling(image, known)
        measurement = _measurement(task, scaling.apply(image), known, device)
        return PriorRestorer(measurement, scaling, settings, seed)
    scaling = percentile_scaling(image, known)
    measurement = _measurement(task, scaling.apply(image), known, device)
    if isinstance(task, Inpaint) and isinstance(settings, MaskedFit):
        return MaskedRestorer(measurement, scaling, settings, seed)
    whole = measurement.observed
    if not known.all():
        whole = biharmonic_fill(whole, measurement.known, iterations=50)
    if isinstance(task, SuperResolve) and isinstance(settings, CrossScaleFit):
        return CrossScaleRestorer(whole, measurement.shape, scaling, settings, seed)
    if isinstance(task, Denoise) and isinstance(settings, GuidedFit):
        intensities = np.where(known, image, scaling.invert(whole[0].cpu().numpy()))
        return GuidedRestorer(
            intensities, known, settings, seed, device=device, noise=task.noise, noise_std=task.noise_std
        )
    raise TypeError(f"{type(settings).__name__} settings cannot serve the task {task.kind}.")


def _measurement(
    task: Task, observed: NDArray[np.float32], known: NDArray[np.bool_], device: torch.device
) -> Measurement:
    weights = torch.from_numpy(known.astype(np.float32))[None].to(device)
    values = torch.from_numpy(np.where(known, observed, np.float32(0)))[None].to(device)
    small = (observed.shape[-2], observed.shape[-1])
    if isinstance(task, Denoise):
        return Measurement(values, weights, Identity(), small)
    if isinstance(task, Inpaint):
        return Measurement(values, weights, Mask(weights), small)
    height, width = (size for axis, size in enumerate(task.result_shape) if axis != task.channel_axis)
    operator = Downsample.lanczos((height, width), small, device=device)
    return Measurement(values, weights, operator, (height, width))


def _largest_factor(task: Task) -> float:
    return max(task.factors) if isinstance(task, SuperResolve) else 1


def _task_to_dict(task: Task) -> dict[str, Any]:
    """Describe a task without its arrays."""
    fields = {f.name: getattr(task, f.name) for f in dataclasses.fields(task) if f.name not in ("image", "missing")}
    return {
        "kind": task.kind,
        "shape": list(np.shape(task.image)),
        "image_dtype": str(np.asarray(task.image).dtype),
        **fields,
    }
