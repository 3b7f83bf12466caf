r"""The published method: fit f(z) to a single image.

    theta* = argmin_theta || A f_theta(z + jitter) - observed ||^2  over the known pixels.

Ulyanov, Vedaldi, Lempitsky, "Deep Image Prior", CVPR 2018, arXiv:1711.10925.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...arrays import full_range_scaling
from ...fitting.base import FitFailedError, Progress
from ...fitting.loop import Fit, Schedule
from ...fitting.networks import (
    activation_bytes,
    build_network,
    meshgrid_input,
    noise_input,
    padded_shape,
    scales_along_z,
)
from ...noise.outliers import share_of, stretching_outliers
from ..base import Restorer, image_and_known, measure
from .settings import DeepImagePriorFit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from ...arrays import Scaling
    from ...operators import Measurement
    from ..base import Rehearsal
    from ..task import Task


class DeepImagePriorModel:
    """A network with its fixed input z, fitted to a measurement.

    Parameters
    ----------
    measurement : Measurement
    settings : DeepImagePriorFit
    seed : int
        Seed of z, of the weights and of the jitter.
    """

    def __init__(self, measurement: Measurement, settings: DeepImagePriorFit, seed: int) -> None:
        self.measurement = measurement
        """The measurement; may be replaced by another of the same shape."""
        self._settings = settings
        device = measurement.observed.device
        # separate streams: from the same one, z and the weights would start with the same numbers
        of_z, of_weights, of_jitter = (
            int(word) for word in np.random.SeedSequence(seed).generate_state(3)
        )
        shape = padded_shape(measurement.shape, settings.network)
        random = settings.input == "noise"
        drawing = torch.Generator().manual_seed(of_z)
        z = noise_input(settings.input_depth, shape, drawing) if random else meshgrid_input(shape)
        self._z = z.to(device)  # (1, depth, Y', X'), padded
        self.network = build_network(
            settings.network,
            z.shape[1],
            measurement.observed.shape[1],
            of_weights,
            device,
            halved=scales_along_z(measurement.shape, settings.network),
        )
        self._generator = torch.Generator(device).manual_seed(of_jitter)
        self._last: Tensor | None = None
        self._average: Tensor | None = None

    def loss(self) -> Tensor:
        """Return the misfit of the network's output, and keep the output."""
        if self._settings.weight_noise:
            self._perturb_weights()
        z = self._z
        if self._settings.jitter:
            # added to the fixed z each time: no random walk
            noise = torch.empty_like(z).normal_(generator=self._generator)
            z = z + self._settings.jitter * noise
        output = self._cut(self.network(z))
        self._keep(output.detach())
        loss: Tensor = self.measurement.misfit(output)
        self.misfit = loss.detach()
        return loss

    def _cut(self, output: Tensor) -> Tensor:
        """Return the part of a padded output that is the image."""
        return output[:, :, *map(slice, self.measurement.shape)]

    def _keep(self, output: Tensor) -> None:
        self._last = output
        if not self._settings.averaging:
            return
        if self._average is None:
            self._average = output.clone()
        else:
            self._average.lerp_(output, 1 - self._settings.averaging)

    def _perturb_weights(self) -> None:
        with torch.no_grad():
            for weight in self.network.parameters():
                if weight.ndim >= 4:
                    noise = torch.empty_like(weight).normal_(generator=self._generator)
                    weight.add_(noise * weight.std() * self._settings.weight_noise)

    def estimate(self) -> Tensor:
        """Return the averaged output, or the last one; before the first step, an initial one."""
        kept = self._average if self._average is not None else self._last
        if kept is None:
            with torch.no_grad():
                kept = self._cut(self.network(self._z))
        return kept.clone()

    def kept(self) -> list[Tensor]:
        """Return the last output and the average."""
        return [tensor for tensor in (self._last, self._average) if tensor is not None]

    def last(self) -> Tensor | None:
        """Return the output of the last step, without averaging; None before the first."""
        return self._last

    def state(self) -> dict[str, Any]:
        """Return a checkpoint, without the weights."""
        return {"random": self._generator.get_state(), "last": self._last, "average": self._average}

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from a `state`."""
        self._generator.set_state(state["random"].cpu())
        device = self._z.device
        kept = (state["last"], state["average"])
        self._last, self._average = (
            None if tensor is None else tensor.to(device) for tensor in kept
        )


def _limited(measurement: Measurement) -> Measurement:
    """Limit the observed pixels to the range of the network's output, 0 to 1."""
    return replace(measurement, observed=measurement.observed.clamp(0, 1))


