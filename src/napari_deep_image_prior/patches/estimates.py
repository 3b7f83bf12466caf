"""Nonlocal estimates of an image: what groups of similar patches tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..generators import mapped, part
from .low_rank import low_rank
from .nl_ridge import nl_ridge
from .wiener import wiener

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from .passes import Watch

RIDGE, WIENER = 0.25, 0.08
"""Fractions of the run time of all estimates that these two take."""
LACKING = ("mps",)
"""Devices whose estimates the CPU makes: not every torch has matrix decompositions for them."""
EQUAL = 0.5
"""Share of the low-rank estimate where nothing is known about the errors of both."""


@dataclass(frozen=True)
class NonlocalEstimates:
    """Two estimates of an image with different errors; both are guided by a third, `nl_ridge`.

    The first is best where the noise is strong, the second where the image has fine structure that
    repeats itself.
    """

    shrunk: Tensor
    """(C, Y, X) estimate of `wiener`."""
    low_rank: Tensor
    """(C, Y, X) estimate of `low_rank`."""

    def mixed(self, share: float = EQUAL) -> Tensor:
        """Return the weighted mean, with a share from 0 to 1 of the low-rank estimate."""
        return self.shrunk.lerp(self.low_rank, share)


def nonlocal_estimates(
    noisy: Tensor,
    overestimation: float,
    variance: Tensor,
    variance_gain: Tensor,
    watch: Watch | None = None,
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
    guide = yield from mapped(
        nl_ridge(noisy, overestimation, variance, variance_gain, watch), part(0, RIDGE)
    )

    def watch_next(of_part: Tensor) -> None:
        if watch is not None:
            watch(lambda: of_part)

    watch_next(guide)
    shrunk = yield from mapped(wiener(noisy, guide, variance), part(RIDGE, RIDGE + WIENER))
    watch_next(shrunk)
    approximated = yield from mapped(low_rank(noisy, guide, variance), part(RIDGE + WIENER, 1))
    return NonlocalEstimates(shrunk.to(device), approximated.to(device))
