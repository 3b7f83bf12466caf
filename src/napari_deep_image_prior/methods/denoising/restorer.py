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
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from ...fitting.augmentation import VIEWS, Crops
from ...fitting.base import AVERAGING, FIRST_ESTIMATE, FITTING, NOISE, WEIGHING, Progress
from ...fitting.loop import Fit, self_supervised_schedule
from ...fitting.networks import build_network
from ...fitting.stopping import HeldOutPlateau
from ...generators import labeled, mapped, silent
from ...noise.estimation import estimate_noise
from ..base import (
    SelfSupervisedRestorer,
    image_and_known,
    scaled_and_filled,
    with_correction_weights,
)
from .dim import combined, is_dim, with_kept_means
from .model import HELD_OUT_CROPS, DenoisingModel
from .normalization import NoiseNormalizer
from .settings import DenoisingFit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from ...noise.model import NoiseModel
    from ..base import Rehearsal, Work
    from .normalization import NormalizedImage
    from .task import Denoise

VIEWS_OF_A_STEP = 3
"""Run time of a step of the fit, relative to the network's output for the same pixels."""
PARTS = 20
"""Steps reported for a nonlocal estimate."""
RECORRUPTIONS = 2
"""Recorrupted pairs from which the correction weight is computed."""
ALPHA = 0.5
"""Noise level of a recorrupted pair, y + ALPHA n and y - n / ALPHA."""


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
        self._noise, self._noise_std, self._strength = noise, noise_std, strength
        self._image, self._known = image, known
        # up to 1, the strength is the fraction of the noise that is removed; above 1, the noise
        # level is overestimated by that factor, before normalization
        self._fraction, self._overestimation = min(strength, 1.0), max(strength, 1.0)
        self._models: list[NoiseModel] = []
        self._device, self._seed = device, seed
        self._is_dim = False
        self._normalizer: NoiseNormalizer | None = None
        self._first: Tensor | None = None
        self._partial: Callable[[], Tensor] | None = None
        # of the nonlocal estimates and of the views of the network, in pixels
        self._estimated = self._averaged = 0.0
        self._has_changed = False
        self._pixels = image[0].size
        self._region_pixels = min(settings.region, *image.shape[1:]) ** 2
        self._is_finishing = False
        self._regions = Crops(settings.region, seed)
        self._model = DenoisingModel(len(image), settings, device, seed)
        self._rule = HeldOutPlateau(settings.patience)
        self._fit = Fit(self._model, self_supervised_schedule(settings), self._rule)
        self._drawn = 0
        self._correction_weight = 1.0

    def _estimate_noise(self) -> Generator[float, None, None]:
        """Estimate the noise of each channel, and yield the fraction done before each."""
        for number in range(len(self._models), len(self._image)):
            channel, known = self._image[number], self._known[number]
            yield number / len(self._image)
            self._models.append(estimate_noise(channel, self._noise, self._noise_std, known))
        self.noise_summary = _noise_of_channels(self._models)
        if self._overestimation > 1:
            self.noise_summary += f", assumed {self._strength:g} times as strong"
        elif self._fraction < 1:
            self.noise_summary += f", {100 * self._strength:.0f} % of it removed"
        self._is_dim = any(map(is_dim, self._image, self._models))
        if not self._is_dim:
            self._normalize(self._image, self._models)

    def _normalize(self, image: NDArray[np.float64], models: Sequence[NoiseModel]) -> None:
        self._normalizer = NoiseNormalizer(
            image, models, self._overestimation, self._device, self._seed
        )
        self._noisy = self._normalizer.image.noisy

    def _prepared(self) -> Generator[float, None, NoiseNormalizer]:
        """Normalize the noise; for dim shot noise, of the combination with coarser scales."""
        if not self.noise_summary:
            yield from self._estimate_noise()
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
        normalizer = yield from mapped(self._prepared(), partial(self._preparing, total))
        if self._first is None:
            image = normalizer.image
            self._first = yield from self._nonlocal_estimate(image, 0, self._overestimation)
            self._partial, self._has_changed = None, True
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

    def _preparing(self, total: int, fraction: float) -> Progress:
        stage = FIRST_ESTIMATE if self.noise_summary else NOISE
        return Progress(1, total, None, stage, 0.0 if self.noise_summary else fraction, False)

    def _making_first_estimate(self, iteration: int) -> Progress:
        regions = self._settings.draws + 1
        fraction = min(self._estimated / (self._pixels + regions * self._region_pixels), 1.0)
        total = (2 + self._settings.draws) * PARTS + self._fit.end
        changed, self._has_changed = self._has_changed, False
        return Progress(iteration, total, None, FIRST_ESTIMATE, fraction, changed)

    def work(self, progress: Progress) -> Work:  # noqa: ARG002  (counted here)
        """Return pixels of nonlocal estimates, and steps of the fit with the averaging of views."""
        settings, fit = self._settings, self._fit
        regions = RECORRUPTIONS * self._region_pixels  # in the end
        estimates = self._pixels + (settings.draws + 1) * self._region_pixels + regions
        step = VIEWS_OF_A_STEP * settings.batch * min(settings.crop**2, self._region_pixels)
        averaging = VIEWS * (self._pixels + regions) / step
        steps_left = 0 if self._is_finishing else fit.end - fit.iteration
        averaged = self._averaged / step
        return {
            FIRST_ESTIMATE: (self._estimated, max(estimates - self._estimated, 0.0)),
            FITTING: (fit.iteration + averaged, steps_left + max(averaging - averaged, 0.0)),
        }

    def measured_rates(self) -> dict[str, float]:
        """Return the seconds for a step of the fit, measured with a network that is dropped."""
        settings, channels = self._settings, len(self._image)
        edge = min(settings.crop, *self._image.shape[1:])
        network = build_network(settings.network, 2 * channels, channels, 0, self._device)
        batch = torch.ones((settings.batch, 2 * channels, edge, edge), device=self._device)
        seconds = 0.0
        for _ in range(2):  # the first is slower
            start = time.perf_counter()
            network(batch).square().mean().backward()
            with torch.no_grad():
                network(batch[:HELD_OUT_CROPS])
            seconds = time.perf_counter() - start
        return {FITTING: seconds}

    def run_on(self, iterations: int | None) -> None:
        """Continue the fit, or what precedes it."""
        self._is_finishing = False
        self._fit.run_on(iterations)

    def _nonlocal_estimate(
        self, image: NormalizedImage, done: int, overestimation: float = 1.0
    ) -> Generator[Progress, None, Tensor]:
        """Return the nonlocal estimate; counts as PARTS steps but yields more often, to be left."""
        watch = self._watch if self._first is None else None
        working = self._counted(image.first_estimate(overestimation, watch))
        part, estimate = 1, None
        while estimate is None:
            try:
                reached = int(PARTS * next(working))
            except StopIteration as finished:
                reached, estimate = PARTS, finished.value
            yield self._making_first_estimate(done + part)
            while part < reached:
                part += 1
                yield self._making_first_estimate(done + part)
        return cast("Tensor", estimate)

    def _watch(self, so_far: Callable[[], Tensor]) -> None:
        self._partial, self._has_changed = so_far, True

    def _counted(self, working: Generator[float, None, Tensor]) -> Generator[float, None, Tensor]:
        """Count the pixels of a nonlocal estimate while it is made."""
        pixels = self._pixels if self._first is None else self._region_pixels
        before = self._estimated

        def count(fraction: float) -> float:
            self._estimated = before + fraction * pixels
            return fraction

        estimate = yield from mapped(working, count)
        count(1.0)
        return estimate

    def _counted_views(
        self, working: Generator[None, None, Tensor], pixels: int
    ) -> Generator[str, None, Tensor]:
        """Count the pixels of the views of an image that the network has corrected."""

        def count(_value: None) -> str:
            self._averaged += pixels
            return AVERAGING

        return (yield from mapped(working, count))

    @property
    def note(self) -> str:
        """The noise model and the state of the fit."""
        rule = self._rule.note if self._rule.has_errors else ""
        return "; ".join(filter(None, [self.noise_summary, rule]))

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        return with_correction_weights(self._rule.reason, [self._correction_weight])

    def estimate(self) -> NDArray[np.float64]:
        """Return the first estimate with the network's current correction."""
        if self._first is None and self._partial is None:
            return self._image.copy()  # a copy: the consumer may write into a preview
        if self._first is None:
            return self._restored(cast("Callable[[], Tensor]", self._partial)())
        estimate = self._first
        if self._rule.has_errors:
            estimate = estimate + self._model.correction(self._noisy, estimate)
        return self._restored(estimate)

    def finish(self) -> Generator[str | None, None, NDArray[np.float64]]:
        """Return the first estimate plus the weighted correction, averaged over the eight views."""
        self._is_finishing = True
        normalizer = yield from silent(self._prepared())
        if self._first is None:  # stopped before the first estimate was complete
            self._estimated, image = 0.0, normalizer.image
            self._first = yield from mapped(
                self._counted(image.first_estimate(self._overestimation, self._watch)),
                lambda fraction: f"{FIRST_ESTIMATE}, {100 * fraction:.0f} %",
            )
            self._partial = None
        estimate = self._first
        self._correction_weight = (
            (yield from self._recorrupted_weight(normalizer)) if self._rule.has_errors else 0.0
        )
        if self._correction_weight > 0:
            correction = yield from self._counted_views(
                self._model.mean_correction(self._noisy, estimate), self._pixels
            )
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

    def _recorrupted_weight(
        self, normalizer: NoiseNormalizer
    ) -> Generator[str | None, None, float]:
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
            again = replace(image, noisy=recorrupted, variance=variance)
            working = self._counted(again.first_estimate(self._overestimation))
            estimate = yield from labeled(working, WEIGHING)
            views = self._model.mean_correction(recorrupted, estimate)
            correction = (yield from self._counted_views(views, self._region_pixels)) * level
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