class DeepImagePriorRestorer(Restorer[DeepImagePriorFit]):
    """Restores by the published method; several runs are averaged.

    Parameters
    ----------
    measurement : Measurement
    scaling : Scaling
        Between the measurement's range and intensity units.
    settings : DeepImagePriorFit
    seed : int
        Seed of the first run; the others have the following ones.
    """

    @classmethod
    def for_task(
        cls, task: Task, settings: DeepImagePriorFit, device: torch.device, seed: int
    ) -> DeepImagePriorRestorer:
        """Return the restorer of a task with a forward operator."""
        image, known = image_and_known(task)
        outliers = stretching_outliers(image, known)
        outliers &= image.dtype != np.uint8  # its range is fixed
        scaling = full_range_scaling(image, known & ~outliers)
        restorer = cls(_limited(measure(task, scaling, device)), scaling, settings, seed)
        restorer.noise_summary = share_of(outliers, "limited to the range of the others")
        return restorer

    def __init__(
        self, measurement: Measurement, scaling: Scaling, settings: DeepImagePriorFit, seed: int
    ) -> None:
        self._measurement, self._settings, self._seed = measurement, settings, seed
        self.scaling = scaling
        self._finished: list[Tensor] = []
        self._running: tuple[DeepImagePriorModel, Fit] | None = None
        self._recovered = 0
        self._total = settings.iterations * settings.runs

    @property
    def note(self) -> str:
        """The number of iterations; there is no early stopping."""
        return f"runs all {self._total} steps"

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        return f"all {self._total} steps done"

    def steps(self) -> Iterator[Progress]:
        """Iterate over the steps of all runs."""
        while len(self._finished) < self._settings.runs:
            model, fit = self._running or self._begin()
            done = len(self._finished) * self._settings.iterations
            for progress in fit:
                yield Progress(done + progress.iteration, self._total, progress.misfit)
            if len(self._finished) + 1 == self._settings.runs:
                return  # the last network is kept, to be run on
            self._finished.append(model.estimate())
            self._recovered += fit.recoveries
            self._running = None

    @property
    def recoveries(self) -> int:
        """Steps undone so far, over all runs."""
        return self._recovered + (0 if self._running is None else self._running[1].recoveries)

    def _begin(self) -> tuple[DeepImagePriorModel, Fit]:
        model = DeepImagePriorModel(
            self._measurement, self._settings, self._seed + len(self._finished)
        )
        self._running = (
            model,
            Fit(model, Schedule(self._settings.iterations, self._settings.learning_rate)),
        )
        return self._running

    def run_on(self, iterations: int | None) -> None:
        """Continue the fit of a single run."""
        if self._running is None or self._settings.runs > 1:
            raise FitFailedError(
                "the mean of several runs cannot be run on: their networks were discarded."
            )
        _, fit = self._running
        fit.run_on(iterations)
        self._total = fit.end

    def remeasure(self, task: Task, device: torch.device) -> None:
        """Fit to another measurement from the next step on."""
        measurement = self._measurement = _limited(measure(task, self.scaling, device))
        if self._running is not None:
            model, fit = self._running
            model.measurement = measurement
            fit.expect_a_jump()

    def state(self) -> dict[str, Any]:
        """Return a checkpoint."""
        running = None if self._running is None else [part.state() for part in self._running]
        return {"finished": self._finished, "running": running, "recovered": self._recovered}

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from a `state` of the same measurement, settings and seed."""
        device = self._measurement.observed.device
        self._finished, self._running = [image.to(device) for image in state["finished"]], None
        self._recovered = state["recovered"]
        if state["running"] is not None:
            model, fit = self._begin()
            model.resume(state["running"][0])
            fit.resume(state["running"][1])

    def last_output(self) -> NDArray[np.float64]:
        """Return the current network's last output without averaging; between runs, their mean.

        (C, Y, X) in the input's intensity units.
        """
        last = None if self._running is None else self._running[0].last()
        return self.estimate() if last is None else self.scaling.invert(last[0].cpu().numpy())

    def estimate(self) -> NDArray[np.float64]:
        """Return the mean over the runs so far, (C, Y, X) in the input's intensity units."""
        running = [] if self._running is None else [self._running[0].estimate()]
        mean = torch.stack(self._finished + running).mean(dim=0)
        return self.scaling.invert(mean[0].cpu().numpy())

    def finish(self) -> Generator[None, None, NDArray[np.float64]]:
        """Return the mean over the runs."""
        yield from ()
        return self.estimate()

    @classmethod
    def rehearsal_edge(cls, task: Task, settings: DeepImagePriorFit, edge: int) -> int:  # noqa: ARG003
        """Return an edge for which the result has the edge `edge`; the network has its size."""
        return max(8, round(edge * task.spatial_shape[-1] / task.result_spatial_shape[-1]))

    @classmethod
    def pixels(cls, settings: DeepImagePriorFit, shape: tuple[int, ...]) -> int:
        """Return the number of pixels of the network's padded output."""
        return math.prod(padded_shape(shape, settings.network))

    @classmethod
    def seconds(
        cls,
        settings: DeepImagePriorFit,  # noqa: ARG003
        rehearsal: Rehearsal,
        whole: tuple[int, ...],  # noqa: ARG003
    ) -> float:
        """Predict the seconds; each step processes the whole image."""
        steps = rehearsal.steps * rehearsal.step * rehearsal.ratio
        return steps + rehearsal.setup + rehearsal.finish * rehearsal.ratio

    @classmethod
    def memory(cls, task: Task, settings: DeepImagePriorFit) -> float:
        """Return an upper bound from the outputs of the network's layers."""
        halved = scales_along_z(task.result_spatial_shape, settings.network)
        shape = padded_shape(task.result_spatial_shape, settings.network)
        depth = settings.input_depth if settings.input == "noise" else len(shape)
        network = build_network(settings.network, depth, task.channels, seed=0, halved=halved)
        return activation_bytes(network, (1, depth, *shape))
