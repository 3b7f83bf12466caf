"""The task of denoising."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np

from ..task import Task
from .settings import DenoisingFit

if TYPE_CHECKING:
    from ...fitting.settings import Settings

NoiseKind = Literal["auto", "gaussian", "correlated", "poisson", "poisson-gaussian"]
WEAKEST, STRONGEST = 0.25, 4.0
"""Range of `Denoise.strength`."""


@dataclass(frozen=True, eq=False)
class Denoise(Task):
    """Remove the noise from one image.

    Parameters
    ----------
    image : (Y, X) array, or with channels where `channel_axis` says
        Any integer or float dtype, any intensity units. Pixels that are NaN or
        infinite count as unknown and come back restored.
    noise : {"auto", "gaussian", "correlated", "poisson", "poisson-gaussian"}
        The kind of noise. "auto" detects it in the image. "gaussian" is Gaussian noise that is
        independent between pixels, "correlated" is spatially correlated Gaussian noise. "poisson"
        and "poisson-gaussian" are photon noise without and with read noise.
    noise_std : float, optional
        Standard deviation of Gaussian noise, in the image's intensity units;
        None: estimated from the image.
    strength : float
        Denoising strength, 0.25 to 4. 1 removes the noise that was estimated or given. Below 1
        only this fraction of the noise is removed; above 1 the noise is assumed to be that many
        times stronger than estimated.
    channel_axis : int, optional
        The axis of `image` that holds the channels (colors, stains).

    Raises
    ------
    TypeError
        If `image` is not an array of real numbers (boolean arrays included), or an option is
        not a number where it must be.
    ValueError
        If the image is empty, is not 2D, has no finite pixel, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> Denoise(np.ones((8, 9))).result_shape
    (8, 9)
    """

    kind: ClassVar[str] = "denoise"

    _: KW_ONLY
    noise: NoiseKind = "auto"
    noise_std: float | None = None
    strength: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise not in get_args(NoiseKind):
            raise ValueError(
                f"noise={self.noise!r} is unknown; choose one of {', '.join(get_args(NoiseKind))}."
            )
        if self.noise_std is not None:
            _check_noise_std(self.noise_std, self.noise)
            self._set(noise_std=float(self.noise_std))
        self._set(strength=_checked_strength(self.strength))

    def check_settings(self, settings: Settings) -> None:
        """Raise ValueError if a strength is given for the published method."""
        if self.strength != 1 and not isinstance(settings, DenoisingFit):
            raise ValueError(
                f"strength={self.strength:g} is not supported by the published method (preset "
                "paper), which estimates no noise level: use strength=1, or preset fast or best."
            )


def _checked_strength(strength: object) -> float:
    if isinstance(strength, bool) or not isinstance(strength, int | float | np.number):
        raise TypeError(
            f"strength={strength!r} is not a number: use {WEAKEST} to {STRONGEST:g} "
            "(1 removes the estimated noise)."
        )
    if not WEAKEST <= strength <= STRONGEST:
        raise ValueError(
            f"strength={strength!r} is out of range: use {WEAKEST} to {STRONGEST:g} "
            "(1 removes the estimated noise)."
        )
    return float(strength)


def _check_noise_std(noise_std: float, noise: str) -> None:
    if noise not in ("auto", "gaussian", "correlated"):
        raise ValueError(
            f"noise_std applies to Gaussian noise only, not to noise={noise!r}: omit one of them."
        )
    if not math.isfinite(noise_std) or noise_std <= 0:
        raise ValueError(
            f"noise_std={noise_std!r} must be a positive number, in the image's intensity units."
        )
