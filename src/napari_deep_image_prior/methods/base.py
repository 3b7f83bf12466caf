"""Interface of all methods: the restorer, its measurement, and its cost."""

from __future__ import annotations

import math
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
from .biharmonic import biharmonic_fill, planes_filled

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from ..arrays import Scaling
    from ..fitting.base import Progress
    from ..operators import Operator
    from .task import Task

Own = TypeVar("Own", bound=Settings)
"""The settings class of a restorer."""
Work = dict[str, tuple[float, float]]
"""Work done and left, by stage."""
Compact = TypeVar("Compact", bound=SelfSupervisedFit)


@dataclass(frozen=True)
class Rehearsal:
    """Run times of the first steps of a restoration, measured on a piece of the image."""

    setup: float
    """Seconds before the first step of the network's fit."""
    step: float
    """Seconds for each step of the fit."""
    finish: float
    """Seconds from the last step to the result."""
    steps: int
    """Largest number of steps of the whole fit."""
    reached: dict[int, float]
    """Seconds until each step was reported, including steps before the fit."""
    ratio: float
    """Ratio of the number of pixels of the whole result to that of the piece."""
    piece: tuple[int, ...]
    """(Y, X) shape of the piece's result."""


class Restorer(ABC, Generic[Own]):
    """A restoration by one method: what happens before, during and after the fit.

    Optional operations raise an error unless a subclass overrides them.
    """

    noise_summary: str = ""
    """The noise model or whatever else was estimated from the image, in one line; may be empty."""

    @classmethod
    @abstractmethod
    def for_task(cls, task: Any, settings: Own, device: torch.device, seed: int) -> Self:  # noqa: ANN401  (its own task)
        """Return the restorer of a task."""

    @abstractmethod
    def steps(self) -> Iterator[Progress]:
        """Iterate over the steps of the restoration."""

    @abstractmethod
    def estimate(self) -> NDArray[np.float64]:
        """Return a preview of the current result, (C, Y, X) in the input's intensity units."""

    @abstractmethod
    def finish(self) -> Generator[str | None, None, NDArray[np.float64]]:
        """Return the result after the steps so far, (C, Y, X) in the input's intensity units.

        Yields regularly, so that it can be interrupted: what is being done, or None.
        """

    @property
    @abstractmethod
    def stop_reason(self) -> str:
        """Why the steps ended."""

    @property
    def note(self) -> str:
        """The current state of the restoration, in one line; may be empty."""
        return ""

    def work(self, progress: Progress) -> Work:
        """Return the work done and left in each stage, in units of equal run time."""
        return {progress.stage: (progress.iteration, progress.total - progress.iteration)}

    def measured_rates(self) -> dict[str, float]:
        """Return seconds for a unit of work of stages that have not begun, from a short trial."""
        return {}

    def run_on(self, iterations: int | None) -> None:  # noqa: ARG002  (of those that can)
        """Let the next `steps` continue where the last ones ended, see `Fit.run_on`."""
        raise FitFailedError("this restoration cannot be run on.")

    def remeasure(self, task: Any, device: torch.device) -> None:  # noqa: ANN401, ARG002
        """Continue with another mask from the next step on; the intensity scaling is kept."""
        raise TypeError(f"{type(self).__name__} has no mask.")

    def network(self) -> dict[str, Tensor] | None:
        """Return the fitted weights for a warm start of another fit; None if not supported."""
        return None

    def start_from(self, network: dict[str, Tensor]) -> None:  # noqa: ARG002
        """Start the fit from the weights of a similar image's fit."""
        raise TypeError(f"{type(self).__name__} does not start from another fit.")

    def apply(self, network: dict[str, Tensor], *, adds_nothing: bool) -> None:  # noqa: ARG002
        """Restore with the weights of a fit to other images, in place of an own fit."""
        raise TypeError(f"{type(self).__name__} does not apply the network of another fit.")

    @classmethod
    def rehearsal_settings(cls, settings: Own) -> Own:
        """Return the settings of the rehearsal."""
        return settings

    @classmethod
    def rehearsal_edge(cls, task: Task, settings: Own, edge: int) -> int:  # noqa: ARG003
        """Return the edge of the rehearsal's piece in input pixels, from the default `edge`."""
        return edge

    @classmethod
    def pixels(cls, settings: Own, shape: tuple[int, ...]) -> int:  # noqa: ARG003
        """Return the number of pixels processed for a result of a (Y, X) shape."""
        return math.prod(shape)

    @classmethod
    def seconds(cls, settings: Own, rehearsal: Rehearsal, whole: tuple[int, ...]) -> float:  # noqa: ARG003
        """Predict the seconds for a result of the (Y, X) shape `whole`.

        The time of a step is independent of the image size.
        """
        return (
            rehearsal.steps * rehearsal.step
            + (rehearsal.setup + rehearsal.finish) * rehearsal.ratio
        )

    @classmethod
    def memory(cls, task: Task, settings: Own) -> float:  # noqa: ARG003
        """Predict the memory in bytes, excluding the image and the program."""
        return 0.0


