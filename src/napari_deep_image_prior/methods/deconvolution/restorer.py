"""Deconvolution by alternating the equation of the data with nonlocal denoising.

    x = argmin  sum of (y - A x)^2 / variance  +  coupling / s^2 |x - z|^2,
    z = x, denoised as if it had noise of standard deviation s,

with s falling from a fraction of the image's range to the noise level (half-quadratic splitting,
Geman and Yang, IEEE Trans. Image Process. 4 (1995) 932; with a denoiser in place of a penalty:
Venkatakrishnan, Bouman, Wohlberg, "Plug-and-play priors", GlobalSIP 2013). The variance follows the
noise model and the current estimate. The coupling is the one that best predicts pixels that were
hidden in a part of the image, so that a wrong noise level does less harm. Unknown pixels have no
weight, and the specimen extends beyond the image by the reach of the PSF, so that nothing wraps.
The denoiser is the Wiener shrinkage of groups of similar patches, guided by the previous z.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...arrays import montage
from ...fitting.base import FIRST_ESTIMATE, NOISE, Progress
from ...noise.estimation import estimate_noise
from ...operators import Blur
from ...patches.grids import grids_for
from ...patches.wiener import wiener
from ..base import Restorer, image_and_known, scaled_and_filled
from .settings import DeconvolutionFit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from numpy.typing import NDArray

    from ...noise.model import NoiseModel
    from ..base import Rehearsal, Work
    from ..task import Task
    from .task import Deconvolve

GROUP = 16
"""Patches in a group; fewer than in denoising, as the guide is good from the second pass on."""
HIDDEN = 0.1
"""Share of the pixels that are hidden to choose the coupling."""
PLANES = 16
"""Planes of the part of a volume in which they are hidden."""
FEWEST_PHOTONS = 0.5
"""Photons whose variance a pixel has at least."""
TOLERANCE = 1e-4
"""Residual of the conjugate gradients at which they end, relative to the right side."""
VOXEL_BYTES = 400
"""Memory for each pixel of the specimen and channel."""


def blurring_operator(task: Deconvolve, known: Tensor) -> Blur:
    """Return the forward operator of deconvolution."""
    return Blur.by(task.kernel, task.spatial_shape, extends=True, device=known.device)


class DeconvolutionRestorer(Restorer[DeconvolutionFit]):
    """Deconvolves an image.

    Parameters
    ----------
    image : (C, Y, X) or (C, Z, Y, X) float array
        In intensity units; filled in where it is not `known`.
    known : bool array of the same shape
    task : Deconvolve
    settings : DeconvolutionFit
    device : torch.device
    """

    @classmethod
    def for_task(
        cls,
        task: Deconvolve,
        settings: DeconvolutionFit,
        device: torch.device,
        seed: int,  # noqa: ARG003  (nothing is random)
    ) -> DeconvolutionRestorer:
        """Return the restorer of a task."""
        image, known = image_and_known(task)
        scaling, filled = scaled_and_filled(task, device)
        intensities = np.where(known, image, scaling.invert(filled[0].cpu().numpy()))
        return cls(intensities, known, task, settings, device)

    def __init__(
        self,
        image: NDArray[np.float64],
        known: NDArray[np.bool_],
        task: Deconvolve,
        settings: DeconvolutionFit,
        device: torch.device,
    ) -> None:
        self._settings, self._device = settings, device
        self._background, self._noise = float(task.background), task.noise
        self._known = torch.from_numpy(known.astype(np.float32)).to(device)
        # relative to the background, where float32 is finest
        self._image = torch.from_numpy((image - self._background).astype(np.float32)).to(device)
        self._psf = task.kernel
        self._blur = Blur.by(task.kernel, image.shape[1:], device=device)
        spacing = task.spacing if image.ndim == 4 else None
        self._grid = grids_for(image.shape[1:], spacing).wiener
        self._done = 0
        self._current = self._image
        self._plan: list[_Channel] = []
        self._couplings: list[float] = []

    def steps(self) -> Iterator[Progress]:
        """Find the noise and the coupling, then alternate the equation and the denoising."""
        total = self._settings.iterations
        for fraction in self._begin():
            yield Progress(1, total, None, NOISE, fraction, False)
        working = [
            self._alternating(channel, coupling)
            for channel, coupling in zip(self._plan, self._couplings, strict=True)
        ]
        for number in range(total):
            specimens = []
            for index, channel in enumerate(working):
                for found in channel:
                    if isinstance(found, Tensor):
                        specimens.append(found[self._blur.window])
                        break
                    inner = (number + (index + found) / len(working)) / total
                    yield Progress(max(number, 1), total, None, FIRST_ESTIMATE, inner, False)
            self._done = number + 1
            self._current = torch.stack(specimens)
            yield Progress(number + 1, total, None, FIRST_ESTIMATE, (number + 1) / total)

    def work(self, progress: Progress) -> Work:
        """Return the work done and left: of the choice of the coupling, and alternations."""
        total = progress.total
        if progress.stage == NOISE:
            chosen = progress.fraction
            return {NOISE: (chosen, 1 - chosen), FIRST_ESTIMATE: (0.0, float(total))}
        return {FIRST_ESTIMATE: (progress.fraction * total, (1 - progress.fraction) * total)}

    def _alternating(self, channel: _Channel, coupling: float) -> Iterator[Tensor | float]:
        """Yield the specimen after each alternation, and the fraction of one that is done."""
        specimen = channel.start()
        for number in range(self._settings.iterations):
            level = channel.level(number, self._settings)
            nearest = channel.solved(specimen, coupling / level**2, self._settings.gradients)
            planes = (1, *(1,) * (3 - nearest.ndim), *nearest.shape)
            guide = specimen if number else nearest
            scaled, reference = (each.reshape(planes) / level for each in (nearest, guide))
            unit = torch.ones_like(scaled)
            shrunk = yield from wiener(scaled, reference, unit, self._grid, GROUP)
            specimen = shrunk.reshape(nearest.shape) * level
            yield specimen

    def _begin(self) -> Iterator[float]:
        """Find the noise and the coupling of each channel."""
        if self._plan:
            return
        yield 0.0
        images = self._image.cpu().numpy().astype(np.float64)
        knowns = self._known.cpu().numpy() > 0
        models, couplings = [], []
        for index, (image, known) in enumerate(zip(images, knowns, strict=True)):
            planes = (1, math.prod(image.shape[:-2]), *image.shape[-2:])
            seen, valid = (montage(each.reshape(planes))[0] for each in (image, known))
            models.append(estimate_noise(seen, self._noise, None, valid))
            couplings.append((yield from self._chosen(index, models[-1])))
        texts = [
            f"{model.describe()}; coupling {coupling:g}"
            for model, coupling in zip(models, couplings, strict=True)
        ]
        self.noise_summary = texts[0] if len(set(texts)) == 1 else "; ".join(texts)
        self._couplings = couplings
        self._plan = [
            _Channel(self._blur, observed, known, model)
            for observed, known, model in zip(self._image, self._known, models, strict=True)
        ]

    def _chosen(self, channel: int, model: NoiseModel) -> Generator[float, None, float]:
        """Return the coupling that best predicts hidden pixels of the middle of a channel."""
        couplings = self._settings.couplings
        if len(couplings) == 1:
            return couplings[0]
        edges = _part_shape(self._settings, tuple(self._image.shape[1:]))
        middle = tuple(
            slice((size - edge) // 2, (size - edge) // 2 + edge)
            for size, edge in zip(self._image.shape[1:], edges, strict=True)
        )
        observed, known = self._image[channel][middle], self._known[channel][middle]
        drawn = torch.rand(known.shape, generator=torch.Generator().manual_seed(0)) < HIDDEN
        hidden = known * drawn.to(known)
        blur = Blur.by(self._psf, tuple(observed.shape), device=self._device)
        errors = []
        for number, coupling in enumerate(couplings):
            part = _Channel(blur, observed, known - hidden, model)
            specimen, made = observed, 0
            for found in self._alternating(part, coupling):
                if isinstance(found, Tensor):
                    specimen, made = found, made + 1
                else:
                    alternations = self._settings.iterations
                    yield (number + (made + found) / alternations) / len(couplings)
            excess = (blur.forward(specimen) - observed).square() * hidden
            errors.append(float((excess / part.variance(blur.forward(specimen))).sum()))
        return couplings[int(np.argmin(errors))]

    @property
    def note(self) -> str:
        """The noise model."""
        return self.noise_summary

    @property
    def stop_reason(self) -> str:
        """Why the steps ended."""
        return f"all {self._done} alternations done"

    def estimate(self) -> NDArray[np.float64]:
        """Return the current estimate, not below the background, with the flux of the image."""
        current = self._current.cpu().numpy().astype(np.float64)
        image = self._image.cpu().numpy().astype(np.float64)
        known = self._known.cpu().numpy() > 0
        positive = current.clip(0) if self._done else current
        factors = np.ones(len(positive))
        for index, valid in enumerate(known):
            flux, wanted = (float(each[index][valid].sum()) for each in (positive, image))
            if self._done and flux > 0 and wanted > 0:
                factors[index] = wanted / flux
        return positive * factors.reshape(-1, *(1,) * (positive.ndim - 1)) + self._background

    def finish(self) -> Generator[None, None, NDArray[np.float64]]:
        """Return the estimate."""
        yield from ()
        return self.estimate()

    @classmethod
    def pixels(cls, settings: DeconvolutionFit, shape: tuple[int, ...]) -> int:  # noqa: ARG003
        """Return the number of pixels of the result."""
        return math.prod(shape)

    @classmethod
    def seconds(
        cls, settings: DeconvolutionFit, rehearsal: Rehearsal, whole: tuple[int, ...]
    ) -> float:
        """Predict the seconds: for each coupling a part is restored, then the whole."""
        couplings = len(settings.couplings) if len(settings.couplings) > 1 else 0
        of_piece = _part_pixels(settings, rehearsal.piece) / math.prod(rehearsal.piece)
        of_whole = _part_pixels(settings, whole) / math.prod(rehearsal.piece)
        once = rehearsal.step / (1 + couplings * of_piece)
        return once * (rehearsal.ratio + couplings * of_whole)

    @classmethod
    def memory(cls, task: Task, settings: DeconvolutionFit) -> float:  # noqa: ARG003
        """Return an upper bound."""
        return VOXEL_BYTES * task.channels * 2.0 * math.prod(task.spatial_shape)


def _part_shape(settings: DeconvolutionFit, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the part in which pixels are hidden."""
    edges = (PLANES, settings.part, settings.part)[-len(shape) :]
    return tuple(map(min, edges, shape))


