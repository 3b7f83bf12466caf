"""Which restorer serves a task with given settings, and with what arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .arrays import channels_first, full_range_scaling, percentile_scaling
from .denoising import GuidedRestorer
from .filling import biharmonic_fill
from .inpainting import MaskedRestorer
from .measurement import Downsample, Identity, Mask, Measurement
from .prior_fit import PriorRestorer
from .settings import CrossScaleFit, GuidedFit, MaskedFit, PriorFit
from .super_resolution import CrossScaleRestorer
from .tasks import Denoise, Inpaint, SuperResolve

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from .fit import Restorer
    from .settings import Settings
    from .tasks import Task


def choose_restorer(task: Task, settings: Settings, device: torch.device, seed: int) -> Restorer:
    """Choose what restores the task, and give it the task's arrays."""
    image, known = _image_and_known(task)
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
            intensities,
            known,
            settings,
            seed,
            device=device,
            noise=task.noise,
            noise_std=task.noise_std,
            strength=task.strength,
        )
    raise TypeError(f"{type(settings).__name__} cannot serve the task {task.kind}.")


def remeasure(restorer: Restorer, task: Inpaint, device: torch.device) -> None:
    """Give a running inpainting another mask; the scaling stays that of the start, as the network was fitted in it."""
    if not isinstance(restorer, PriorRestorer | MaskedRestorer):
        raise TypeError(f"{type(restorer).__name__} does not inpaint.")
    image, known = _image_and_known(task)
    restorer.remeasure(_measurement(task, restorer.scaling.apply(image), known, device))


def network_of(restorer: Restorer) -> dict[str, Tensor] | None:
    """Return the fitted network of an inpainting, from which that of a similar image may start; None of others."""
    return restorer.network() if isinstance(restorer, MaskedRestorer) else None


def start_from(restorer: Restorer, network: dict[str, Tensor]) -> None:
    """Begin a fit with the network of a similar image."""
    if not isinstance(restorer, MaskedRestorer):
        raise TypeError(f"{type(restorer).__name__} does not start from another fit.")
    restorer.start_from(network)


def _image_and_known(task: Task) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the task's image and which of its pixels count, (C, Y, X)."""
    image = channels_first(np.asarray(task.image), task.channel_axis)
    if isinstance(task, Inpaint):
        return image, ~channels_first(np.asarray(task.missing), task.channel_axis)
    return image, np.isfinite(image)


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
