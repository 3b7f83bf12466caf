"""Denoising: a nonlocal first estimate, and a network that learns to correct it.

The noise is estimated and normalized, and a first estimate is made from groups of similar patches.
An untrained network then learns the errors of this estimator on the image's own content: the first
estimate is re-noised and denoised again, and the network is fitted to predict the difference to the
known truth. Finally it corrects the first estimate. A recorrupted pair sets the weight of the
correction: Pang, Zheng, Quan, Ji, "Recorrupted-to-Recorrupted: Unsupervised Deep Learning for Image
Denoising", CVPR 2021.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from ...fitting.augmentation import Crops, mean_over_views
from ...fitting.base import Progress
from ...fitting.loop import Fit, relative_to, self_supervised_schedule
from ...fitting.networks import build_network
from ...fitting.stopping import HeldOutPlateau
from ...generators import mapped, silent
from ...noise.estimation import estimate_noise
from ..base import (
    SelfSupervisedRestorer,
    image_and_known,
    scaled_and_filled,
    with_correction_weights,
)
from .dim import combined, is_dim, with_kept_means
from .normalization import NoiseNormalizer
from .settings import DenoisingFit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from ...noise.model import NoiseModel
    from ..base import Rehearsal
    from .normalization import NormalizedImage
    from .task import Denoise

PARTS = 20
"""Steps reported for a nonlocal estimate."""
HELD_OUT_CROPS = 2
"""Crops of the held-out re-noised image from which the error of a step is computed."""
RECORRUPTIONS = 2
"""Recorrupted pairs from which the correction weight is computed."""
ALPHA = 0.5
"""Noise level of a recorrupted pair, y + ALPHA n and y - n / ALPHA."""


class DenoisingModel:
    """The network that corrects the first estimate, and the data it is fitted to."""

    def __init__(
        self, channels: int, settings: DenoisingFit, device: torch.device, seed: int
    ) -> None:
        self._settings = settings
        self._crops = Crops(settings.crop, seed)
        # each (3 C, Y, X): re-noised image, its nonlocal estimate, the truth of both
        self._training: list[Tensor] = []
        self._typical = 1.0
        self.network = build_network(settings.network, 2 * channels, channels, seed, device)

    def loss(self) -> Tensor:
        """Return the mean squared error of random crops, in units of the noise variance.

        The misfit is the error of held-out crops relative to that of their nonlocal estimate.
        """
        self._held_out_crops = self._crops.draw([self._held_out], HELD_OUT_CROPS)
        loss, _ = self._squares(self._crops.draw(self._training, self._settings.batch))
        return loss

    @property
    def misfit(self) -> Tensor:
        """The held-out error of the last step; computed only when read, on a GPU not every step."""
        with torch.no_grad():
            squares, first = self._squares(self._held_out_crops)
        return squares / self._typical / relative_to(first / self._typical)

    def _squares(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean squared errors of the corrected and the nonlocal estimates of crops."""
        noisy, estimate, clean = crops.chunk(3, dim=1)
        target = clean - estimate
        error = self.network(torch.cat([noisy, estimate], dim=1)) - target
        return error.square().mean(), target.square().mean()

    def kept(self) -> list[Tensor]:
        """Return no tensors: the model has no state beside its weights."""
        return []

    def learn_from(self, noisy: Tensor, estimate: Tensor, clean: Tensor) -> None:
        """Add a re-noised image, its nonlocal estimate and the truth to the fit; all (C, Y, X)."""
        self._training.append(torch.cat([noisy, estimate, clean]))
        errors = [
            (clean - estimate).square().mean()
            for _, estimate, clean in (p.chunk(3) for p in self._training)
        ]
        self._typical = float(torch.stack(errors).mean()) + 1e-9

    def hold_out(self, noisy: Tensor, estimate: Tensor, clean: Tensor) -> None:
        """Set the images, as of `learn_from`, from which the held-out error is computed."""
        self._held_out = torch.cat([noisy, estimate, clean])

    def correction(self, noisy: Tensor, estimate: Tensor) -> Tensor:
        """Return the correction of a nonlocal estimate; all are (C, Y, X)."""
        with torch.no_grad():
            correction: Tensor = self.network(torch.cat([noisy, estimate])[None])[0]
        return correction

    def mean_correction(self, noisy: Tensor, estimate: Tensor) -> Generator[None, None, Tensor]:
        """Return the correction averaged over the eight views."""
        return (yield from mean_over_views(self.network, torch.cat([noisy, estimate])[None]))[0]


