"""Point spread functions (PSFs): Gaussian, measured, or given as an array."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

REACH = 4.0
"""Half width of a Gaussian PSF, in standard deviations."""
UNNORMALIZED = 1e-3
"""Smallest deviation of a PSF's sum from 1 that is reported."""
BEAD_CONTRAST = 0.3
"""Smallest peak of a bead, relative to that of the brightest one."""


def gaussian_psf(sigma: float | Sequence[float]) -> NDArray[np.float64]:
    """Return a Gaussian point spread function.

    Parameters
    ----------
    sigma : float, or one for each axis
        Standard deviations in pixels, above 0, in the order (Y, X) or (Z, Y, X). One number is for
        both axes of a plane.

    Returns
    -------
    float array
        Its shape is odd, and its sum is 1.

    Raises
    ------
    ValueError
        If there are not 1 to 3 positive numbers.

    Examples
    --------
    >>> gaussian_psf(1.5).shape
    (13, 13)
    """
    try:
        given = np.atleast_1d(np.asarray(sigma, dtype=float))
    except (TypeError, ValueError) as error:
        raise ValueError(f"sigma={sigma!r} must be numbers, in pixels.") from error
    if given.ndim != 1 or given.size > 3 or not ((given > 0) & (given < 1e4)).all():
        raise ValueError(f"sigma={sigma!r} must be one to three positive numbers, in pixels.")
    values = np.repeat(given, 2) if given.size == 1 else given
    psf = np.ones(())
    for value in values:
        reach = math.ceil(REACH * value)
        # the error function integrates over each pixel
        edges = np.arange(-reach, reach + 2) - 0.5
        line = np.diff([0.5 * math.erf(edge / value / math.sqrt(2)) for edge in edges])
        psf = np.multiply.outer(psf, line)
    normalized: NDArray[np.float64] = psf / psf.sum()
    return normalized


def measure_psf(beads: ArrayLike, *, radius: int | Sequence[int] = 8) -> NDArray[np.float64]:
    """Return the mean image of the beads in an image of isolated point-like beads.

    Parameters
    ----------
    beads : (Y, X) or (Z, Y, X) array
    radius : int, or one for each axis
        Half width of the PSF in pixels; beads closer to the border or to one another are left out.

    Returns
    -------
    float array of shape 2 radius + 1
        The background is subtracted; its sum is 1.

    Raises
    ------
    ValueError
        If no isolated bead is found.
    """
    image = np.asarray(beads, dtype=float)
    if image.ndim not in (2, 3) or not np.isfinite(image).all():
        raise ValueError("beads must be a (Y, X) or (Z, Y, X) image without NaN.")
    reach = np.broadcast_to(np.asarray(radius, dtype=int), (image.ndim,))
    if (reach < 1).any():
        raise ValueError(f"radius={radius!r} must be 1 or more.")
    dark = float(np.median(image))
    smooth = ndimage.gaussian_filter(image - dark, 1)
    tallest = ndimage.maximum_filter(smooth, size=tuple(2 * reach + 1))
    peaks = np.argwhere((smooth == tallest) & (smooth > BEAD_CONTRAST * smooth.max()))
    inside = ((peaks >= reach) & (peaks < np.array(image.shape) - reach)).all(axis=1)
    cuts = []
    for peak in peaks[inside]:
        cut = image[tuple(slice(p - r, p + r + 1) for p, r in zip(peak, reach, strict=True))] - dark
        shift = reach - _centroid(cut.clip(0) ** 2)
        cuts.append(ndimage.shift(cut / cut.sum(), shift, order=3, mode="nearest"))
    if not cuts:
        raise ValueError(
            f"beads has no isolated bead with {tuple(map(int, reach))} pixels around it: use a "
            "smaller radius, or a larger image."
        )
    mean = np.mean(cuts, axis=0).clip(0)
    normalized: NDArray[np.float64] = mean / mean.sum()
    return normalized


def checked_psf(psf: ArrayLike, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], list[str]]:
    """Return a PSF of odd shape, centered, with the sum 1, and what was changed.

    Raises
    ------
    TypeError, ValueError
        If it cannot be the PSF of an image of that shape.
    """
    given = np.asarray(psf)
    if given.dtype.kind not in "uif":
        raise TypeError(f"psf has {given.dtype} values: use integers or real numbers.")
    kernel = given.astype(np.float64)  # integers would overflow when summed
    if kernel.ndim != len(shape):
        raise ValueError(
            f"psf has {kernel.ndim} axes, but the image has {len(shape)}: use a PSF of as many."
        )
    if any(size > most for size, most in zip(kernel.shape, shape, strict=True)):
        raise ValueError(
            f"psf has shape {kernel.shape}, larger than the image's {shape}: crop it to its bright "
            "part."
        )
    if not np.isfinite(kernel).all():
        raise ValueError("psf has NaN or infinite values: replace them.")
    total = float(kernel.sum())
    if not total > 0:
        raise ValueError("psf has no positive sum: a PSF is bright on a background of 0.")
    notes = []
    if abs(total - 1) > UNNORMALIZED:
        notes.append(f"the PSF's sum was {total:.4g}, and is made 1")
    centered, shift = _centered(kernel / total)
    if any(shift):
        notes.append(f"the PSF was {tuple(shift)} pixels off its center, and is centered")
    return centered, notes


def _centered(kernel: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[int]]:
    """Return a PSF of odd shape with its bright part in the center, and its former offset."""
    center = _centroid(kernel**2)
    middle = (np.array(kernel.shape) - 1) / 2
    offset = np.where(np.abs(center - middle) > 0.75, np.round(center - middle), 0).astype(int)
    places = np.where(offset == 0, np.array(kernel.shape) // 2, np.round(center)).astype(int)
    margins: Any = []
    for place, size in zip(places, kernel.shape, strict=True):
        half = max(place, size - 1 - place)
        margins.append((half - place, half - (size - 1 - place)))
    return np.pad(kernel, margins), [int(each) for each in offset]


def _centroid(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(ndimage.center_of_mass(power))


def cropped(psf: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the central part of a PSF of odd shape that fits into an image of that shape."""
    inside = []
    for size, most in zip(psf.shape, shape, strict=True):
        half = min(size // 2, (most - 1) // 2)
        inside.append(slice(size // 2 - half, size // 2 + half + 1))
    part = psf[tuple(inside)]
    total = float(part.sum())
    return part / total if total > 0 else np.ones((1,) * psf.ndim)
