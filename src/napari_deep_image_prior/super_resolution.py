"""Super-resolution across scales: shrink the image, learn to undo that, then enlarge the image itself.

An untrained network is fitted to correct the classical enlargement of shrunken copies
of the one image, where the truth is known; the correction is then applied to the
enlargement of the image itself. Large factors go in stages of 2 with the same network.
After each stage back-projection makes the enlarged image agree with the small one.
Learning across the scales of one image: Shocher, Cohen, Irani, "Zero-Shot"
Super-Resolution, CVPR 2018, arXiv:1712.06087.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .fit import Fit, Progress, lean_schedule, relative_to, run_to_end, with_trust
from .measurement import Downsample, resized
from .prior import build_network
from .stopping import HeldOutPlateau
from .views import Crops, mean_over_views

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from .arrays import Scaling
    from .settings import CrossScaleFit

Shape = tuple[int, int]
Factors = tuple[float, float]
JUDGED_SCALE = 0.75
"""Scale of the copy that is not learnt from, to judge the network by."""


class CrossScaleModel:
    """The network for one factor, and the pairs of enlarged and true images it is fitted on."""

    def __init__(self, image: Tensor, factors: Factors, settings: CrossScaleFit, seed: int) -> None:
        self._settings = settings
        self.factors = factors
        self._crops = Crops(settings.crop, seed)
        pairs = [self._pair(image, scale) for scale in settings.father_scales]
        self._pairs = [torch.cat(pair, dim=1)[0] for pair in pairs]  # each (2 C, Y, X)
        self._judged = self._pair(image, JUDGED_SCALE)
        self._mean, self._std = image.mean(), image.std(correction=0).clamp_min(1e-6)
        base, true = pairs[0]
        self._error = (base - true).abs().mean() + 1e-6
        channels = image.shape[1]
        self.network = build_network(settings.network, channels, channels, seed, image.device)

    def loss(self) -> Tensor:
        """Return the mean absolute error of some crops.

        The loss is in units of the classical enlargement's typical error; the reported
        misfit is relative to that enlargement's error on the same crops.
        """
        base, true = self._crops.draw(self._pairs, self._settings.batch).chunk(2, dim=1)
        missed = true - base
        loss = (self.correction(base) - missed).abs().mean() / self._error
        self.misfit = loss.detach() / relative_to(missed.abs().mean() / self._error)
        return loss

    def kept(self) -> list[Tensor]:
        """Nothing is kept beside the weights."""
        return []

    def correction(self, base: Tensor) -> Tensor:
        """Return what the network adds to a classical enlargement, (N, C, Y, X)."""
        correction: Tensor = self.network((base - self._mean) / self._std)
        return correction * self._error

    def trust(self) -> Generator[None, None, float]:
        """Return how far to follow the network, 0 to 1: what serves best a copy that it has not seen."""
        base, true = self._judged
        correction = yield from mean_over_views(self.correction, base)
        power = float(correction.square().sum())
        return 0.0 if power == 0 else min(max(float((correction * (true - base)).sum()) / power, 0.0), 1.0)

    def _pair(self, image: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Return a copy of the image, shrunk and classically enlarged again, and that copy itself."""
        copy = image if scale == 1 else _scaled(image, scale)
        small = [max(1, int(size / factor)) for size, factor in zip(copy.shape[-2:], self.factors, strict=True)]
        height, width = (round(size * factor) for size, factor in zip(small, self.factors, strict=True))
        true = copy[..., :height, :width]
        operator = Downsample.lanczos(_shape(true), (small[0], small[1]), device=image.device)
        return enlarged(operator.forward(true), operator, self._settings.back_projections), true


