"""Interface of a restoration: its steps, its result, and its error."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from ..fitting.base import FITTING, FitFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import torch
    from numpy.typing import ArrayLike, NDArray

    from ..fitting.settings import Settings
    from ..methods.task import Task

NOT_FINITE = re.compile(
    r"\b(nans?|inf|infinity|infinite|overflow|diverged)\b|not finite", re.IGNORECASE
)
"""What errors of a fit that diverged say."""
FINISHING = "finishing"
"""The stage after the fit."""
PREVIEW_SECONDS = 0.33
"""Shortest time between two previews."""


class RestorationError(Exception):
    """A fit that failed; the message says what to try."""


@dataclass(frozen=True, eq=False)
class Restoration:
    """A restored image and its provenance."""

    image: NDArray[Any]
    """The restored image, in the task's `result_shape` and the input's intensity units."""
    stop_reason: str
    """Why the fit ended."""
    iterations: int
    """Steps of the network's fit; 0 for a method that reports no misfits."""
    history: list[float]
    """Misfit at each of these steps, see `Step.misfit`."""
    provenance: dict[str, Any]
    """JSON-able dict: task, settings, seed, device, versions, seconds, iterations, stop reason and
    history."""


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a restoration."""

    iteration: int
    """Steps done, from 1."""
    total: int
    """Steps planned at this point."""
    misfit: float
    """The mean squared misfit to the observed pixels (DeepImagePriorFit), or the held-out error
    relative to that of the first estimate (other fits); 0 before the fit has started."""
    image: NDArray[Any] | None = None
    """The current result, in the task's `result_shape` and the input's intensity units, if
    `wants_image` asked for it; always with the last step."""
    note: str = ""
    """The state of the fit, in one line."""
    seconds_left: float | None = None
    """Predicted seconds to the end, from the duration of the last steps; None if unknown."""
    fitted: int = 0
    """Steps of the network's fit among those done, without those of a first estimate."""
    stage: str = FITTING
    """The current stage: "estimating noise", "first estimate", "fitting" or "finishing"."""
    place: str = ""
    """The stage and what is done of it, as text."""
    fraction: float = 0.0
    """Fraction done of the whole, by run time where that can be predicted."""
    result: Restoration | None = field(default=None, repr=False)
    """The result, with the last step only."""


class RestorationSteps(Protocol):
    """A running restoration, iterated step by step: one fit, or all planes of a stack.

    The last step has the result. Closing it early ends the fit and frees its memory.
    """

    @property
    def task(self) -> Task:
        """The task; for several planes, that of the first."""
        ...

    @property
    def settings(self) -> Settings:
        """The settings of the fit, or of each plane's fit."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the images."""
        ...

    @property
    def device(self) -> str:
        """The device, as text for users."""
        ...

    @property
    def is_one_fit(self) -> bool:
        """Whether a single fit evolves the whole image; else one array is filled part by part."""
        ...

    @property
    def initial_image(self) -> Any:  # noqa: ANN401  (an array, or a store that is indexed like one)
        """The preview before the first step."""
        ...

    @property
    def wants_image(self) -> Callable[[], bool]:
        """Predicate called after each step that changed the estimate: whether to send an image."""
        ...

    @wants_image.setter
    def wants_image(self, predicate: Callable[[], bool]) -> None: ...

    def image_is_due(self, seconds: float = PREVIEW_SECONDS) -> bool:
        """Return whether `seconds` have passed since the last image, more if images are costly."""
        ...

    @property
    def result(self) -> Restoration:
        """The result; raises RestorationError before the last step."""
        ...

    @property
    def can_run_on(self) -> bool:
        """Whether the fit has ended with a result and can be continued."""
        ...

    def stop(self) -> None:
        """End after the current step; the current estimate becomes the result."""
        ...

    def run_on(self, iterations: int | None = None) -> None:
        """Continue a fit that has ended; RestorationError if it cannot be continued."""
        ...

    def repaint(self, missing: ArrayLike) -> None:
        """Replace the mask of a running inpainting; TypeError if there is no mask."""
        ...

    def provenance(self, reason: str, fitted: int | None = None) -> dict[str, Any]:
        """Return the provenance now, or as it was after `fitted` steps of the network's fit."""
        ...

    def close(self) -> None:
        """End the fit and free its memory; the result remains."""
        ...

    def __iter__(self) -> Self: ...

    def __next__(self) -> Step: ...


@contextmanager
def explained_errors(device: torch.device) -> Iterator[None]:
    """Raise errors of torch as RestorationError with advice."""
    elsewhere = "" if device.type == "cpu" else "; try the device 'cpu'"
    try:
        yield
    except FitFailedError as error:
        raise RestorationError(str(error)) from error
    except (MemoryError, RuntimeError, ArithmeticError) as error:
        # torch.OutOfMemoryError is a RuntimeError; the CPU's and MPS's allocators raise a plain one
        text = str(error)
        if isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text:
            raise RestorationError(
                f"not enough memory on {device} for this image: crop it{elsewhere}."
            ) from error
        first_line = (text.splitlines() or [type(error).__name__])[0].rstrip(".")
        if NOT_FINITE.search(first_line) or isinstance(error, ArithmeticError):
            elsewhere = f"; use a lower learning rate or another seed{elsewhere}"
        raise RestorationError(f"the fit failed on {device}: {first_line}{elsewhere}.") from error
    finally:
        if device.type == "cuda":
            import torch

            torch.cuda.empty_cache()
