"""The task of deconvolution."""

from __future__ import annotations

import argparse
import math
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

import numpy as np

from ...arrays import channels_back, channels_first
from ..task import Task
from .optics import Microscope, microscope_psf
from .psf import checked_psf, cropped, gaussian_psf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from ...fitting.settings import Settings

NoiseKind = Literal["auto", "gaussian", "poisson", "poisson-gaussian"]
LARGEST_PSF = (33, 129, 129)
"""Largest shape of a PSF computed from optics, in pixels."""
OPTICS = ("na", "wavelength", "refractive_index", "sample_index")


@dataclass(frozen=True, eq=False)
class Deconvolve(Task):
    """Remove the blur of a known point spread function (PSF) from one image or volume.

    Parameters
    ----------
    image : (Y, X) or (Z, Y, X) array, or with channels where `channel_axis` says
        Any integer or float dtype. Unknown pixels (NaN, infinite, masked, no data) are filled in.
    psf : array, or standard deviations in pixels
        An array with the image's axes and pixels, not larger than the image, of any odd or even
        shape; it is centered and its sum is made 1. One number, or one for each axis, is for a
        Gaussian. It can also be given by `psf_sigma`, or by the microscope: `na`, `wavelength` and
        `refractive_index`.
    psf_sigma : float, or one for each axis, optional
        Standard deviations of a Gaussian PSF, in pixels.
    na, wavelength, refractive_index, sample_index : float, optional
        Optics, as of `microscope_psf`: numerical aperture, wavelength in nanometers, refractive
        indices of the immersion and of the sample. They need `spacing`.
    depth : float
        Depth below the cover slip, in micrometers.
    microscope : {"widefield", "confocal"}
    background : float
        Intensity of the image without light. The result does not fall below it.
    noise : {"auto", "gaussian", "poisson", "poisson-gaussian"}
        The kind of noise; "auto" detects it in the image.
    spacing : (float, float) or (float, float, float), optional
        Size of a pixel along (Z,) Y and X, in micrometers.
    channel_axis : int, optional
        The axis of `image` that holds the channels.

    Raises
    ------
    TypeError, ValueError
        If the image or the PSF cannot be used, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> Deconvolve(np.ones((32, 32)), psf=1.5).psf.shape
    (13, 13)
    """

    kind: ClassVar[str] = "deconvolve"
    volumes: ClassVar[bool] = True
    needs_micrometers: ClassVar[bool] = True
    operator: ClassVar[str] = (
        "napari_deep_image_prior.methods.deconvolution.restorer:blurring_operator"
    )

    _: KW_ONLY
    psf: ArrayLike | None = None
    psf_sigma: float | Sequence[float] | None = None
    na: float | None = None
    wavelength: float | None = None
    refractive_index: float | None = None
    sample_index: float | None = None
    depth: float = 0.0
    microscope: Microscope = "widefield"
    background: float = 0.0
    noise: NoiseKind = "auto"
    spacing: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise not in get_args(NoiseKind):
            raise ValueError(
                f"noise={self.noise!r} is unknown; choose one of {', '.join(get_args(NoiseKind))}."
            )
        if isinstance(self.background, bool) or not isinstance(
            self.background, int | float | np.number
        ):
            raise TypeError(f"background={self.background!r} must be a number.")
        if not math.isfinite(self.background):
            raise ValueError(f"background={self.background!r} must be finite.")
        if self.spacing is not None:
            self._set(spacing=self._checked_spacing())
        psf, notes = checked_psf(self._given_psf(), self.spatial_shape)
        psf.flags.writeable = False
        # the array stands for what it was made from, also in records
        self._set(psf=psf, psf_sigma=None, **dict.fromkeys(OPTICS), _notes="; ".join(notes))

    def _given_psf(self) -> ArrayLike:
        """Return the PSF from the one way in which it is given."""
        ways = {"psf": self.psf, "psf_sigma": self.psf_sigma, "na": self.na}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"the PSF is given by {' and '.join(given) or 'nothing'}: give one of psf, "
                "psf_sigma, or na with wavelength and refractive_index."
            )
        if self.na is not None:
            return self._of_optics()
        given_psf: Any = self.psf if self.psf is not None else self.psf_sigma
        if np.ndim(given_psf) > 1:
            return np.asarray(given_psf)
        count = len(self.spatial_shape)
        sizes = np.atleast_1d(np.asarray(given_psf))
        wanted = np.repeat(sizes, count) if sizes.size == 1 else sizes
        if wanted.size != count:
            raise ValueError(
                f"psf={given_psf!r} has {wanted.size} numbers, but the image has {count} axes: "
                "give one number, or one for each axis."
            )
        return cropped(gaussian_psf(wanted.tolist()), self.spatial_shape)

    def _of_optics(self) -> NDArray[np.float64]:
        if self.wavelength is None or self.refractive_index is None:
            raise ValueError("na needs wavelength (nanometers) and refractive_index as well.")
        if self.spacing is None:
            raise ValueError(
                "the PSF of optics needs the size of a pixel in micrometers: give spacing."
            )
        shape = [
            min(size - 1 + size % 2, most)
            for size, most in zip(
                self.spatial_shape, LARGEST_PSF[-len(self.spatial_shape) :], strict=True
            )
        ]
        return microscope_psf(
            na=float(self.na or 0),
            wavelength=self.wavelength,
            refractive_index=self.refractive_index,
            sample_index=self.sample_index,
            depth=self.depth,
            spacing=self.spacing,
            shape=shape,
            kind=self.microscope,
        )

    def _checked_spacing(self) -> tuple[float, ...]:
        try:
            values = tuple(float(value) for value in self.spacing or ())
        except (TypeError, ValueError) as error:
            raise TypeError(f"spacing={self.spacing!r} must be numbers, in micrometers.") from error
        if len(values) != len(self.spatial_shape) or not all(0 < v < math.inf for v in values):
            raise ValueError(
                f"spacing={self.spacing!r} must be positive numbers, one for each of the "
                f"{len(self.spatial_shape)} axes of the image, in micrometers."
            )
        return values

    @property
    def kernel(self) -> NDArray[np.float64]:
        """The PSF: centered, of odd shape, with the sum 1."""
        return np.asarray(self.psf)

    @property
    def operator_size(self) -> tuple[int, ...]:
        """Shape of the PSF."""
        return self.kernel.shape

    @property
    def detected(self) -> str:
        """What was changed in the PSF, and the share of pixels without data."""
        return "; ".join(filter(None, [super().detected, getattr(self, "_notes", "")]))

    @property
    def caution(self) -> str:
        """What was changed in the PSF, and the share of pixels without data."""
        return "; ".join(filter(None, [super().caution, getattr(self, "_notes", "")]))

    def check_settings(self, settings: Settings) -> None:
        """Raise ValueError if a volume is given to the published method."""
        from .settings import DeconvolutionFit

        if len(self.spatial_shape) == 3 and not isinstance(settings, DeconvolutionFit):
            raise ValueError(
                "the published prior (preset paper) restores planes only: use preset fast or best "
                "for a volume."
            )

    def _measured(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Blur a result."""
        from scipy.signal import fftconvolve

        margins = [(size // 2, size // 2) for size in self.kernel.shape]
        blurred = [
            fftconvolve(np.pad(channel, margins, mode="edge"), self.kernel, "valid")
            for channel in channels_first(image, self.channel_axis)
        ]
        measured: NDArray[np.float64] = channels_back(np.stack(blurred), self.channel_axis)
        return measured

    def rehearsal(self, edge: int) -> Self:
        """Return the same task for a central part of the image, with as much of the PSF."""
        part = self._middle(edge)
        channels = channels_first(part["image"], self.channel_axis)
        return replace(self, **part, psf=cropped(self.kernel, channels.shape[1:]))


def psf_file(text: str) -> NDArray[Any]:
    """Return the PSF in a file: TIFF or npy."""
    path = Path(text)
    try:
        if path.suffix.lower() == ".npy":
            found: NDArray[Any] = np.load(path, allow_pickle=False)
            return found
        import tifffile

        found = tifffile.imread(path)
    except Exception as error:  # of the format
        raise argparse.ArgumentTypeError(
            f"{text}: cannot be read as a TIFF or npy file; use psf-sigma for numbers."
        ) from error
    return found.squeeze()


def sigmas(text: str) -> tuple[float, ...]:
    """Parse one number, or several with commas between them."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text}: numbers are expected, such as 2 or 1.5,2,2."
        ) from error