class DenoisingRestorer(SelfSupervisedRestorer[DenoisingFit]):
    """Denoises an image.

    Parameters
    ----------
    image : (C, Y, X) float array
        In intensity units; filled in where it is not `known`.
    known : (C, Y, X) bool array
    settings : DenoisingFit
    seed : int
    device : torch.device
    noise, noise_std, strength
        As of `Denoise`.
    """

    INPUTS = 2
    FIRST_ESTIMATE_BYTES = 300e6

    @classmethod
    def for_task(
        cls, task: Denoise, settings: DenoisingFit, device: torch.device, seed: int
    ) -> DenoisingRestorer:
        """Return the restorer of a task."""
        image, known = image_and_known(task)
        scaling, filled = scaled_and_filled(task, device)
        intensities = np.where(known, image, scaling.invert(filled[0].cpu().numpy()))
        return cls(
            intensities,
            known,
            settings,
            seed,
            device=device,
            noise=task.noise,
            noise_std=task.noise_std,
            strength=task.strength,
        )

    def __init__(
        self,
        image: NDArray[np.float64],
        known: NDArray[np.bool_],
        settings: DenoisingFit,
        seed: int,
        *,
        device: torch.device,
        noise: str = "auto",
        noise_std: float | None = None,
        strength: float = 1.0,
    ) -> None:
        self._settings = settings
        models = [
            estimate_noise(channel, noise, noise_std, seen)
            for channel, seen in zip(image, known, strict=True)
        ]
        self._image, self._known = image, known
        # up to 1, the strength is the fraction of the noise that is removed; above 1, the noise
        # level is overestimated by that factor, before normalization
        self._fraction, self._overestimation = min(strength, 1.0), max(strength, 1.0)
        self._models, self._device, self._seed = models, device, seed
        self._is_dim = any(map(is_dim, image, models))
        self._normalizer: NoiseNormalizer | None = None
        if not self._is_dim:
            self._normalize(image, models)
        self._first: Tensor | None = None
        self._regions = Crops(settings.region, seed)
        self._model = DenoisingModel(len(image), settings, device, seed)
        self._rule = HeldOutPlateau(settings.patience)
        self._fit = Fit(self._model, self_supervised_schedule(settings), self._rule)
        self._drawn = 0
        self._correction_weight = 1.0
        self.noise_summary = _noise_of_channels(models)
        if self._overestimation > 1:
            self.noise_summary += f", assumed {strength:g} times as strong"
        elif self._fraction < 1:
            self.noise_summary += f", {100 * strength:.0f} % of it removed"

    def _normalize(self, image: NDArray[np.float64], models: Sequence[NoiseModel]) -> None:
        self._normalizer = NoiseNormalizer(
            image, models, self._overestimation, self._device, self._seed
        )
        self._noisy = self._normalizer.image.noisy

    def _prepared(self) -> Generator[float, None, NoiseNormalizer]:
        """Normalize the noise; for dim shot noise, of the combination with coarser scales."""
        if self._normalizer is None:
            self._normalize(
                *(
                    yield from combined(
                        self._image, self._models, self._overestimation, self._device
                    )
                )
            )
        return cast("NoiseNormalizer", self._normalizer)

    def steps(self) -> Iterator[Progress]:
        """Make the first estimate, then fit the network to correct it."""
        total = (2 + self._settings.draws) * PARTS + self._fit.end
        normalizer = yield from mapped(self._prepared(), lambda _: Progress(1, total))
        if self._first is None:
            image = normalizer.image
            self._first = yield from self._nonlocal_estimate(image, 0, self._overestimation)
        while self._drawn < self._settings.draws + 1:
            clean = self._regions.draw([self._first], 1)[0]
            renoised = normalizer.renoise(clean)
            estimate = yield from self._nonlocal_estimate(renoised, (1 + self._drawn) * PARTS)
            use = (
                self._model.learn_from
                if self._drawn < self._settings.draws
                else self._model.hold_out
            )
            use(renoised.noisy, estimate, clean)
            self._drawn += 1
        done = (2 + self._settings.draws) * PARTS
        for progress in self._fit:
            yield Progress(done + progress.iteration, done + progress.total, progress.misfit)

    def run_on(self, iterations: int | None) -> None:
        """Continue the fit, or what precedes it."""
        self._fit.run_on(iterations)

    def _nonlocal_estimate(
        self, image: NormalizedImage, done: int, overestimation: float = 1.0
    ) -> Generator[Progress, None, Tensor]:
        """Return the nonlocal estimate; counts as PARTS steps but yields more often, to be left."""
        total = (2 + self._settings.draws) * PARTS + self._fit.end
        working = image.first_estimate(overestimation)
        part, estimate = 1, None
        while estimate is None:
            try:
                reached = int(PARTS * next(working))
            except StopIteration as finished:
                reached, estimate = PARTS, finished.value
            yield Progress(done + part, total)
            while part < reached:
                part += 1
                yield Progress(done + part, total)
        return cast("Tensor", estimate)

    @property
    def note(self) -> str:
        """The noise model and the state of the fit."""
        rule = self._rule.note if self._rule.has_errors else "making the first estimate"
        return f"{self.noise_summary}; {rule}"

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        return with_correction_weights(self._rule.reason, [self._correction_weight])

    def estimate(self) -> NDArray[np.float64]:
        """Return the first estimate with the network's current correction."""
        if self._first is None:
            return self._image.copy()  # a copy: the consumer may write into a preview
        estimate = self._first
        if self._rule.has_errors:
            estimate = estimate + self._model.correction(self._noisy, estimate)
        return self._restored(estimate)

    def finish(self) -> Generator[None, None, NDArray[np.float64]]:
        """Return the first estimate plus the weighted correction, averaged over the eight views."""
        normalizer = yield from silent(self._prepared())
        if self._first is None:  # stopped before the first estimate was complete
            image = normalizer.image
            self._first = yield from silent(image.first_estimate(self._overestimation))
        estimate = self._first
        self._correction_weight = (
            (yield from self._recorrupted_weight(normalizer)) if self._rule.has_errors else 0.0
        )
        if self._correction_weight > 0:
            correction = yield from self._model.mean_correction(self._noisy, estimate)
            estimate = estimate + self._correction_weight * correction
        return self._restored(estimate)

    def _restored(self, estimate: Tensor) -> NDArray[np.float64]:
        restored = cast("NoiseNormalizer", self._normalizer).restored(estimate)
        if self._is_dim:
            restored = with_kept_means(restored, self._image, self._known, self._models)
        if self._fraction == 1:
            return restored
        removed = self._fraction * (restored - self._image)
        return np.where(self._known, self._image + removed, restored)

    def _recorrupted_weight(self, normalizer: NoiseNormalizer) -> Generator[None, None, float]:
        """Return the correction weight, 0 to 1, from recorrupted pairs (Pang et al., CVPR 2021).

        With sampled noise n, y + a n and y - n / a have the same truth and independent noise. The
        first is denoised; the second is the target of a least-squares fit of the weight.
        """
        image = normalizer.image
        covariance = power = 0.0
        level = math.sqrt(1 + ALPHA**2)
        for _ in range(RECORRUPTIONS):
            noisy_and_variance = torch.cat([image.noisy, image.variance])
            y, variance = self._regions.draw([noisy_and_variance], 1)[0].chunk(2)
            # of the image's own noise level
            noise = normalizer.sample_noise(y) * variance.sqrt() / self._overestimation
            recorrupted = (y + ALPHA * noise) / level  # the noise level of y
            estimate = yield from silent(
                replace(image, noisy=recorrupted, variance=variance).first_estimate(
                    self._overestimation
                )
            )
            correction = (yield from self._model.mean_correction(recorrupted, estimate)) * level
            target = y - noise / ALPHA - estimate * level
            covariance += float((correction * target).sum())
            power += float(correction.square().sum())
        return 0.0 if power == 0 else min(max(covariance / power, 0.0), 1.0)

    @classmethod
    def rehearsal_settings(cls, settings: DenoisingFit) -> DenoisingFit:
        """Return the settings with a single draw."""
        return replace(settings, draws=1)

    @classmethod
    def seconds(cls, settings: DenoisingFit, rehearsal: Rehearsal, whole: tuple[int, int]) -> float:
        """Predict the seconds for the nonlocal estimates, the fit, and the averaging over views."""
        # of the second nonlocal estimate, as that of the first includes the setup
        nonlocal_estimate = rehearsal.reached[2 * PARTS] - rehearsal.reached[PARTS]
        height, width = (min(size, settings.region) for size in whole)
        region = height * width / (rehearsal.piece[0] * rehearsal.piece[1])
        regions = (settings.draws + 1 + RECORRUPTIONS) * region
        estimates = nonlocal_estimate * (rehearsal.ratio + regions)
        views = max(rehearsal.finish - RECORRUPTIONS * nonlocal_estimate, 0)
        corrections = views * (rehearsal.ratio + RECORRUPTIONS * region) / (1 + RECORRUPTIONS)
        return rehearsal.steps * rehearsal.step + estimates + corrections


def _noise_of_channels(models: Sequence[NoiseModel]) -> str:
    """Return the noise as text, once if it is the same in all channels."""
    each = [model.describe() for model in models]
    if len(set(each)) == 1:
        return each[0]
    return "; ".join(f"channel {number}: {noise}" for number, noise in enumerate(each))
