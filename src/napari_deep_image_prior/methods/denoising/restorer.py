"""Denoising by a guided fit: noise a first estimate anew, denoise that, learn what was lost.

First the noise is measured and made the same everywhere, and a classical estimate is
made from groups of alike patches. Then an untrained network is fitted to undo what
that classical method does to this very image: the estimate is noised anew, denoised
the same way, and the network learns the way back. Applied to the image itself, the
correction is followed as far as held-out noise says that it helps.
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
from ...generators import silent
from ...noise.estimation import estimate_noise
from ..base import (
    SelfSupervisedRestorer,
    image_and_known,
    scaled_and_filled,
    with_correction_weights,
)
from .normalization import NoiseNormalizer
from .settings import DenoisingFit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from ..base import Rehearsal
    from .normalization import NormalizedImage
    from .task import Denoise

PARTS = 20
"""Steps in which a classical estimate is reported."""
JUDGED_CROPS = 2
"""Crops of a newly noised image, not learned from, by which the fit is stopped."""
JUDGMENTS = 2
"""Parts of the image on which the network is judged."""
SPLIT = 0.5
"""Share of fresh noise that is added to one half of a judged pair and divides that of the other."""


class DenoisingModel:
    """The network that corrects the classical estimate, and the pairs it is fitted on."""

    def __init__(
        self, channels: int, settings: DenoisingFit, device: torch.device, seed: int
    ) -> None:
        self._settings = settings
        self._crops = Crops(settings.crop, seed)
        self._pairs: list[
            Tensor
        ] = []  # each (3 C, Y, X): newly noised, its classical estimate, the truth of both
        self._typical = 1.0
        self.network = build_network(settings.network, 2 * channels, channels, seed, device)

    def loss(self) -> Tensor:
        """Return the mean squared error of some crops.

        The loss is in units of the noise variance; the reported misfit is that of crops that
        are not learned from, relative to the classical estimate's error on them.
        """
        self._judged_crops = self._crops.draw([self._judged], JUDGED_CROPS)
        loss, _ = self._squares(self._crops.draw(self._pairs, self._settings.batch))
        return loss

    @property
    def misfit(self) -> Tensor:
        """Of the last step; reckoned when it is looked at, which on a GPU is not at each step."""
        with torch.no_grad():
            squares, missed = self._squares(self._judged_crops)
        return squares / self._typical / relative_to(missed / self._typical)

    def _squares(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean squared error of crops of pairs, and that of their classical estimate."""
        noisy, classical, clean = crops.chunk(3, dim=1)
        missed = clean - classical
        error = self.network(torch.cat([noisy, classical], dim=1)) - missed
        return error.square().mean(), missed.square().mean()

    def kept(self) -> list[Tensor]:
        """Nothing is kept beside the weights."""
        return []

    def learn_from(self, noisy: Tensor, classical: Tensor, clean: Tensor) -> None:
        """Add an image, newly noised and denoised again, to what the network is fitted on; all (C, Y, X)."""
        self._pairs.append(torch.cat([noisy, classical, clean]))
        errors = [
            (clean - classical).square().mean()
            for _, classical, clean in (p.chunk(3) for p in self._pairs)
        ]
        self._typical = float(torch.stack(errors).mean()) + 1e-9

    def judge_by(self, noisy: Tensor, classical: Tensor, clean: Tensor) -> None:
        """Set what the network is judged by, the same of an image that it does not learn from."""
        self._judged = torch.cat([noisy, classical, clean])

    def correction(self, noisy: Tensor, classical: Tensor) -> Tensor:
        """Return what the network adds to a classical estimate, all (C, Y, X)."""
        with torch.no_grad():
            correction: Tensor = self.network(torch.cat([noisy, classical])[None])[0]
        return correction

    def mean_correction(self, noisy: Tensor, classical: Tensor) -> Generator[None, None, Tensor]:
        """Return that correction averaged over turned views."""
        return (yield from mean_over_views(self.network, torch.cat([noisy, classical])[None]))[0]


