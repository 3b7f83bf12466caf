"""Super-resolution: interpolation, and a network that learns to correct it across scales.

An untrained network is fitted to correct the enlargement of downsampled copies of the image, whose
truth is known. It then corrects the enlargement of the image itself; held-out tiles set the weight
of this correction. Large factors are applied in stages of 2 with the same network. After each stage
back-projection makes the enlarged image consistent with the input.
Shocher, Cohen, Irani, "Zero-Shot" Super-Resolution using Deep Internal Learning, CVPR 2018,
arXiv:1712.06087.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...arrays import MONTAGE
from ...fitting.augmentation import UPRIGHT, mean_over_views
from ...fitting.base import AVERAGING, WEIGHING, Progress
from ...fitting.loop import Fit, self_supervised_schedule
from ...fitting.stopping import HeldOutPlateau
from ...generators import labeled, run_to_end
from ...noise.outliers import share_of, stretching_outliers
from ...operators import Downsample, resized
from ..base import (
    SelfSupervisedRestorer,
    image_and_known,
    scaled_and_filled,
    with_correction_weights,
)
from .model import SuperResolutionModel, back_projected, enlarged, factors_of, shape_of
from .settings import SuperResolutionFit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from ...arrays import Scaling
    from ..base import Rehearsal
    from ..task import Task
    from .model import Shape
    from .task import SuperResolve

ALONG_Z = (0.0, 0.0)
"""Key of the models that enlarge along Z."""
SECTIONS = 2**18
"""Pixels of the sections of a volume that are corrected at a time."""
WATCHED = 2**20
"""Voxels up to which a preview of a volume has the network's correction."""
VOXEL_BYTES = 64
"""Memory for each voxel and channel of an enlarged volume."""


