"""The pixels that the parts of a denoising process, from which its time is predicted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...fitting.augmentation import VIEWS
from ...fitting.base import AVERAGING, FIRST_ESTIMATE, FITTING
from ...generators import mapped

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from ...fitting.loop import Fit
    from ...patches.estimates import NonlocalEstimates
    from ..base import Rehearsal, Work
    from .settings import DenoisingFit

PAIRS = 2
"""Recorrupted pairs from which the weights are computed."""
REGION_PLANES = 8
"""Planes of the re-noised and recorrupted parts of a volume."""
PARTS = 20
"""Steps reported for a nonlocal estimate."""
VIEWS_OF_A_STEP = 3
"""Run time of a step of the fit, relative to the network's output for the same pixels."""


class Workload:
    """The pixels processed so far, and those to be processed.

    Parameters
    ----------
    settings : DenoisingFit
    shape : tuple of int
        (Z, Y, X) of the image.
    regions : int
        Parts of the image that are estimated.
    """

    def __init__(self, settings: DenoisingFit, shape: tuple[int, ...], regions: int) -> None:
        self._settings, self._regions = settings, regions
        self.pixels = math.prod(shape)
        self._region = region_pixels(settings, shape)
        self._estimated = self._averaged = 0.0

    @property
    def _to_estimate(self) -> float:
        """Pixels of all nonlocal estimates."""
        return float(self.pixels + self._regions * self._region)

    @property
    def estimated(self) -> float:
        """The fraction of the nonlocal estimates that is done."""
        return min(self._estimated / self._to_estimate, 1.0)

    def of(self, fit: Fit, *, is_finishing: bool) -> Work:
        """Return pixels of nonlocal estimates, and steps of the fit with the averaging of views."""
        settings = self._settings
        step = VIEWS_OF_A_STEP * settings.batch * min(settings.crop**2, self._region)
        averaging = VIEWS * (self.pixels + PAIRS * self._region) / step
        steps_left = 0 if is_finishing else fit.end - fit.iteration
        averaged = self._averaged / step
        return {
            FIRST_ESTIMATE: (self._estimated, max(self._to_estimate - self._estimated, 0.0)),
            FITTING: (fit.iteration + averaged, steps_left + max(averaging - averaged, 0.0)),
        }

    def counted(
        self, working: Generator[float, None, NonlocalEstimates], regions: int | None
    ) -> Generator[float, None, NonlocalEstimates]:
        """Count the pixels of nonlocal estimates while they are made.

        regions: those of parts of the image made before; None while the whole image is estimated.
        """
        pixels, before = float(self.pixels), 0.0
        if regions is not None:  # those that were left unfinished do not count
            before, pixels = pixels + regions * self._region, float(self._region)

        def count(fraction: float) -> float:
            self._estimated = before + fraction * pixels
            return fraction

        estimates = yield from mapped(working, count)
        count(1.0)
        return estimates

    def counted_views(
        self, working: Generator[None, None, Tensor], image: Tensor
    ) -> Generator[str, None, Tensor]:
        """Count the pixels of the views of the planes of an image while a network corrects them."""
        pixels = math.prod(image.shape[-2:])

        def count(_value: None) -> str:
            self._averaged += pixels
            return AVERAGING

        return (yield from mapped(working, count))


def predicted_seconds(
    settings: DenoisingFit, rehearsal: Rehearsal, whole: tuple[int, ...]
) -> float:
    """Predict the seconds for the nonlocal estimates, the fit, and the averaging over views."""
    region, region_of_piece = (region_pixels(settings, shape) for shape in (whole, rehearsal.piece))
    pixels, pixels_of_piece = math.prod(whole), math.prod(rehearsal.piece)
    # of the first pair, as the first estimate includes the setup
    estimate = (rehearsal.reached[2 * PARTS] - rehearsal.reached[PARTS]) / region_of_piece
    estimates = estimate * (pixels + (PAIRS + draws_of(settings)) * region)
    averaging = rehearsal.finish / (pixels_of_piece + PAIRS * region_of_piece)
    averagings = averaging * (pixels + PAIRS * region)
    return rehearsal.steps * rehearsal.step + estimates + averagings


def region_pixels(settings: DenoisingFit, shape: tuple[int, ...]) -> int:
    """Return the pixels of the re-noised parts of an image of shape (Y, X) or (Z, Y, X)."""
    return min(math.prod(shape[:-2]), REGION_PLANES) * min(settings.region, *shape[-2:]) ** 2


def draws_of(settings: DenoisingFit) -> int:
    """Return the number of re-noised parts of the image: for the fit, and one held out."""
    return settings.draws + 1