class CrossScaleRestorer:
    """Enlarges a (1, C, Y, X) image to a target shape."""

    def __init__(self, image: Tensor, target: Shape, scaling: Scaling, settings: CrossScaleFit, seed: int) -> None:
        self._image, self._target, self._scaling, self._settings = image, target, scaling, settings
        self._shapes = stages(_shape(image), target)
        factors = [_factors(*pair) for pair in itertools.pairwise([_shape(image), *self._shapes])]
        # one network for each distinct factor, fitted on the image itself; it serves every stage of that factor
        self._models = {each: CrossScaleModel(image, each, settings, seed) for each in dict.fromkeys(factors)}
        self._rules = {each: HeldOutPlateau(settings.patience) for each in self._models}
        schedule = lean_schedule(settings)
        self._fits = [Fit(model, schedule, self._rules[each]) for each, model in self._models.items()]
        self.found = ""
        self._trusts: dict[Factors, float] = {}

    def steps(self) -> Iterator[Progress]:
        """Fit the networks, one step at a time."""
        for fit in self._fits:
            for progress in fit:
                done, total = (sum(getattr(each, name) for each in self._fits) for name in ("iteration", "end"))
                yield Progress(done, total, progress.misfit)

    def run_on(self, iterations: int | None) -> None:
        """Go on with the fits: with those that were not at their end, or else with all."""
        stopped = [fit for fit in self._fits if fit.iteration < fit.end]
        for fit in stopped if stopped and iterations is None else self._fits:
            fit.run_on(iterations)

    @property
    def note(self) -> str:
        """What the stopping rule thinks just now."""
        return next((rule.note for rule in reversed(self._rules.values()) if rule.has_errors), "preparing the fit")

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        return with_trust(next(reversed(self._rules.values())).reason, self._trusts.values())

    def estimate(self) -> NDArray[np.float64]:
        """Return the enlargement as corrected so far."""
        return run_to_end(self._restored(all_views=False))

    def finish(self) -> Generator[None, None, NDArray[np.float64]]:
        """Return the enlargement corrected as far as the networks can be trusted, agreeing with the small image."""
        for factors, model in self._models.items():
            self._trusts[factors] = yield from model.trust()
        return (yield from self._restored(all_views=True))

    def _restored(self, *, all_views: bool) -> Generator[None, None, NDArray[np.float64]]:
        times = self._settings.back_projections
        image = self._image
        for shape in self._shapes:
            factors = _factors(_shape(image), shape)
            model = self._models[factors]
            base = enlarged(image, Downsample.lanczos(shape, _shape(image), device=image.device), times)
            if all_views:
                correction = yield from mean_over_views(model.correction, base)
            else:
                with torch.no_grad():
                    correction = model.correction(base)
            image = base + self._trusts.get(factors, 1.0) * correction
            whole = Downsample.lanczos(shape, _shape(self._image), device=image.device)
            image = back_projected(image, self._image, whole, times)
        return self._scaling.invert(image[0].cpu().numpy())


def stages(small: Shape, target: Shape) -> list[Shape]:
    """Return the shapes on the way to the target: doubled as long as whole factors allow, then the rest at once."""
    factor, other = _factors(small, target)
    if factor != other or not factor.is_integer():
        return [target]
    shapes, remaining = [small], int(factor)
    while remaining % 2 == 0 and remaining > 2:
        shapes.append((shapes[-1][0] * 2, shapes[-1][1] * 2))
        remaining //= 2
    return [*shapes[1:], target]


def enlarged(image: Tensor, operator: Downsample, back_projections: int) -> Tensor:
    """Return the classical enlargement: bicubic, then made to agree with the image."""
    large = resized(image, (operator.rows.shape[1], operator.columns.shape[1]))
    return back_projected(large, image, operator, back_projections)


def back_projected(estimate: Tensor, image: Tensor, operator: Downsample, times: int) -> Tensor:
    """Correct an enlarged image until it shrinks to `image` again (Irani and Peleg, CVGIP 53 (1991) 231)."""
    for _ in range(times):
        estimate = estimate + resized(image - operator.forward(estimate), _shape(estimate))
    return estimate


def _scaled(image: Tensor, scale: float) -> Tensor:
    height, width = (max(2, round(size * scale)) for size in image.shape[-2:])
    return resized(image, (height, width))


def _shape(image: Tensor) -> Shape:
    return image.shape[-2], image.shape[-1]


def _factors(small: Shape, large: Shape) -> Factors:
    return large[0] / small[0], large[1] / small[1]