def _part_pixels(settings: DeconvolutionFit, shape: tuple[int, ...]) -> int:
    return math.prod(_part_shape(settings, shape))


class _Channel:
    """The equation of one channel's data."""

    def __init__(self, blur: Blur, observed: Tensor, known: Tensor, model: NoiseModel) -> None:
        self._blur, self._observed, self._known, self._model = blur, observed, known, model
        self._power = blur.transfer.abs().square()
        low, high = np.percentile(observed.cpu().numpy(), [1, 99])
        self._range = float(high - low)
        variance = self.variance(observed)
        self._std = float((variance * known).sum() / known.sum()) ** 0.5
        self._has_estimate = False

    def level(self, number: int, settings: DeconvolutionFit) -> float:
        """Return the noise level of a denoising."""
        first = max(settings.start * self._range, 2 * self._std)
        fraction = number / max(settings.iterations - 1, 1)
        return float(first ** (1 - fraction) * self._std**fraction)

    def start(self) -> Tensor:
        """Return the image, extended by its border pixels."""
        return self._blur.extended(self._observed)

    def solved(self, denoised: Tensor, coupling: float, steps: int) -> Tensor:
        """Return the solution of the data's equation near a denoised specimen."""
        blur = self._blur
        expected = blur.forward(denoised) if self._has_estimate else self._observed
        self._has_estimate = True
        weights = self._known / self.variance(expected)
        spectrum = float(weights.mean()) * self._power + coupling

        def normal(image: Tensor) -> Tensor:
            return blur.adjoint(weights * blur.forward(image)) + coupling * image

        def preconditioned(image: Tensor) -> Tensor:
            return blur.filtered(image, 1 / spectrum)

        right = blur.adjoint(weights * self._observed) + coupling * denoised
        return _conjugate_gradients(normal, right, denoised, preconditioned, steps)

    def variance(self, expected: Tensor) -> Tensor:
        """Return the noise variance of expected intensities."""
        if self._model.photon is None:
            return torch.full_like(expected, self._model.std**2)
        gain, offset = self._model.photon
        return (gain * expected + offset).clamp_min(FEWEST_PHOTONS * gain**2)


def _conjugate_gradients(
    normal: Callable[[Tensor], Tensor],
    right: Tensor,
    start: Tensor,
    preconditioned: Callable[[Tensor], Tensor],
    steps: int,
) -> Tensor:
    """Solve normal(x) = right approximately."""
    solution, residual = start, right - normal(start)
    step = preconditioned(residual)
    product = (residual * step).sum()
    wanted = TOLERANCE**2 * float(right.square().sum())
    direction = step
    for _ in range(steps):
        if float(residual.square().sum()) <= wanted:
            break
        applied = normal(direction)
        length = product / (direction * applied).sum()
        solution, residual = solution + length * direction, residual - length * applied
        step = preconditioned(residual)
        product, before = (residual * step).sum(), product
        direction = step + product / before * direction
    return solution
