"""Denoising: a nonlocal first estimate, and a network that learns to correct it.

The noise is estimated and normalized, and two estimates are made from groups of similar patches.
Their weighted mean is the first estimate. An untrained network then learns the errors of this
estimator on the image's own content: the first estimate is re-noised and denoised again, and the
network is fitted to predict the difference to the known truth. Finally it corrects the first
estimate, unless the held-out error shows early that it adds nothing. Recorrupted pairs
(`recorrupted.py`) set the weights of the estimates and of the correction.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from ...fitting.augmentation import Crops
from ...fitting.base import FIRST_ESTIMATE, FITTING, NOISE, Progress
from ...fitting.loop import Fit, self_supervised_schedule
from ...fitting.stopping import HeldOutPlateau
from ...generators import mapped, silent
from ...patches.estimates import EQUAL
from ...patches.grids import PLANE, grids_for
from ...patches.nl_ridge import GRID
from ...patches.passes import CHUNK, WORKERS
from ..base import (
    SelfSupervisedRestorer,
    image_and_known,
    scaled_and_filled,
    with_correction_weights,
)
from .dim import combined, is_dim, with_kept_means
from .found_noise import find_noise
from .model import DenoisingModel, seconds_of_a_step
from .normalization import NoiseNormalizer
from .recorrupted import (
    RecorruptedPair,
    correction_weight,
    local_noise_level,
    share_of_second,
)
from .settings import DenoisingFit, neighbors_of
from .workload import PAIRS, PARTS, REGION_PLANES, Workload, draws_of, predicted_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from ...noise.model import NoiseModel
    from ...patches.estimates import NonlocalEstimates
    from ...patches.grids import PatchGrids
    from ..base import Rehearsal, Work
    from ..task import Task
    from .normalization import Frame, NormalizedImage
    from .task import Denoise
    from .whole import Whole

GROUP_BYTES = 2e5
"""Memory for each group of patches that is being restored, and channel."""
VOXEL_BYTES = 160
"""Memory for each voxel and channel of a volume."""
APPLIED = "corrected by the fitted network"
ADDS_NOTHING_HERE = "the fitted network adds nothing here; first estimate returned"
LEAST_WEIGHT = 0.05
"""Weight of the correction of a network fitted to other images below which it is left out."""


class DenoisingRestorer(SelfSupervisedRestorer[DenoisingFit]):
    """Denoises an image.

    Parameters
    ----------
    image : (C, Y, X) or (C, Z, Y, X) float array
        In intensity units; filled in where it is not `known`.
    known : bool array of the same shape
    settings : DenoisingFit
    seed : int
    device : torch.device
    noise, noise_std, strength
        As of `Denoise`.
    """

    INPUTS = 2

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
            grids=grids_for(intensities.shape[1:], task.spacing),
        )

    def __init__(  # noqa: PLR0913  (the options of the task, and how it is restored)
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
        grids: PatchGrids = PLANE,
    ) -> None:
        self._settings, self._grids = settings, grids
        self._noise, self._noise_std, self._strength = noise, noise_std, strength
        self._shape = image.shape
        if image.ndim == 3:
            image, known = image[:, None], known[:, None]
        self._image, self._known = image, known
        self._unstriped = image
        # up to 1, the strength is the fraction of the noise that is removed; above 1, the noise
        # level is overestimated by that factor, before normalization
        self._fraction, self._overestimation = min(strength, 1.0), max(strength, 1.0)
        self._models: list[NoiseModel] = []
        self._device, self._seed = device, seed
        self._is_dim = False
        self._normalizer: NoiseNormalizer | None = None
        self._estimates: NonlocalEstimates | None = None
        self._share = EQUAL
        self.pairs: list[RecorruptedPair] = []
        """The recorrupted pairs made so far."""
        self._partial: Callable[[], Tensor] | None = None
        self._has_changed = False
        self._draws = draws_of(settings)
        self._workload = Workload(settings, image.shape[1:], PAIRS + self._draws)
        self._is_finishing = False
        self._regions = Crops(settings.region, seed, REGION_PLANES)
        self._neighbors = neighbors_of(image.shape[1:])
        self._model = DenoisingModel(len(image), settings, device, seed, self._neighbors)
        self._rule = HeldOutPlateau(settings.patience, settings.trial)
        self._fit = Fit(self._model, self_supervised_schedule(settings), self._rule)
        self._drawn = 0
        self._correction_weight = 1.0
        self._frame: Frame | None = None
        self._given_weight: float | None = None
        self._is_applied = False
        """Whether the network was fitted to other images."""

    def _find_noise(self) -> Generator[float, None, None]:
        """Find the noise, and yield the fraction done."""
        found = yield from find_noise(self._image, self._known, self._noise, self._noise_std)
        self._unstriped, self._models = found.unstriped, found.models
        self.noise_summary = found.summary
        if self._overestimation > 1:
            self.noise_summary += f", assumed {self._strength:g} times as strong"
        elif self._fraction < 1:
            self.noise_summary += f", {100 * self._strength:.0f} % of it removed"
        self._is_dim = any(map(is_dim, self._unstriped, self._models))
        if not self._is_dim:
            self._normalize(self._unstriped, self._models)

    def _normalize(self, image: NDArray[np.float64], models: Sequence[NoiseModel]) -> None:
        level, device, seed = self._overestimation, self._device, self._seed
        self._normalizer = NoiseNormalizer(
            image, models, level, device, seed, self._grids, self._frame
        )
        self._noisy = self._normalizer.image.noisy

    def _prepared(self) -> Generator[float, None, NoiseNormalizer]:
        """Normalize the noise; for dim shot noise, of the combination with coarser scales."""
        if not self.noise_summary:
            yield from self._find_noise()
        if self._normalizer is None:
            image, models, device = self._unstriped, self._models, self._device
            self._normalize(*(yield from combined(image, models, self._overestimation, device)))
        return cast("NoiseNormalizer", self._normalizer)

    def steps(self) -> Iterator[Progress]:
        """Make the first estimate, then fit the network to correct it."""
        yield from self.examples(self._model)
        if not self._is_applied:
            yield from self.fitting()

    def examples(self, model: DenoisingModel) -> Iterator[Progress]:
        """Make the first estimate and the pairs, and give a model the re-noised images."""
        normalizer = yield from mapped(self._prepared(), self._preparing)
        if self._estimates is None:
            image = normalizer.image
            self._estimates = yield from self._reported(image, 0, self._overestimation)
            self._partial, self._has_changed = None, True
        level = local_noise_level(self._noisy, self._estimates.shrunk)
        while len(self.pairs) < PAIRS and self._given_weight is None:
            image, target = normalizer.recorrupt(self._regions, level)
            done = 1 + len(self.pairs)
            estimates = yield from self._reported(image, done, self._overestimation)
            self.pairs.append(RecorruptedPair(image.noisy, target, estimates))
            self._share = share_of_second(self.pairs)
        self._has_changed = True
        while self._drawn < self._draws:
            clean = self._regions.draw([self._first], 1)[0]
            renoised = normalizer.renoise(clean)
            estimates = yield from self._reported(renoised, 1 + PAIRS + self._drawn)
            use = model.learn_from if self._drawn < self._settings.draws else model.hold_out
            use(renoised.noisy, estimates.mixed(self._share), clean)
            self._drawn += 1

    def fitting(self) -> Iterator[Progress]:
        """Fit the network to the re-noised images of its model."""
        for progress in self._fit:
            yield Progress(self._before_fit + progress.iteration, self._total, progress.misfit)

    @property
    def _first(self) -> Tensor:
        """The first estimate."""
        return cast("NonlocalEstimates", self._estimates).mixed(self._share)

    @property
    def _before_fit(self) -> int:
        """Steps reported before the fit."""
        return (1 + PAIRS + self._draws) * PARTS

    @property
    def _total(self) -> int:
        return self._before_fit + self._fit.end

    def _preparing(self, fraction: float) -> Progress:
        stage = FIRST_ESTIMATE if self.noise_summary else NOISE
        return Progress(1, self._total, None, stage, 0.0 if self.noise_summary else fraction, False)

    def _making_first_estimate(self, iteration: int) -> Progress:
        changed, self._has_changed = self._has_changed, False
        return Progress(
            iteration, self._total, None, FIRST_ESTIMATE, self._workload.estimated, changed
        )

    def work(self, progress: Progress) -> Work:  # noqa: ARG002  (counted here)
        """Return pixels of nonlocal estimates, and steps of the fit with the averaging of views."""
        return self._workload.of(self._fit, is_finishing=self._is_finishing)

    def measured_rates(self) -> dict[str, float]:
        """Return the seconds for a step of the fit, measured with a network that is dropped."""
        edge, channels = min(self._settings.crop, *self._shape[-2:]), len(self._image)
        seen = 2 * channels * (2 * self._neighbors + 1)
        return {FITTING: seconds_of_a_step(self._settings, seen, channels, edge, self._device)}

    def run_on(self, iterations: int | None) -> None:
        """Continue the fit, or what precedes it."""
        self._is_finishing = False
        self._fit.run_on(iterations)

    @property
    def model(self) -> DenoisingModel:
        """The network that is fitted."""
        return self._model

    def use(self, whole: Whole) -> None:
        """Use the noise and the weights of a larger image; call it before the first step."""
        self._models, self.noise_summary = list(whole.models), whole.summary
        self._share, self._given_weight = whole.share, whole.weight
        self._is_dim = any(map(is_dim, self._image, self._models))
        if not self._is_dim:  # the combination of dim noise has coordinates of its own
            self._frame = whole.frame
            self._normalize(self._image, self._models)

    @property
    def adds_nothing(self) -> bool:
        """Whether the network's fit has ended because it adds nothing to the first estimate."""
        return self._rule.adds_nothing

    def apply(self, network: dict[str, Tensor], *, adds_nothing: bool) -> None:
        """Correct with the network of a fit to other images, in place of an own fit."""
        self._is_applied, self._draws = True, 0
        self._model.network.load_state_dict(network)
        self._rule.adds_nothing = adds_nothing
        schedule = replace(self_supervised_schedule(self._settings), iterations=0)
        self._fit = Fit(self._model, schedule, self._rule)
        self._workload = Workload(self._settings, self._image.shape[1:], PAIRS)

    def _reported(
        self, image: NormalizedImage, number: int, overestimation: float = 1.0
    ) -> Generator[Progress, None, NonlocalEstimates]:
        """Return the nonlocal estimates; count as PARTS steps but yield more often, to be left."""
        watch = self._watch if self._estimates is None else None
        done = None if self._estimates is None else len(self.pairs) + self._drawn
        working = self._workload.counted(image.estimates(overestimation, watch), done)
        part, estimates = 1, None
        while estimates is None:
            try:
                reached = int(PARTS * next(working))
            except StopIteration as finished:
                reached, estimates = PARTS, finished.value
            yield self._making_first_estimate(number * PARTS + part)
            while part < reached:
                part += 1
                yield self._making_first_estimate(number * PARTS + part)
        return cast("NonlocalEstimates", estimates)

    def _watch(self, so_far: Callable[[], Tensor]) -> None:
        self._partial, self._has_changed = so_far, True

    @property
    def note(self) -> str:
        """The noise model and the state of the fit."""
        rule = self._rule.note if self._rule.has_errors else ""
        return "; ".join(filter(None, [self.noise_summary, rule]))

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        if self._is_applied:
            if not self._correction_weight:
                return ADDS_NOTHING_HERE
            return with_correction_weights(APPLIED, [self._correction_weight])
        if self._rule.adds_nothing:
            return self._rule.reason
        return with_correction_weights(self._rule.reason, [self._correction_weight])

    def estimate(self) -> NDArray[np.float64]:
        """Return the first estimate with the network's current correction."""
        if self._estimates is None and self._partial is None:
            # a copy: the consumer may write into a preview
            return self._image.reshape(self._shape).copy()
        if self._estimates is None:
            return self._restored(cast("Callable[[], Tensor]", self._partial)())
        estimate = self._first
        # for a whole volume it would take long
        if (self._rule.has_errors or self._is_applied) and not self._neighbors:
            estimate = estimate + self._model.correction(self._noisy, estimate)
        return self._restored(estimate)

    def finish(self) -> Generator[str | None, None, NDArray[np.float64]]:
        """Return the first estimate plus the weighted correction, averaged over the eight views."""
        self._is_finishing = True
        normalizer = yield from silent(self._prepared())
        if self._estimates is None:  # stopped before the first estimate was complete
            working = normalizer.image.estimates(self._overestimation, self._watch)
            self._estimates = yield from mapped(
                self._workload.counted(working, None),
                lambda done: f"{FIRST_ESTIMATE}, {100 * done:.0f} %",
            )
            self._partial = None
        estimate = self._first
        self._correction_weight = 0.0
        has_evidence = self._given_weight is not None or len(self.pairs) == PAIRS
        can_correct = has_evidence if self._is_applied else self._rule.has_errors
        if can_correct and not self._rule.adds_nothing:
            self._correction_weight = yield from self._weight()
            if self._is_applied and self._correction_weight < LEAST_WEIGHT:
                self._correction_weight = 0.0
        if self._correction_weight > 0:
            views = self._model.mean_correction(self._noisy, estimate)
            correction = yield from self._workload.counted_views(views, self._noisy)
            estimate = estimate + self._correction_weight * correction
        return self._restored(estimate)

    def _restored(self, estimate: Tensor) -> NDArray[np.float64]:
        restored = cast("NoiseNormalizer", self._normalizer).restored(estimate)
        if self._is_dim:
            restored = with_kept_means(restored, self._unstriped, self._known, self._models)
        if self._fraction < 1:
            removed = self._fraction * (restored - self._image)
            restored = np.where(self._known, self._image + removed, restored)
        return restored.reshape(self._shape)

    def _weight(self) -> Generator[str | None, None, float]:
        """Return the weight of the correction, 0 to 1."""
        if self._given_weight is not None:
            return self._given_weight
        corrections = []
        for pair in self.pairs:
            views = self._model.mean_correction(pair.noisy, pair.estimates.mixed(self._share))
            corrections.append((yield from self._workload.counted_views(views, pair.noisy)))
        return correction_weight(self.pairs, self._share, corrections)

    @classmethod
    def rehearsal_settings(cls, settings: DenoisingFit) -> DenoisingFit:
        """Return the settings with a single draw, of a fit that does not end early."""
        return replace(settings, draws=1, trial=settings.iterations + 1)

    @classmethod
    def memory(cls, task: Task, settings: DenoisingFit) -> float:
        """Return an upper bound; each thread of a nonlocal estimate has groups of its own."""
        groups = min(WORKERS.get() * CHUNK, math.prod(task.spatial_shape) / GRID.step[1] ** 2)
        voxels = math.prod(task.spatial_shape) if len(task.spatial_shape) == 3 else 0
        of_groups = GROUP_BYTES * task.channels * groups
        return super().memory(task, settings) + of_groups + VOXEL_BYTES * task.channels * voxels

    @classmethod
    def seconds(cls, settings: DenoisingFit, rehearsal: Rehearsal, whole: tuple[int, ...]) -> float:
        """Predict the seconds for the nonlocal estimates, the fit, and the averaging over views."""
        return predicted_seconds(settings, rehearsal, whole)
