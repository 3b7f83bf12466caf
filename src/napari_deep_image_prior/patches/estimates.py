"""Nonlocal estimates of an image: what groups of similar patches tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..generators import mapped, part
from .grids import PLANE
from .low_rank import low_rank
from .nl_ridge import nl_ridge
from .wiener import wiener

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from .grids import PatchGrids
    from .passes import Watch

RIDGE, WIENER = 0.25, 0.08
"""Fractions of the run time of all estimates that these two take, if all three are made."""
LACKING = ("mps",)
"""Devices whose estimates the CPU makes: not every torch has matrix decompositions for them."""
EQUAL = 0.5
"""Share of the second estimate where nothing is known about the errors of both."""


@dataclass(frozen=True)
class NonlocalEstimates:
    """Two estimates of an image with different errors.

    The first is best where the noise is strong, the second where the image has fine structure that
    repeats itself.
    """

    shrunk: Tensor
    """(C, Z, Y, X) estimate of `wiener`, guided by `nl_ridge`."""
    second: Tensor
    """(C, Z, Y, X) estimate of `low_rank`, started from `nl_ridge`; of volumes `nl_ridge` itself,
    whose groups of three-dimensional patches `low_rank` does not improve."""

    def mixed(self, share: float = EQUAL) -> Tensor:
        """Return the weighted mean, with a share from 0 to 1 of the second."""
        return self.shrunk.lerp(self.second, share)


def nonlocal_estimates(
    noisy: Tensor,
    overestimation: float,
    variance: Tensor,
    variance_gain: Tensor,
    watch: Watch | None = None,
    grids: PatchGrids = PLANE,
) -> Generator[float, None, NonlocalEstimates]:
    """Denoise an image with noise of standard deviation 1; parameters as of `nl_ridge`.

    Yields
    ------
    float
        The fraction done.
    """
    device = noisy.device
    if device.type in LACKING:
        noisy, variance, variance_gain = noisy.cpu(), variance.cpu(), variance_gain.cpu()
    scale = 1.0 if grids.low_rank else 1 / (RIDGE + WIENER)
    guide = yield from mapped(
        nl_ridge(noisy, overestimation, variance, variance_gain, watch, grids.ridge),
        part(0, RIDGE * scale),
    )

    def watch_next(of_part: Tensor) -> None:
        if watch is not None:
            watch(lambda: of_part)

    watch_next(guide)
    shrunk = yield from mapped(
        wiener(noisy, guide, variance, grids.wiener, grids.wiener_group),
        part(RIDGE * scale, (RIDGE + WIENER) * scale),
    )
    watch_next(shrunk)
    if grids.low_rank is None:
        return NonlocalEstimates(shrunk.to(device), guide.to(device))
    approximated = yield from mapped(
        low_rank(noisy, guide, variance, grids.low_rank), part(RIDGE + WIENER, 1)
    )
    return NonlocalEstimates(shrunk.to(device), approximated.to(device))