class SuperResolutionRestorer(SelfSupervisedRestorer[SuperResolutionFit]):
    """Enlarges an image or volume to a target shape.

    A volume is first enlarged along Z, by a network that has learned to enlarge its planes along Y
    and along X, and then plane by plane.

    Parameters
    ----------
    image : (1, C, Y, X) or (1, C, Z, Y, X) tensor
    target : tuple of int
        Spatial shape of the result.
    scaling : Scaling
        Between the image's range and intensity units.
    settings : SuperResolutionFit
    seed : int
    """

    @classmethod
    def for_task(
        cls, task: SuperResolve, settings: SuperResolutionFit, device: torch.device, seed: int
    ) -> SuperResolutionRestorer:
        """Return the restorer of a task."""
        scaling, image = scaled_and_filled(task, device)
        restorer = cls(image, task.result_spatial_shape, scaling, settings, seed)
        outliers = stretching_outliers(*image_and_known(task))
        restorer.noise_summary = share_of(outliers, "with rings around them: denoise them first")
        return restorer

    @classmethod
    def seconds(
        cls,
        settings: SuperResolutionFit,
        rehearsal: Rehearsal,
        whole: tuple[int, ...],  # noqa: ARG003
    ) -> float:
        """Predict the seconds; the rehearsal finishes with one network, the result with all."""
        ends = rehearsal.setup + rehearsal.finish * settings.networks
        return rehearsal.steps * rehearsal.step + ends * rehearsal.ratio

    def __init__(
        self,
        image: Tensor,
        target: Shape,
        scaling: Scaling,
        settings: SuperResolutionFit,
        seed: int,
    ) -> None:
        self._image, self._target, self._scaling, self._settings = image, target, scaling, settings
        self._is_volume = image.ndim == 5
        planes = planes_of(image) if self._is_volume else [image]
        self._shapes = stages(shape_of(image), target[-2:])
        if self._is_volume and shape_of(image) == target[-2:]:
            self._shapes = []
        factors = [
            factors_of(*pair) for pair in itertools.pairwise([shape_of(image), *self._shapes])
        ]
        # for each distinct factor; they are applied at every stage of that factor
        self._models = {
            each: [
                SuperResolutionModel(planes, each, settings, seed, number)
                for number in range(settings.networks)
            ]
            for each in dict.fromkeys(factors)
        }
        self._along_z: list[SuperResolutionModel] = []
        if self._is_volume and image.shape[2] < target[0]:
            both_ways = [view for each in planes for view in (each, each.transpose(-2, -1))]
            factor = (target[0] / image.shape[2], 1.0)
            self._along_z = [
                SuperResolutionModel(both_ways, factor, settings, seed, number, UPRIGHT)
                for number in range(settings.networks)
            ]
            self._models[ALONG_Z] = self._along_z
        models = [model for each in self._models.values() for model in each]
        self._rules = {model: HeldOutPlateau(settings.patience) for model in models}
        schedule = self_supervised_schedule(settings)
        self._fits = {model: Fit(model, schedule, rule) for model, rule in self._rules.items()}
        self._active = models
        self._latest = models[0]
        self._correction_weights: dict[SuperResolutionModel, float] = {}

    def steps(self) -> Iterator[Progress]:
        """Iterate over the steps of all networks."""
        for model in self._active:
            for progress in self._fits[model]:
                self._latest = model
                done = sum(fit.iteration for fit in self._fits.values())
                remaining = sum(
                    self._fits[each].end - self._fits[each].iteration for each in self._active
                )
                yield Progress(done, done + remaining, progress.misfit)

    def run_on(self, iterations: int | None) -> None:
        """Continue the fits.

        None: those that were stopped, or else all. A number of iterations is divided among the
        fits that have started.
        """
        stopped = [model for model, fit in self._fits.items() if fit.iteration < fit.end]
        if iterations is None:
            self._active = stopped or list(self._fits)
            shares: list[int | None] = [None] * len(self._active)
        else:
            self._active = [model for model, fit in self._fits.items() if fit.iteration > 0][
                :iterations
            ]
            shares = [
                len(range(number, iterations, len(self._active)))
                for number in range(len(self._active))
            ]
        for model, share in zip(self._active, shares, strict=True):
            self._fits[model].run_on(share)

    @property
    def note(self) -> str:
        """The state of the fit."""
        rule = self._rules[self._latest]
        return rule.note if rule.has_errors else "preparing the fit"

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        reason, number = self._rules[self._latest].reason, list(self._rules).index(self._latest) + 1
        if len(self._rules) > 1:
            reason = f"network {number} of {len(self._rules)}: {reason}"
        return with_correction_weights(reason, self._correction_weights.values())

    def estimate(self) -> NDArray[np.float64]:
        """Return the enlargement with the networks' current corrections; none in large volumes."""
        return run_to_end(self._restored(all_views=False))

    def finish(self) -> Generator[str, None, NDArray[np.float64]]:
        """Return the enlargement plus the weighted corrections, consistent with the input."""
        for model, fit in self._fits.items():
            if fit.iteration > 0:
                self._correction_weights[model] = yield from labeled(
                    model.correction_weight(), WEIGHING
                )
        return (yield from self._restored(all_views=True))

    def _restored(self, *, all_views: bool) -> Generator[str, None, NDArray[np.float64]]:
        if not self._is_volume:
            image = yield from self._enlarged(self._image, all_views=all_views)
            return self._scaling.invert(image[0].cpu().numpy())
        is_corrected = all_views or math.prod(self._target) <= WATCHED
        volume = yield from self._deepened(all_views=all_views, is_corrected=is_corrected)
        if self._shapes:
            planes = []
            for plane in volume.unbind(2):
                if is_corrected:
                    planes.append((yield from self._enlarged(plane, all_views=all_views)))
                else:
                    planes.append(resized(plane, self._target[-2:]))
            volume = torch.stack(planes, dim=2)
            operator = self._operator(self._target)
            volume = back_projected(volume, self._image, operator, self._settings.back_projections)
        return self._scaling.invert(volume[0].cpu().numpy())

    def _operator(self, shape: Shape) -> Downsample:
        """Return the downsampling from a shape to that of the image."""
        small = tuple(self._image.shape[2:])
        return Downsample.lanczos(shape, small, device=self._image.device)

    def _started(self, models: list[SuperResolutionModel]) -> list[SuperResolutionModel]:
        """Return the models with a step: those without would only dilute the others."""
        return [model for model in models if self._fits[model].iteration > 0]

    def _enlarged(self, given: Tensor, *, all_views: bool) -> Generator[str, None, Tensor]:
        """Return an enlarged (1, C, Y, X) image."""
        times, image = self._settings.back_projections, given
        for shape in self._shapes:
            models = self._started(self._models[factors_of(shape_of(image), shape)])
            base = enlarged(
                image, Downsample.lanczos(shape, shape_of(image), device=image.device), times
            )
            image = base
            for model in models:
                if all_views:
                    averaging = mean_over_views(model.correction, base)
                    correction = yield from labeled(averaging, AVERAGING)
                else:
                    with torch.no_grad():
                        correction = model.correction(base)
                image = image + self._correction_weights.get(model, 1.0) / len(models) * correction
            whole = Downsample.lanczos(shape, shape_of(given), device=image.device)
            image = back_projected(image, given, whole, times)
        return image

    def _deepened(self, *, all_views: bool, is_corrected: bool) -> Generator[str, None, Tensor]:
        """Return the volume enlarged along Z, (1, C, Z, Y, X)."""
        if not self._along_z:
            return self._image
        times = self._settings.back_projections
        operator = self._operator((self._target[0], *shape_of(self._image)))
        base = enlarged(self._image, operator, times)
        models = self._started(self._along_z) if is_corrected else []
        if not models:
            return base
        volume = base.clone()
        for model in models:
            weight = self._correction_weights.get(model, 1.0) / len(models) / 2
            views = model.views if all_views else model.views[:1]
            for axis in (3, 4):  # sections along X and Z, and along Y and Z
                sections, into = (each[0].movedim(axis - 1, 0) for each in (base, volume))
                count = max(1, SECTIONS // math.prod(sections.shape[-2:]))
                for first in range(0, len(sections), count):
                    part = slice(first, first + count)
                    averaging = mean_over_views(model.correction, sections[part], views)
                    into[part] += weight * (yield from labeled(averaging, AVERAGING))
        return back_projected(volume, self._image, operator, times)

    @classmethod
    def memory(cls, task: Task, settings: SuperResolutionFit) -> float:
        """Return an upper bound; a volume itself takes more than the network's layers."""
        shape = task.result_spatial_shape
        voxels = math.prod(shape) if len(shape) == 3 else 0
        return super().memory(task, settings) + VOXEL_BYTES * task.channels * voxels


def planes_of(volume: Tensor) -> list[Tensor]:
    """Return planes of a (1, C, Z, Y, X) volume at regular distances, each (1, C, Y, X).

    All of them, or as many as have about `MONTAGE` pixels.
    """
    deep = volume.shape[2]
    count = max(1, min(deep, MONTAGE // math.prod(shape_of(volume))))
    chosen = np.linspace(0, deep - 1, count).round().astype(int).tolist()
    return [volume[:, :, plane] for plane in chosen]


def stages(small: Shape, target: Shape) -> list[Shape]:
    """Return the shapes of the stages: doubled while an integer factor is even and above 2."""
    factor, other = factors_of(small, target)
    if factor != other or not factor.is_integer():
        return [target]
    shapes, remaining = [small], int(factor)
    while remaining % 2 == 0 and remaining > 2:
        shapes.append((shapes[-1][0] * 2, shapes[-1][1] * 2))
        remaining //= 2
    return [*shapes[1:], target]


def downsampling_operator(task: SuperResolve, known: Tensor) -> Downsample:
    """Return the forward operator of super-resolution."""
    small = tuple(known.shape[2:])
    return Downsample.lanczos(task.result_spatial_shape, small, device=known.device)
