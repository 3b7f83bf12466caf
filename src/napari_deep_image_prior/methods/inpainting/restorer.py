"""Inpainting by a masked fit: hide known pixels, fill them smoothly, learn what the fill got wrong.

Each step hides some known pixels of random crops, fills them and the missing ones by
the biharmonic fill, and fits an untrained network to correct the fill at the hidden
pixels. The network is then asked for the pixels that are really missing. Nothing but
the one image is used, and the loss is of pixels that the network cannot see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ...arrays import percentile_scaling
from ...fitting.augmentation import Crops, mean_over_views
from ...fitting.loop import Fit, relative_to, self_supervised_schedule
from ...fitting.networks import build_network
from ...fitting.stopping import HeldOutPlateau
from ...operators import Mask
from ..base import SelfSupervisedRestorer, image_and_known, measure, with_correction_weights
from ..biharmonic import biharmonic_fill
from .settings import InpaintingFit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from ...arrays import Scaling
    from ...fitting.base import Progress
    from ...operators import Measurement
    from .task import Inpaint

CROP_FILL, WHOLE_FILL = 10, 20
"""Iterations of the biharmonic fill of a crop, and of the whole image."""
JUDGED = 0.03
"""Share of the known pixels that are never learned from, to judge the correction by."""


class InpaintingModel:
    """The network that corrects the fill, and the crops it is fitted on."""

    def __init__(self, observed: Tensor, known: Tensor, settings: InpaintingFit, seed: int) -> None:
        self._settings = settings
        self._channels = observed.shape[1]
        self._crops = Crops(settings.crop, seed)
        self._generator = torch.Generator(observed.device).manual_seed(seed)
        self._judging = self._uniform(known[:, :1]) < JUDGED  # (1, 1, Y, X)
        self.measure(observed, known)
        values = observed[known > 0]
        self._mean, self._std = values.mean(), values.std(correction=0).clamp_min(1e-6)
        self._fill_error = self._typical_fill_error(observed, known)
        self.network = build_network(
            settings.network, 2 * self._channels, self._channels, seed, observed.device
        )

    def measure(self, observed: Tensor, known: Tensor) -> None:
        """Learn from these pixels; those that are judged by stay the same, so that none was learned from before."""
        self._judged = known * self._judging
        self._learned = known - self._judged
        self._stack = torch.cat([observed[0] * self._learned[0], self._learned[0]])  # (2 C, Y, X)
        self._holes = holes(1 - known[0].amin(dim=0, keepdim=True))  # (1, Y, X)

    def loss(self) -> Tensor:
        """Return the mean absolute error at the hidden pixels of some crops.

        The loss is in units of the fill's typical error; the reported misfit is relative
        to the fill's error on the same crops.
        """
        observed, known = self._crops.draw([self._stack], self._settings.batch).chunk(2, dim=1)
        visible = known * (1 - self._hidden(known))
        hidden = known - visible
        fill = biharmonic_fill(observed, visible, CROP_FILL)
        missed = (observed - fill) * hidden
        error = (self.correction(fill, visible) * hidden - missed).abs().sum()
        loss = error / self._fill_error / hidden.sum().clamp_min(1)
        self.misfit = loss.detach() / relative_to(
            missed.abs().sum() / self._fill_error / hidden.sum().clamp_min(1)
        )
        return loss

    def kept(self) -> list[Tensor]:
        """Nothing is kept beside the weights."""
        return []

    def correction(self, fill: Tensor, known: Tensor) -> Tensor:
        """Return what the network adds to a fill, (N, C, Y, X)."""
        correction: Tensor = self.network(
            torch.cat([(fill - self._mean) / self._std, known - 0.5], dim=1)
        )
        return correction * self._fill_error

    def mean_correction(self, fill: Tensor, known: Tensor) -> Generator[None, None, Tensor]:
        """Return the correction of the whole image, averaged over turned views."""

        def correct(view: Tensor) -> Tensor:
            return self.correction(*view.chunk(2, dim=1))

        return (yield from mean_over_views(correct, torch.cat([fill, known], dim=1)))

    def correction_weight(self, observed: Tensor) -> Generator[None, None, float]:
        """Return how far to follow the network, 0 to 1: what serves the judged pixels, unseen in the fit, best."""
        fill = biharmonic_fill(observed * self._learned, self._learned, WHOLE_FILL)
        correction = (yield from self.mean_correction(fill, self._learned)) * self._judged
        wanted = (observed - fill) * self._judged
        power = float(correction.square().sum())
        return 1.0 if power == 0 else min(max(float((correction * wanted).sum()) / power, 0.0), 1.0)

    def _hidden(self, known: Tensor) -> Tensor:
        """Choose the pixels of crops to hide, in all channels: a random share, and shapes of the image's holes."""
        low, high = self._settings.hidden
        share = low + (high - low) * self._uniform(known[:, :1, :1, :1])
        scattered = (self._uniform(known[:, :1]) < share).to(known.dtype)
        return torch.maximum(scattered, self._crops.draw([self._holes], len(known)))

    def _uniform(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).uniform_(generator=self._generator)

    def _typical_fill_error(self, observed: Tensor, known: Tensor) -> Tensor:
        hidden = known * (self._uniform(known[:, :1]) < 0.2)
        fill = biharmonic_fill(observed, known - hidden, CROP_FILL)
        return ((fill - observed) * hidden).abs().sum() / hidden.sum().clamp_min(1) + 1e-6


