"""What all methods have in common: a restorer, the measurement it fits, and what a restoration costs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np
import torch

from ..arrays import channels_first, percentile_scaling
from ..fitting.base import FitFailedError
from ..fitting.networks import activation_bytes, build_network
from ..fitting.settings import SelfSupervisedFit, Settings
from ..operators import Identity, Measurement
from .biharmonic import biharmonic_fill

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from ..arrays import Scaling
    from ..fitting.base import Progress
    from ..operators import Operator
    from .task import Task

Own = TypeVar("Own", bound=Settings)
"""The settings class that a restorer serves."""
Lean = TypeVar("Lean", bound=SelfSupervisedFit)


@dataclass(frozen=True)
class Rehearsal:
    """How long the first steps of a restoration took on a piece of the image."""

    setup: float
    """Seconds before the first step of the network's fit."""
    step: float
    """Seconds of one step of the fit."""
    finish: float
    """Seconds from the last step to the result."""
    steps: int
    """Steps that the fit would make at most."""
    reached: dict[int, float]
    """Seconds after which each step was reported, those before the fit included."""
    ratio: float
    """How many times more pixels the whole result has."""
    piece: tuple[int, int]
    """The (Y, X) shape of the piece's result."""


class Restorer(ABC, Generic[Own]):
    """A whole restoration, whatever it is made of.

    What a restorer cannot do it refuses, unless it overrides the method.
    """

    noise_summary: str = ""
    """What was estimated from the image, such as its noise, in one line; may be empty."""

    @classmethod
    @abstractmethod
    def for_task(cls, task: Any, settings: Own, device: torch.device, seed: int) -> Self:  # noqa: ANN401  (its own task)
        """Make the restorer of a task."""

    @abstractmethod
    def steps(self) -> Iterator[Progress]:
        """Restore, one step at a time."""

    @abstractmethod
    def estimate(self) -> NDArray[np.float64]:
        """Return the image as restored so far, quickly: (C, Y, X) in the input's intensity units."""

    @abstractmethod
    def finish(self) -> Generator[None, None, NDArray[np.float64]]:
        """Return the best image that the steps so far allow, (C, Y, X) in the input's intensity units.

        Yields now and then, so that it can be left.
        """

    @property
    @abstractmethod
    def stop_reason(self) -> str:
        """Why the steps ended, once they have."""

    @property
    def note(self) -> str:
        """What the stopping rule reports just now."""
        return ""

    def run_on(self, iterations: int | None) -> None:  # noqa: ARG002  (of those that can)
        """Let the next `steps` go on where the last ones ended, see `Fit.run_on`."""
        raise FitFailedError("this restoration cannot be run on.")

    def remeasure(self, task: Any, device: torch.device) -> None:  # noqa: ANN401, ARG002
        """Continue with another mask from the next step on; the scaling stays that of the start."""
        raise TypeError(f"{type(self).__name__} does not inpaint.")

    def network(self) -> dict[str, Tensor] | None:
        """Return the fitted network, from which that of a similar image may start; None where none may."""
        return None

    def start_from(self, network: dict[str, Tensor]) -> None:  # noqa: ARG002
        """Begin the fit with the network of a similar image."""
        raise TypeError(f"{type(self).__name__} does not start from another fit.")

    @classmethod
    def rehearsal_settings(cls, settings: Own) -> Own:
        """Return the settings with which the cost is rehearsed."""
        return settings

    @classmethod
    def rehearsal_edge(cls, task: Task, settings: Own, edge: int) -> int:  # noqa: ARG003
        """Return the edge of the piece to rehearse on, in pixels of the input, from a usual one."""
        return edge

    @classmethod
    def pixels(cls, settings: Own, shape: tuple[int, int]) -> int:  # noqa: ARG003
        """Return how many pixels are worked on for a result of a (Y, X) shape."""
        return shape[0] * shape[1]

    @classmethod
    def seconds(cls, settings: Own, rehearsal: Rehearsal, whole: tuple[int, int]) -> float:  # noqa: ARG003
        """Predict the time for a result of the (Y, X) shape `whole`: the steps cost the same for images of any size."""
        return (
            rehearsal.steps * rehearsal.step
            + (rehearsal.setup + rehearsal.finish) * rehearsal.ratio
        )

    @classmethod
    def memory(cls, task: Task, settings: Own) -> float:  # noqa: ARG003
        """Predict the memory in bytes, beside the image and the program."""
        return 0.0


class SelfSupervisedRestorer(Restorer[Lean]):
    """What the restorers with a compact network, fitted on crops of the one image, have in common."""

    INPUTS = 1
    """Images that the network sees at once, each with all channels."""
    CLASSICAL_BYTES = 0.0
    """Memory of the classical estimate, for each channel."""

    @classmethod
    def rehearsal_edge(cls, task: Task, settings: Lean, edge: int) -> int:  # noqa: ARG003
        """Return an edge that holds a whole crop."""
        return max(edge, settings.crop)

    @classmethod
    def memory(cls, task: Task, settings: Lean) -> float:
        """Return an upper bound from the outputs of the network's layers for the whole result."""
        channels = task.channels
        depth = cls.INPUTS * channels
        network = build_network(settings.network, depth, channels, seed=0)
        return (
            activation_bytes(network, (1, depth, *task.result_spatial_shape))
            + cls.CLASSICAL_BYTES * channels
        )


def identity_operator(task: Task, known: Tensor) -> Operator:  # noqa: ARG001  (the signature of all)
    """Return the operator of a task that has nothing but noise between the image and its measurement."""
    return Identity()


def image_and_known(task: Task) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the task's image and which of its pixels count, (C, Y, X)."""
    image = channels_first(np.asarray(task.image), task.channel_axis)
    return image, ~channels_first(task.unknown, task.channel_axis)


def measure(task: Task, scaling: Scaling, device: torch.device) -> Measurement:
    """Return what a task has measured, in the network's range, and the forward operator."""
    image, known = image_and_known(task)
    weights = torch.from_numpy(known.astype(np.float32))[None].to(device)
    values = torch.from_numpy(np.where(known, scaling.apply(image), np.float32(0)))[None].to(device)
    make = resolve_name(task.operator) if isinstance(task.operator, str) else task.operator
    return Measurement(values, weights, make(task, weights), task.result_spatial_shape)


def scaled_and_filled(task: Task, device: torch.device) -> tuple[Scaling, Tensor]:
    """Return the scaling of a task's image, and the scaled image, (1, C, Y, X), filled in where it is unknown."""
    image, known = image_and_known(task)
    scaling = percentile_scaling(image, known)
    measurement = measure(task, scaling, device)
    if known.all():
        return scaling, measurement.observed
    return scaling, biharmonic_fill(measurement.observed, measurement.known, iterations=50)


def with_correction_weights(reason: str, weights: Iterable[float]) -> str:
    """Add to the reason how far the network was followed, where that was not all the way."""
    shares = ", ".join(f"{weight:.0%}" for weight in weights if round(weight, 2) < 1)
    return (
        f"{reason}; unseen pixels support {shares} of the network's correction"
        if shares
        else reason
    )
