"""The front door: restore an image, in one go or step by step."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from .arrays import cast, channels_back, result_dtype
from .devices import choose_device, cpu_threads, device_name, reproducible_convolutions
from .fit import FitFailedError
from .pace import Clock
from .provenance import Order, provenance
from .restorers import choose_restorer
from .settings import CrossScaleFit, GuidedFit, MaskedFit, PriorFit, preset_settings
from .tasks import Denoise, Inpaint, SuperResolve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import TracebackType

    from numpy.typing import DTypeLike, NDArray

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
    """Steps of the network's fit."""
    history: list[float]
    """Misfit at each of them, see `Step.misfit`."""
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
    """What is being minimised: the mean squared misfit to the image (PriorFit), or the held-out error relative to the
    classical estimate's (the quick fits); 0 before the fit has begun."""
    image: NDArray[Any] | None = None
    """The image as restored so far, now and then; always with the last step."""
    note: str = ""
    """What the stopping rule thinks."""
    seconds_left: float | None = None
    """Estimate from the pace of the last steps; None before there is one."""
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


class Steps:
    """A restoration under way: iterate over it, or stop it and keep what it has."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._consumer = _Consumer()
        self._result: Restoration | None = None
        # a function that does not point back here: dropping the Steps ends it at once
        self._generator = _restoring(order, self._consumer)

    @property
    def task(self) -> Task:
        """What is restored."""
        return self._order.task

    @property
    def settings(self) -> Settings:
        """How it is restored."""
        return self._order.settings

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of its images."""
        return self._order.dtype

    @property
    def device(self) -> str:
        """The device, named for people."""
        return device_name(self._order.device, self._order.threads)

    @property
    def wants_image(self) -> Callable[[], bool]:
        """Asked after each step whether it shall come with an image; may be set. By default `image_is_due`."""
        return self._consumer.wants_image or self._consumer.image_is_due

    @wants_image.setter
    def wants_image(self, predicate: Callable[[], bool]) -> None:
        self._consumer.wants_image = predicate

    def image_is_due(self) -> bool:
        """Return whether it is time for another image: about 3 times a second, less often where they cost much."""
        return self._consumer.image_is_due()

    @property
    def result(self) -> Restoration:
        """The outcome, once the steps have ended; until then RestorationError is raised."""
        if self._result is None:
            raise RestorationError("there is no result yet: iterate to the end first.")
        return self._result

    def stop(self) -> None:
        """End the fit after the step it is at: the best image so far becomes the result."""
        self._consumer.stop_requested = True

    def close(self) -> None:
        """End the fit without a result and free its memory."""
        self._generator.close()

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Step:
        # only while a step is made: the caller's own use of torch is not concerned
        with cpu_threads(self._order.threads), reproducible_convolutions():
            step = next(self._generator)
        if step.result is not None:
            self._result = step.result
        return step

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        generator = getattr(self, "_generator", None)
        if generator is not None and not generator.gi_running:
            generator.close()


class _Consumer:
    """What the one who takes the steps says meanwhile."""

    def __init__(self) -> None:
        self.stop_requested = False
        self.wants_image: Callable[[], bool] | None = None
        self._last_image, self._rest = -math.inf, 0.0

    def image_is_due(self) -> bool:
        return time.monotonic() - self._last_image > max(PREVIEW_SECONDS, self._rest)

    def preview(self, make: Callable[[], NDArray[Any]]) -> NDArray[Any] | None:
        """Make an image if one is wanted now."""
        if not (self.wants_image or self.image_is_due)():
            return None
        started = time.monotonic()
        image = make()
        self._last_image = time.monotonic()
        # previews of a large image are dear: at most a tenth of the time goes into them
        self._rest = 9 * (self._last_image - started)
        return image


def _finite(order: Order, image: NDArray[np.float64]) -> NDArray[Any]:
    """Give a (C, Y, X) image the axes and dtype that were asked for."""
    if not np.isfinite(image).all():
        raise FitFailedError("the fit left the range of numbers: use a lower learning rate or another seed.")
    with np.errstate(over="ignore"):
        result = cast(channels_back(image, order.task.channel_axis), order.dtype)
    if not np.isfinite(result).all():
        raise FitFailedError(f"the intensities do not fit into {order.dtype}: ask for dtype='float64'.")
    return result


def _restoring(order: Order, consumer: _Consumer) -> Generator[Step, None, None]:
    """Make the steps of a restoration; the last one has the result."""
    started = time.perf_counter()
    history: list[float] = []
    clock = Clock()
    with explained_errors(order.device):
        restorer = choose_restorer(order.task, order.settings, order.device, order.seed)
        for done in restorer.steps():
            if done.misfit is not None:
                history.append(done.misfit)
            left = clock.seconds_left(done.iteration, done.total)
            consumer.stop_requested |= done.iteration == order.stop_after
            last = consumer.stop_requested or done.iteration >= done.total
            image = None if last else consumer.preview(lambda: _finite(order, restorer.estimate()))
            clock.wait()
            yield Step(
                done.iteration, done.total, done.misfit or 0.0, image, "finishing" if last else restorer.note, left
            )
            clock.go_on()
            if consumer.stop_requested:
                break
        finishing = restorer.finish()
        while True:
            try:
                next(finishing)
            except StopIteration as finished:
                final = finished.value
                break
            yield Step(done.iteration, done.total, done.misfit or 0.0, None, "finishing")
        reason, stopped_after = restorer.stop_reason, None
        if consumer.stop_requested:
            stopped_after = done.iteration
            reason = f"stopped by the user after {done.iteration} of {done.total} steps"
        seconds = time.perf_counter() - started
        made = provenance(order, restorer.found, history, reason=reason, seconds=seconds, stopped_after=stopped_after)
        result = Restoration(_finite(order, final), reason, len(history), history, made)
    yield Step(done.iteration, done.iteration, done.misfit or 0.0, result.image, reason, 0.0, result)


@contextmanager
def explained_errors(device: torch.device) -> Iterator[None]:
    """Turn what torch raises into RestorationError with advice."""
    elsewhere = "" if device.type == "cpu" else "; try the device 'cpu'"
    try:
        yield
    except FitFailedError as error:
        raise RestorationError(str(error)) from error
    except (MemoryError, RuntimeError) as error:
        # torch.OutOfMemoryError is a RuntimeError; the CPU's and MPS's allocators raise a plain one
        text = str(error)
        if isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text:
            raise RestorationError(f"not enough memory on {device} for this image: crop it{elsewhere}.") from error
        raise RestorationError(f"the fit failed on {device}: {text.splitlines()[0]}{elsewhere}.") from error
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _largest_factor(task: Task) -> float:
    return max(task.factors) if isinstance(task, SuperResolve) else 1