class InpaintingRestorer(SelfSupervisedRestorer[InpaintingFit]):
    """Inpaints a measurement; known pixels stay as they are."""

    INPUTS = 2

    @classmethod
    def for_task(
        cls, task: Inpaint, settings: InpaintingFit, device: torch.device, seed: int
    ) -> InpaintingRestorer:
        """Make the restorer of a task."""
        scaling = percentile_scaling(*image_and_known(task))
        return cls(measure(task, scaling, device), scaling, settings, seed)

    def __init__(
        self, measurement: Measurement, scaling: Scaling, settings: InpaintingFit, seed: int
    ) -> None:
        self.scaling, self._settings = scaling, settings
        self._observed, self._known = measurement.observed, measurement.known
        self._model = InpaintingModel(self._observed, self._known, settings, seed)
        self._fill = biharmonic_fill(self._observed, self._known, WHOLE_FILL)
        self._rule = HeldOutPlateau(settings.patience)
        self._fit = Fit(self._model, self_supervised_schedule(settings), self._rule)
        self._correction_weight = 1.0

    def steps(self) -> Iterator[Progress]:
        """Fit, one step at a time."""
        return self._fit

    def remeasure(self, task: Inpaint, device: torch.device) -> None:
        """Learn from, and fill in, other pixels from the next step on."""
        measurement = measure(task, self.scaling, device)
        self._observed, self._known = measurement.observed, measurement.known
        self._model.measure(self._observed, self._known)
        self._fill = biharmonic_fill(self._observed, self._known, WHOLE_FILL)

    def run_on(self, iterations: int | None) -> None:
        """Go on with the fit."""
        self._fit.run_on(iterations)

    def network(self) -> dict[str, Tensor]:
        """Return the network as fitted so far."""
        return {
            name: weight.detach().clone()
            for name, weight in self._model.network.state_dict().items()
        }

    def start_from(self, network: dict[str, Tensor]) -> None:
        """Begin the fit with the `network` of a similar image, in place of a fresh one."""
        self._model.network.load_state_dict(network)
        self._fit = Fit(self._model, self_supervised_schedule(self._settings), self._rule)

    @property
    def note(self) -> str:
        """What the stopping rule thinks just now."""
        return self._rule.note

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        return with_correction_weights(self._rule.reason, [self._correction_weight])

    def estimate(self) -> NDArray[np.float64]:
        """Return the fill as corrected so far."""
        with torch.no_grad():
            return self._restored(self._model.correction(self._fill, self._known))

    def finish(self) -> Generator[None, None, NDArray[np.float64]]:
        """Return the fill with the correction averaged over eight views, as far as it can be trusted."""
        self._correction_weight = yield from self._model.correction_weight(self._observed)
        correction = yield from self._model.mean_correction(self._fill, self._known)
        return self._restored(correction * self._correction_weight)

    def _restored(self, correction: Tensor) -> NDArray[np.float64]:
        restored = torch.where(self._known > 0, self._observed, self._fill + correction)
        return self.scaling.invert(restored[0].cpu().numpy())


def holes(missing: Tensor) -> Tensor:
    """Keep those pixels of a (C, Y, X) mask that lie in a fully missing 3x3 block: strokes, not scattered ones."""
    core = -functional.max_pool2d(-missing, 3, 1, 1)
    return functional.max_pool2d(core, 3, 1, 1) * missing


def mask_operator(task: Inpaint, known: Tensor) -> Mask:  # noqa: ARG001  (the signature of all)
    """Return the forward operator of inpainting."""
    return Mask(known)
