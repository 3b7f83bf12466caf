"""What a restoration is made of, whatever is restored: its steps, its result, and how it fails."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import torch

from ..fitting.base import FitFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from ..fitting.settings import Settings
    from ..methods.task import Task

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
    """What is minimized: the mean squared misfit to the image (DeepImagePriorFit), or the held-out error
    relative to the classical estimate's (the quick fits); 0 before the fit has begun."""
    image: NDArray[Any] | None = None
    """The image as restored so far, now and then; always with the last step."""
    note: str = ""
    """What the stopping rule thinks."""
    seconds_left: float | None = None
    """Estimate from the pace of the last steps; None before there is one."""
    fitted: int = 0
    """Steps of the network's fit among those done: a first, classical estimate takes some too."""
    result: Restoration | None = field(default=None, repr=False)
    """The outcome, with the last step only."""


class RestorationSteps(Protocol):
    """A restoration under way: one fit, all planes of a stack, or whatever else is restored step by step.

    Iterate over it: the last step has the result. Leaving it early and closing it ends the fit and frees its memory.
    """

    @property
    def task(self) -> Task:
        """What is restored; for several planes, that of the first."""
        ...

    @property
    def settings(self) -> Settings:
        """How it is restored."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of its images."""
        ...

    @property
    def device(self) -> str:
        """The device, named for people."""
        ...

    @property
    def is_one_fit(self) -> bool:
        """Whether a single fit evolves the whole image; else one array fills part by part."""
        ...

    @property
    def initial_image(self) -> Any:  # noqa: ANN401  (an array, or a store that is indexed like one)
        """What is shown before the first step."""
        ...

    @property
    def wants_image(self) -> Callable[[], bool]:
        """Asked after each step whether it shall come with an image; may be set."""
        ...

    @wants_image.setter
    def wants_image(self, predicate: Callable[[], bool]) -> None: ...

    def image_is_due(self, seconds: float = PREVIEW_SECONDS) -> bool:
        """Return whether `seconds` have passed since the last image, more where images cost much."""
        ...

    @property
    def result(self) -> Restoration:
        """The outcome, once the steps have ended; until then RestorationError is raised."""
        ...

    @property
    def can_run_on(self) -> bool:
        """Whether the fit has ended with a result and can be continued."""
        ...

    def stop(self) -> None:
        """End after the step it is at; what is restored so far becomes the result."""
        ...

    def run_on(self, iterations: int | None = None) -> None:
        """Let a fit that has ended continue where it was; RestorationError where it cannot."""
        ...

    def repaint(self, missing: ArrayLike) -> None:
        """Give a running inpainting another mask; TypeError where there is none."""
        ...

    def provenance(self, reason: str, fitted: int | None = None) -> dict[str, Any]:
        """Describe the restoration as it is now, or as it was after `fitted` steps of the network's fit."""
        ...

    def close(self) -> None:
        """End the fit and free its memory; a result that there is stays."""
        ...

    def __iter__(self) -> Self: ...

    def __next__(self) -> Step: ...


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
            raise RestorationError(
                f"not enough memory on {device} for this image: crop it{elsewhere}."
            ) from error
        raise RestorationError(
            f"the fit failed on {device}: {text.splitlines()[0]}{elsewhere}."
        ) from error
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