class DenoisingRestorer(SelfSupervisedRestorer[DenoisingFit]):
    """Denoises a (C, Y, X) image in its own intensity units; it is filled in where it is not `known`."""

    INPUTS = 2
    CLASSICAL_BYTES = 300e6

    @classmethod
    def for_task(
        cls, task: Denoise, settings: DenoisingFit, device: torch.device, seed: int
    ) -> DenoisingRestorer:
        """Make the restorer of a task."""
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
        # up to 1 the strength is the share of the noise that is taken out; from there on the noise is taken for so
        # many times stronger: what follows takes it for 1, and so is the fresh noise
        self._share, self._overestimation = min(strength, 1.0), max(strength, 1.0)
        self._noise = NoiseNormalizer(image, models, self._overestimation, device, seed)
        self._noisy = self._noise.image.noisy
        self._classical: Tensor | None = None
        self._places = Crops(settings.region, seed)
        self._model = DenoisingModel(len(image), settings, device, seed)
        self._rule = HeldOutPlateau(settings.patience)
        self._fit = Fit(self._model, self_supervised_schedule(settings), self._rule)
        self._drawn = 0
        self._correction_weight = 1.0
        self.noise_summary = "; ".join(dict.fromkeys(model.describe() for model in models))
        if self._overestimation > 1:
            self.noise_summary += f", taken for {strength:g} times as strong"
        elif self._share < 1:
            self.noise_summary += f", {100 * strength:.0f}% of it taken out"

    def steps(self) -> Iterator[Progress]:
        """Make the classical estimate, then fit the network to correct it."""
        if self._classical is None:
            self._classical = yield from self._denoised(self._noise.image, 0, self._overestimation)
        while self._drawn < self._settings.draws + 1:
            clean = self._places.draw([self._classical], 1)[0]
            anew = self._noise.renoise(clean)
            classical = yield from self._denoised(anew, (1 + self._drawn) * PARTS)
            use = (
                self._model.learn_from
                if self._drawn < self._settings.draws
                else self._model.judge_by
            )
            use(anew.noisy, classical, clean)
            self._drawn += 1
        done = (2 + self._settings.draws) * PARTS
        for progress in self._fit:
            yield Progress(done + progress.iteration, done + progress.total, progress.misfit)

    def run_on(self, iterations: int | None) -> None:
        """Go on with what was not done yet, and with the fit."""
        self._fit.run_on(iterations)

    def _denoised(
        self, even: NormalizedImage, done: int, overestimation: float = 1.0
    ) -> Generator[Progress, None, Tensor]:
        """Denoise classically; counts as PARTS steps, yields more often so that it can be left."""
        total = (2 + self._settings.draws) * PARTS + self._fit.end
        working = even.grouped(overestimation)
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
        """The noise that was found, and what the stopping rule thinks just now."""
        rule = self._rule.note if self._rule.has_errors else "making a first estimate"
        return f"{self.noise_summary}; {rule}"

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        return with_correction_weights(self._rule.reason, [self._correction_weight])

    def estimate(self) -> NDArray[np.float64]:
        """Return the classical estimate, corrected as far as the network has learned."""
        if self._classical is None:
            return self._image.copy()  # it stays the fit's, whoever writes into the preview
        estimate = self._classical
        if self._rule.has_errors:
            estimate = estimate + self._model.correction(self._noisy, estimate)
        return self._restored(estimate)

    def finish(self) -> Generator[None, None, NDArray[np.float64]]:
        """Return the estimate with the correction averaged over eight views, as far as it can be trusted."""
        if self._classical is None:  # stopped before there was anything to look at
            self._classical = yield from silent(self._noise.image.grouped(self._overestimation))
        estimate = self._classical
        self._correction_weight = (
            (yield from self._judged_weight()) if self._rule.has_errors else 0.0
        )
        if self._correction_weight > 0:
            correction = yield from self._model.mean_correction(self._noisy, estimate)
            estimate = estimate + self._correction_weight * correction
        return self._restored(estimate)

    def _restored(self, estimate: Tensor) -> NDArray[np.float64]:
        restored = self._noise.restored(estimate)
        if self._share == 1:
            return restored
        return np.where(self._known, self._image + self._share * (restored - self._image), restored)

    def _judged_weight(self) -> Generator[None, None, float]:
        """Return how far to follow the network, 0 to 1, judged by noise that it has not seen.

        With fresh noise n, y + a n and y - n / a are two images of the same truth
        with independent noise: the first is restored, the second judges.
        """
        even = self._noise.image
        agreed = power = 0.0
        spread = math.sqrt(1 + SPLIT**2)
        for _ in range(JUDGMENTS):
            noisy_and_variance = torch.cat([even.noisy, even.variance])
            part, variance = self._places.draw([noisy_and_variance], 1)[0].chunk(2)
            fresh = (
                self._noise.sample_noise(part) * variance.sqrt() / self._overestimation
            )  # as the image's own
            seen = (part + SPLIT * fresh) / spread  # as strong as before
            classical = yield from silent(
                replace(even, noisy=seen, variance=variance).grouped(self._overestimation)
            )
            correction = (yield from self._model.mean_correction(seen, classical)) * spread
            wanted = part - fresh / SPLIT - classical * spread
            agreed += float((correction * wanted).sum())
            power += float(correction.square().sum())
        return 0.0 if power == 0 else min(max(agreed / power, 0.0), 1.0)

    @classmethod
    def rehearsal_settings(cls, settings: DenoisingFit) -> DenoisingFit:
        """Return the settings with a single draw."""
        return replace(settings, draws=1)

    @classmethod
    def seconds(cls, settings: DenoisingFit, rehearsal: Rehearsal, whole: tuple[int, int]) -> float:
        """Predict the time: classical estimates of the whole and of regions, the fit, and the views at the end."""
        # the second classical estimate, as the first one has the setting up in it
        classical = rehearsal.reached[2 * PARTS] - rehearsal.reached[PARTS]
        height, width = (min(size, settings.region) for size in whole)
        region = height * width / (rehearsal.piece[0] * rehearsal.piece[1])
        estimates = classical * (rehearsal.ratio + (settings.draws + 1 + JUDGMENTS) * region)
        views = max(rehearsal.finish - JUDGMENTS * classical, 0)
        corrections = views * (rehearsal.ratio + JUDGMENTS * region) / (1 + JUDGMENTS)
        return rehearsal.steps * rehearsal.step + estimates + corrections