class SelfSupervisedRestorer(Restorer[Compact]):
    """Base class of restorers with a compact network that is fitted on crops of the image."""

    INPUTS = 1
    """Images in the network's input, each with all channels."""

    @classmethod
    def inputs(cls, task: Task) -> int:  # noqa: ARG003
        """Return the number of images in the network's input for a task."""
        return cls.INPUTS

    @classmethod
    def rehearsal_edge(cls, task: Task, settings: Compact, edge: int) -> int:  # noqa: ARG003
        """Return an edge that contains a whole crop."""
        return max(edge, settings.crop)

    @classmethod
    def memory(cls, task: Task, settings: Compact) -> float:
        """Return an upper bound from the outputs of the network's layers for the whole result."""
        channels = task.channels
        depth = cls.inputs(task) * channels
        network = build_network(settings.network, depth, channels, seed=0)
        return activation_bytes(network, (1, depth, *task.result_spatial_shape[-2:]))


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weights of a network."""
    return {name: weight.detach().clone() for name, weight in network.state_dict().items()}


def identity_operator(task: Task, known: Tensor) -> Operator:  # noqa: ARG001  (the signature of all)
    """Return the forward operator of a task whose input is the noisy image."""
    return Identity()


def image_and_known(task: Task) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the task's image and the mask of its known pixels, both (C, Y, X)."""
    image = channels_first(np.asarray(task.image), task.channel_axis)
    return image, ~channels_first(task.unknown, task.channel_axis)


def measure(task: Task, scaling: Scaling, device: torch.device) -> Measurement:
    """Return the measurement of a task: the scaled image, its known pixels, and the operator."""
    image, known = image_and_known(task)
    weights = torch.from_numpy(known.astype(np.float32))[None].to(device)
    values = torch.from_numpy(np.where(known, scaling.apply(image), np.float32(0)))[None].to(device)
    make = resolve_name(task.operator) if isinstance(task.operator, str) else task.operator
    return Measurement(values, weights, make(task, weights), task.result_spatial_shape)


def scaled_and_filled(task: Task, device: torch.device) -> tuple[Scaling, Tensor]:
    """Return the scaling of a task's image, and the scaled image with unknown pixels filled in.

    The image is (1, C, Y, X) or (1, C, Z, Y, X); planes of a volume are filled one by one.
    """
    image, known = image_and_known(task)
    scaling = percentile_scaling(image, known)
    measurement = measure(task, scaling, device)
    if known.all():
        return scaling, measurement.observed
    fill = biharmonic_fill if image.ndim == 3 else planes_filled
    return scaling, fill(measurement.observed, measurement.known, iterations=50)


def with_correction_weights(reason: str, weights: Iterable[float]) -> str:
    """Return the stop reason with the correction weights that are below 1."""
    reduced = ", ".join(f"{abs(weight):.2f}" for weight in weights if round(weight, 2) < 1)
    return f"{reason}; correction weight {reduced}" if reduced else reason
