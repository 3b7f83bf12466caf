"""Inpainting: a biharmonic fill, and a network that learns to correct it.

Each step hides some known pixels of random crops, fills them and the missing ones by biharmonic
inpainting, and fits an untrained network to correct the fill at the hidden pixels. The network then
corrects the fill of the pixels that are really missing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...arrays import is_deep, percentile_scaling
from ...fitting.augmentation import Crops, mean_over_views
from ...fitting.base import AVERAGING, WEIGHING
from ...fitting.loop import Fit, relative_to, self_supervised_schedule
from ...fitting.networks import build_network
from ...fitting.stopping import HeldOutPlateau
from ...generators import labeled
from ...noise.outliers import share_of, stretching_outliers
from ...operators import Mask
from ..base import (
    SelfSupervisedRestorer,
    image_and_known,
    measure,
    weights_of,
    with_correction_weights,
)
from ..biharmonic import biharmonic_fill
from .settings import InpaintingFit
from .volume import PARTS, VolumeInpaintingModel, opened

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from ...arrays import Scaling
    from ...fitting.base import Progress
    from ...operators import Measurement
    from ..task import Task
    from .task import Inpaint

CROP_FILL, WHOLE_FILL = 10, 20
"""Iterations of the biharmonic fill of a crop, and of the whole image."""
HELD_OUT = 0.03
"""Fraction of the known pixels that are held out of the fit, to compute the correction weight."""
VOXEL_BYTES = 80
"""Memory for each voxel and channel of a volume."""


class InpaintingModel:
    """The network that corrects the fill, and the data it is fitted to.

    Parameters
    ----------
    observed, known : (1, C, Y, X) tensors
        As of `Measurement`.
    settings : InpaintingFit
    seed : int
    """

    def __init__(self, observed: Tensor, known: Tensor, settings: InpaintingFit, seed: int) -> None:
        self._settings = settings
        self._channels = observed.shape[1]
        self._crops = Crops(settings.crop, seed)
        self._generator = torch.Generator(observed.device).manual_seed(seed)
        self._selected = self._uniform(known[:, :1]) < HELD_OUT  # (1, 1, Y, X)
        self.measure(observed, known)
        values = observed[known > 0]
        self._mean, self._std = values.mean(), values.std(correction=0).clamp_min(1e-6)
        self._fill_error = self._typical_fill_error(observed, known)
        self.network = build_network(
            settings.network, 2 * self._channels, self._channels, seed, observed.device
        )

    def measure(self, observed: Tensor, known: Tensor) -> None:
        """Set the pixels to learn from; the choice of held-out pixels does not change."""
        self._held_out = known * self._selected
        self._learned = known - self._held_out
        self._stack = torch.cat([observed[0] * self._learned[0], self._learned[0]])  # (2 C, Y, X)
        self._holes = opened(1 - known[0].amin(dim=0, keepdim=True))  # (1, Y, X)
        self._observed, self._known = observed, known

    def fill(self) -> Tensor:
        """Return the filled image, (1, C, Y, X)."""
        return biharmonic_fill(self._observed, self._known, WHOLE_FILL)

    def loss(self) -> Tensor:
        """Return the mean absolute error at the hidden pixels of random crops.

        It is in units of the fill's typical error. The misfit is relative to the fill's error on
        the same crops.
        """
        observed, known = self._crops.draw([self._stack], self._settings.batch).chunk(2, dim=1)
        visible = known * (1 - self._hidden(known))
        hidden = known - visible
        fill = biharmonic_fill(observed, visible, CROP_FILL)
        target = (observed - fill) * hidden
        error = (self.correction(fill, visible) * hidden - target).abs().sum()
        loss = error / self._fill_error / hidden.sum().clamp_min(1)
        self.misfit = loss.detach() / relative_to(
            target.abs().sum() / self._fill_error / hidden.sum().clamp_min(1)
        )
        return loss

    def kept(self) -> list[Tensor]:
        """Return no tensors: the model has no state beside its weights."""
        return []

    def correction(self, fill: Tensor, known: Tensor) -> Tensor:
        """Return the correction of a fill; all are (N, C, Y, X)."""
        correction: Tensor = self.network(
            torch.cat([(fill - self._mean) / self._std, known - 0.5], dim=1)
        )
        return correction * self._fill_error

    def corrected(self, fill: Tensor) -> Tensor:
        """Return a filled image plus its correction."""
        with torch.no_grad():
            return fill + self.correction(fill, self._known)

    def mean_corrected(self, fill: Tensor, weight: float) -> Generator[None, None, Tensor]:
        """Return a filled image plus the weighted correction, averaged over the eight views."""
        return fill + weight * (yield from self._mean_correction(fill, self._known))

    def _mean_correction(self, fill: Tensor, known: Tensor) -> Generator[None, None, Tensor]:

        def correct(view: Tensor) -> Tensor:
            return self.correction(*view.chunk(2, dim=1))

        return (yield from mean_over_views(correct, torch.cat([fill, known], dim=1)))

    def correction_weight(self) -> Generator[None, None, float]:
        """Return the least-squares weight of the correction at the held-out pixels, 0 to 1."""
        observed = self._observed
        fill = biharmonic_fill(observed * self._learned, self._learned, WHOLE_FILL)
        correction = (yield from self._mean_correction(fill, self._learned)) * self._held_out
        target = (observed - fill) * self._held_out
        power = float(correction.square().sum())
        return 1.0 if power == 0 else min(max(float((correction * target).sum()) / power, 0.0), 1.0)

    def _hidden(self, known: Tensor) -> Tensor:
        """Return the pixels of crops to hide in all channels: random ones and shapes of holes."""
        low, high = self._settings.hidden
        fraction = low + (high - low) * self._uniform(known[:, :1, :1, :1])
        scattered = (self._uniform(known[:, :1]) < fraction).to(known.dtype)
        return torch.maximum(scattered, self._crops.draw([self._holes], len(known)))

    def _uniform(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).uniform_(generator=self._generator)

    def _typical_fill_error(self, observed: Tensor, known: Tensor) -> Tensor:
        hidden = known * (self._uniform(known[:, :1]) < 0.2)
        fill = biharmonic_fill(observed, known - hidden, CROP_FILL)
        return ((fill - observed) * hidden).abs().sum() / hidden.sum().clamp_min(1) + 1e-6


class InpaintingRestorer(SelfSupervisedRestorer[InpaintingFit]):
    """Inpaints a measurement; known pixels are unchanged.

    Parameters
    ----------
    measurement : Measurement
    scaling : Scaling
        Between the measurement's range and intensity units.
    settings : InpaintingFit
    seed : int
    outliers : (C, Y, X) bool array
        Known pixels that stay as they are, and are not used for the fill.
    """

    INPUTS = 2

    @classmethod
    def for_task(
        cls, task: Inpaint, settings: InpaintingFit, device: torch.device, seed: int
    ) -> InpaintingRestorer:
        """Return the restorer of a task."""
        image, known = image_and_known(task)
        scaling = percentile_scaling(image, known)
        is_volume = image.ndim == 4
        # the nearest known voxels of all others would take long to find
        outliers = stretching_outliers(
            filled_with_median(image, known) if is_volume else image, known
        )
        restorer = cls(measure(task, scaling, device), scaling, settings, seed, outliers)
        restorer.noise_summary = share_of(outliers, "not used for the fill")
        return restorer

    def __init__(
        self,
        measurement: Measurement,
        scaling: Scaling,
        settings: InpaintingFit,
        seed: int,
        outliers: NDArray[np.bool_],
    ) -> None:
        self.scaling, self._settings = scaling, settings
        self._inliers = torch.from_numpy(~outliers).to(measurement.known)
        self._measure(measurement)
        make = VolumeInpaintingModel if self._observed.ndim == 5 else InpaintingModel
        self._model: InpaintingModel | VolumeInpaintingModel = make(
            self._observed, self._known, settings, seed
        )
        self._fill = self._model.fill()
        self._rule = HeldOutPlateau(settings.patience)
        self._fit = Fit(self._model, self_supervised_schedule(settings), self._rule)
        self._correction_weight = 1.0

    def steps(self) -> Iterator[Progress]:
        """Iterate over the steps of the fit."""
        return self._fit

    def remeasure(self, task: Inpaint, device: torch.device) -> None:
        """Continue with another mask from the next step on."""
        self._measure(measure(task, self.scaling, device))
        self._model.measure(self._observed, self._known)
        self._fill = self._model.fill()

    def _measure(self, measurement: Measurement) -> None:
        """Set the pixels of the result that are measured, and those to learn and to fill from."""
        self._measured = measurement
        self._known = measurement.known * self._inliers
        self._observed = measurement.observed * self._known
        if self._known.ndim == 5 and self._known.shape[2] == 1:  # a volume of one plane
            self._known, self._observed = self._known[:, :, 0], self._observed[:, :, 0]

    def run_on(self, iterations: int | None) -> None:
        """Continue the fit."""
        self._fit.run_on(iterations)

    def network(self) -> dict[str, Tensor]:
        """Return a copy of the fitted weights."""
        return weights_of(self._model.network)

    def start_from(self, network: dict[str, Tensor]) -> None:
        """Start the fit from the weights of a similar image's fit."""
        self._model.network.load_state_dict(network)
        self._fit = Fit(self._model, self_supervised_schedule(self._settings), self._rule)

    @property
    def note(self) -> str:
        """The state of the fit."""
        return self._rule.note

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        return with_correction_weights(self._rule.reason, [self._correction_weight])

    def estimate(self) -> NDArray[np.float64]:
        """Return the fill with the network's current correction."""
        return self._restored(self._model.corrected(self._fill))

    def finish(self) -> Generator[str, None, NDArray[np.float64]]:
        """Return the fill plus the weighted correction, averaged over the eight views."""
        weighing = labeled(self._model.correction_weight(), WEIGHING)
        self._correction_weight = yield from weighing
        averaging = self._model.mean_corrected(self._fill, self._correction_weight)
        return self._restored((yield from labeled(averaging, AVERAGING)))

    def _restored(self, filled: Tensor) -> NDArray[np.float64]:
        measured = self._measured
        filled = filled.reshape(measured.observed.shape)
        restored = torch.where(measured.known > 0, measured.observed, filled)
        return self.scaling.invert(restored[0].cpu().numpy())

    @classmethod
    def inputs(cls, task: Task) -> int:
        """Return the number of images in the network's input, more of volumes."""
        return PARTS if is_deep(task.spatial_shape) else cls.INPUTS

    @classmethod
    def memory(cls, task: Task, settings: InpaintingFit) -> float:
        """Return an upper bound; a volume itself takes more than the network's layers."""
        voxels = math.prod(task.spatial_shape) if is_deep(task.spatial_shape) else 0
        return super().memory(task, settings) + VOXEL_BYTES * task.channels * voxels


def filled_with_median(image: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a (C, Z, Y, X) image with the median of its known voxels where it is unknown."""
    filled = image.astype(np.float64)
    filled[~known] = np.median(image[known][:: max(1, known.sum() // 2**18)])
    return filled


def mask_operator(task: Inpaint, known: Tensor) -> Mask:  # noqa: ARG001  (the signature of all)
    """Return the forward operator of inpainting."""
    return Mask(known)
