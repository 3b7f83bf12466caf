"""The task of denoising."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from ...arrays import channels_back, channels_first
from ..task import Task
from ..validation import checked_spacing
from .settings import DenoisingFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...fitting.settings import Settings

NoiseKind = Literal["auto", "gaussian", "correlated", "poisson", "poisson-gaussian"]
Outliers = Literal["keep", "fill"]
WEAKEST, STRONGEST = 0.25, 4.0
"""Range of `Denoise.strength`."""


@dataclass(frozen=True, eq=False)
class Denoise(Task):
    """Remove the noise from one image or volume.

    Parameters
    ----------
    image : (Y, X) or (Z, Y, X) array, or with channels where `channel_axis` says
        Any integer or float dtype, any intensity units. Unknown pixels are filled in:
        NaN, infinite, hidden by a masked array, or with a value that means "no data".
    noise : {"auto", "gaussian", "correlated", "poisson", "poisson-gaussian"}
        The kind of noise. "auto" detects it in the image, and removes and reports offsets that all
        pixels of a row or a column share (stripes). "gaussian" is Gaussian noise that is
        independent between pixels, "correlated" is spatially correlated Gaussian noise. "poisson"
        and "poisson-gaussian" are photon noise without and with read noise.
    noise_std : float, optional
        Standard deviation of Gaussian noise, in the image's intensity units;
        None: estimated from the image. At most the range of the image's intensities is assumed.
    strength : float
        Denoising strength, 0.25 to 4. 1 removes the noise that was estimated or given. Below 1
        only this fraction of the noise is removed; above 1 the noise is assumed to be that many
        times stronger than estimated.
    outliers : {"keep", "fill"}
        What becomes of pixels that deviate from their neighbors far beyond the noise: hot and dead
        pixels, cosmic rays, but also single bright points of the specimen. "fill" treats them as
        unknown. More than about 4 % of a channel are not detected reliably. The noise estimate
        leaves them out in any case.
    spacing : (float, float, float), optional
        Distances of a volume's voxels along Z, Y and X, all in the same unit, such as micrometers.
        None: voxels are assumed to be cubes.
    channel_axis : int, optional
        The axis of `image` that holds the channels (colors, stains).

    Raises
    ------
    TypeError
        If `image` is not an array of real numbers (boolean arrays included), or an option is
        not a number where it must be.
    ValueError
        If the image is empty, is neither (Y, X) nor (Z, Y, X), has no finite pixel, or an option is
        out of range.

    Examples
    --------
    >>> import numpy as np
    >>> Denoise(np.ones((8, 9))).result_shape
    (8, 9)
    """

    kind: ClassVar[str] = "denoise"
    volumes: ClassVar[bool] = True

    _: KW_ONLY
    noise: NoiseKind = "auto"
    noise_std: float | None = None
    strength: float = 1.0
    outliers: Outliers = "keep"
    spacing: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise not in get_args(NoiseKind):
            raise ValueError(
                f"noise={self.noise!r} is unknown; choose one of {', '.join(get_args(NoiseKind))}."
            )
        if self.outliers not in get_args(Outliers):
            raise ValueError(
                f"outliers={self.outliers!r} is unknown; choose one of "
                f"{', '.join(get_args(Outliers))}."
            )
        if self.noise_std is not None:
            _check_noise_std(self.noise_std, self.noise)
            self._set(noise_std=float(self.noise_std))
        self._set(strength=_checked_strength(self.strength))
        if self.spacing is not None:
            self._set(spacing=checked_spacing(self.spacing, self.spatial_shape))

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Mask of the unknown pixels, and of outliers that are filled."""
        unknown = super().unknown
        return unknown | self._outlying if self.outliers == "fill" else unknown

    @cached_property
    def _outlying(self) -> NDArray[np.bool_]:
        """Mask of the outliers of each channel, in the image's shape."""
        from ...noise.outliers import outlying_pixels

        image = channels_first(np.asarray(self.image), self.channel_axis)
        known = ~channels_first(super().unknown, self.channel_axis)
        return channels_back(outlying_pixels(image, known), self.channel_axis)

    @property
    def caution(self) -> str:
        """Whether the given noise level exceeds the range of the image, as in other units."""
        if self.noise_std is None:
            return super().caution
        known = np.asarray(self.image)[~super().unknown].astype(np.float64)
        span = float(np.ptp(known))
        excess = (
            f"the given noise level, {self.noise_std:g}, exceeds the range of the intensities, "
            f"{span:g}: give it in the units of the image"
        )
        is_large = self.noise_std > span > 0
        return "; ".join(filter(None, [super().caution, excess if is_large else ""]))

    @property
    def detected(self) -> str:
        """The shares of pixels without data and of outliers that are filled."""
        detected = super().detected
        if self.outliers == "keep":
            return detected
        from ...noise.outliers import share_of

        filled = share_of(self._outlying, "filled") or "no outlying pixels to fill"
        return "; ".join(filter(None, [detected, filled]))

    def _described_options(self) -> dict[str, Any]:
        described = super()._described_options()
        if self.outliers == "keep":  # as in records of versions without this option
            del described["outliers"]
        if self.spacing is None:  # likewise
            del described["spacing"]
        return described

    def check_settings(self, settings: Settings) -> None:
        """Raise ValueError if a strength is given to the published method."""
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
