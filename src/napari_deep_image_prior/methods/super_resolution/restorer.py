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
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...fitting.augmentation import Crops, mean_over_views
from ...fitting.base import AVERAGING, WEIGHING, Progress
from ...fitting.loop import Fit, relative_to, self_supervised_schedule
from ...fitting.networks import build_network
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
from .settings import SuperResolutionFit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from ...arrays import Scaling
    from ..base import Rehearsal
    from .task import SuperResolve

Shape = tuple[int, ...]
Factors = tuple[float, float]
TILE, HELD_OUT, HELD_OUT_OF_ONE = 24, 0.2, 1 / 3
"""Period of the held-out tiles in pixels, their edge relative to it, and that of a single tile."""


class SuperResolutionModel:
    """A network for one factor, and the pairs of enlarged and true images it is fitted to.

    Parameters
    ----------
    image : (1, C, Y, X) tensor
    factors : (float, float)
        Enlargement along Y and X.
    settings : SuperResolutionFit
    seed : int
    number : int
        Index among the networks for this factor; each has other held-out tiles.
    """

    def __init__(
        self,
        image: Tensor,
        factors: Factors,
        settings: SuperResolutionFit,
        seed: int,
        number: int = 0,
    ) -> None:
        self._settings = settings
        self.factors = factors
        self._shift = number / settings.networks
        if number:
            seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        self._crops = Crops(settings.crop, seed)
        pairs = [self._pair(image, scale) for scale in settings.father_scales]
        self._pairs = [torch.cat(pair, dim=1)[0] for pair in pairs]  # each (2 C + 1, Y, X)
        self._held_out = self._pair(image, 1.0)
        self._mean, self._std = image.mean(), image.std(correction=0).clamp_min(1e-6)
        base, true, _ = pairs[0]
        self._error = (base - true).abs().mean() + 1e-6
        channels = image.shape[1]
        self._parts = (channels, channels, 1)
        self.network = build_network(settings.network, channels, channels, seed, image.device)

    def loss(self) -> Tensor:
        """Return the mean absolute error of random crops outside the held-out tiles.

        It is in units of the typical error of the enlargement. The misfit is the error within the
        held-out tiles relative to that of the enlargement.
        """
        base, true, learned = self._crops.draw(self._pairs, self._settings.batch).split(
            self._parts, dim=1
        )
        target = (true - base) / self._error
        errors = (self.correction(base) / self._error - target).abs()
        self.misfit = _mean(errors.detach(), 1 - learned) / relative_to(
            _mean(target.abs(), 1 - learned)
        )
        return _mean(errors, learned)

    def kept(self) -> list[Tensor]:
        """Return no tensors: the model has no state beside its weights."""
        return []

    def correction(self, base: Tensor) -> Tensor:
        """Return the correction of an enlarged image, (N, C, Y, X)."""
        correction: Tensor = self.network((base - self._mean) / self._std)
        return correction * self._error

    def correction_weight(self) -> Generator[None, None, float]:
        """Return the least-squares weight of the correction in the held-out tiles, 0 to 1."""
        base, true, learned = self._held_out
        correction = (yield from mean_over_views(self.correction, base)) * (1 - learned)
        power = float(correction.square().sum())
        return (
            0.0
            if power == 0
            else min(max(float((correction * (true - base)).sum()) / power, 0.0), 1.0)
        )

    def _pair(self, image: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return an image downsampled and enlarged again, the image itself, and the learned pixels.

        The image is first rescaled by `scale`.
        """
        copy = image if scale == 1 else _scaled(image, scale)
        small = [
            max(1, int(size / factor))
            for size, factor in zip(copy.shape[-2:], self.factors, strict=True)
        ]
        height, width = (
            round(size * factor) for size, factor in zip(small, self.factors, strict=True)
        )
        true, learned = (
            copy[..., :height, :width],
            self._outside_tiles(image, copy)[..., :height, :width],
        )
        operator = Downsample.lanczos(_shape(true), (small[0], small[1]), device=image.device)
        return (
            enlarged(operator.forward(true), operator, self._settings.back_projections),
            true,
            learned,
        )

    def _outside_tiles(self, image: Tensor, copy: Tensor) -> Tensor:
        """Return 0 in the held-out tiles of a rescaled copy of the image, else 1; (1, 1, Y, X).

        The tiles cover the same parts of the image at all scales.
        """
        inside = []
        for size, extent in zip(_shape(image), _shape(copy), strict=True):
            count = max(1, size // TILE)
            place = (torch.arange(extent, device=image.device) + 0.5) / extent * count + self._shift
            inside.append(
                (place % 1 - 0.5).abs() < (HELD_OUT if count > 1 else HELD_OUT_OF_ONE) / 2
            )
        return 1 - (inside[0][:, None] & inside[1]).to(image.dtype)[None, None]


class SuperResolutionRestorer(SelfSupervisedRestorer[SuperResolutionFit]):
    """Enlarges an image to a target shape.

    Parameters
    ----------
    image : (1, C, Y, X) tensor
    target : (int, int)
        (Y, X) shape of the result.
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
        self._shapes = stages(_shape(image), target)
        factors = [_factors(*pair) for pair in itertools.pairwise([_shape(image), *self._shapes])]
        # for each distinct factor; they are applied at every stage of that factor
        self._models = {
            each: [
                SuperResolutionModel(image, each, settings, seed, number)
                for number in range(settings.networks)
            ]
            for each in dict.fromkeys(factors)
        }
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
        """Return the enlargement with the networks' current corrections."""
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
        times = self._settings.back_projections
        image = self._image
        for shape in self._shapes:
            # those without a step would only dilute the others
            models = [
                model
                for model in self._models[_factors(_shape(image), shape)]
                if self._fits[model].iteration > 0
            ]
            base = enlarged(
                image, Downsample.lanczos(shape, _shape(image), device=image.device), times
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
            whole = Downsample.lanczos(shape, _shape(self._image), device=image.device)
            image = back_projected(image, self._image, whole, times)
        return self._scaling.invert(image[0].cpu().numpy())


def stages(small: Shape, target: Shape) -> list[Shape]:
    """Return the shapes of the stages: doubled while an integer factor is even and above 2."""
    factor, other = _factors(small, target)
    if factor != other or not factor.is_integer():
        return [target]
    shapes, remaining = [small], int(factor)
    while remaining % 2 == 0 and remaining > 2:
        shapes.append((shapes[-1][0] * 2, shapes[-1][1] * 2))
        remaining //= 2
    return [*shapes[1:], target]


def enlarged(image: Tensor, operator: Downsample, back_projections: int) -> Tensor:
    """Return the first estimate: bicubic interpolation and back-projection."""
    large = resized(image, (operator.rows.shape[1], operator.columns.shape[1]))
    return back_projected(large, image, operator, back_projections)


def back_projected(estimate: Tensor, image: Tensor, operator: Downsample, times: int) -> Tensor:
    """Make an enlarged image consistent with `image` by iterative back-projection.

    Irani and Peleg, CVGIP 53 (1991) 231.
    """
    for _ in range(times):
        estimate = estimate + resized(image - operator.forward(estimate), _shape(estimate))
    return estimate


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Return the mean of (N, C, Y, X) values where an (N, 1, Y, X) mask is 1."""
    return (values * where).sum() / (where.sum() * values.shape[1]).clamp_min(1)


def _scaled(image: Tensor, scale: float) -> Tensor:
    height, width = (max(2, round(size * scale)) for size in image.shape[-2:])
    return resized(image, (height, width))


def _shape(image: Tensor) -> Shape:
    return image.shape[-2], image.shape[-1]


def _factors(small: Shape, large: Shape) -> Factors:
    return large[0] / small[0], large[1] / small[1]


def downsampling_operator(task: SuperResolve, known: Tensor) -> Downsample:
    """Return the forward operator of super-resolution."""
    return Downsample.lanczos(task.result_spatial_shape, _shape(known), device=known.device)
