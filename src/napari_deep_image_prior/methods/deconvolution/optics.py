"""The point spread function of a microscope: the scalar model of Gibson and Lanni.

The field at the distance r from the axis is the integral over the pupil, rho from 0 to 1,

    int J0(k NA r rho) exp(i k OPD(rho)) rho d rho.

exp(i k OPD) is fitted by a series of Bessel functions J0(s_m rho), for which the integral is known.
Gibson and Lanni, J. Opt. Soc. Am. A 8 (1991) 1601; Li, Xue, Blu, "Fast and accurate
three-dimensional point spread function computation for fluorescence microscopy", J. Opt. Soc. Am. A
34 (2017) 1029.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy.special import j0, j1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Microscope = Literal["widefield", "confocal"]
SAMPLES = 8
"""Samples of the pupil for each term of the series."""
FEWEST_TERMS = 60
"""Terms of the series for a focused plane."""
OVERSAMPLING = 4
"""Radii per pixel at which the field is computed."""


def microscope_psf(
    *,
    na: float,
    wavelength: float,
    refractive_index: float,
    spacing: Sequence[float],
    shape: Sequence[int],
    sample_index: float | None = None,
    depth: float = 0.0,
    kind: Microscope = "widefield",
) -> NDArray[np.float64]:
    """Return the point spread function of a microscope, by the scalar model of Gibson and Lanni.

    Parameters
    ----------
    na : float
        Numerical aperture of the objective, below `refractive_index`.
    wavelength : float
        Wavelength of the emitted light in nanometers, 100 to 10000.
    refractive_index : float
        Of the immersion medium, 1 to 4: 1.518 for oil, 1.33 for water, 1 for air.
    spacing : (Y, X) or (Z, Y, X) floats
        Size of a pixel in micrometers.
    shape : (Y, X) or (Z, Y, X) ints
        Shape of the PSF in pixels; for a plane, that in focus.
    sample_index : float, optional
        Refractive index of the sample; None: that of the immersion medium.
    depth : float
        Depth of the point below the cover slip, in micrometers. In a sample of another refractive
        index it causes spherical aberration.
    kind : {"widefield", "confocal"}
        A confocal PSF is the square of the widefield one: a small pinhole, and excitation of about
        the same wavelength.

    Returns
    -------
    float array of that shape
        Its sum is 1, and its brightest plane is in the center.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> psf = microscope_psf(na=1.4, wavelength=520, refractive_index=1.518,
    ...                      spacing=(0.2, 0.1, 0.1), shape=(9, 31, 31))
    >>> psf.shape, round(float(psf.sum()), 6)
    ((9, 31, 31), 1.0)
    """
    sample = refractive_index if sample_index is None else sample_index
    _check(na, wavelength, refractive_index, sample, depth)
    if kind not in get_args(Microscope):
        raise ValueError(f"kind={kind!r} is unknown; choose one of widefield, confocal.")
    steps, sizes = [float(s) for s in spacing], [int(s) for s in shape]
    if len(steps) != len(sizes) or len(sizes) not in (2, 3):
        raise ValueError(
            f"spacing={tuple(spacing)} and shape={tuple(shape)} need as many numbers, for Y and X, "
            "or for Z, Y and X."
        )
    if min(sizes) < 1 or not all(1e-4 < step < 1e3 for step in steps):
        raise ValueError(
            f"spacing={tuple(spacing)} must be the size of a pixel in micrometers, and "
            f"shape={tuple(shape)} 1 or more."
        )
    wave_number = 2 * math.pi / (wavelength / 1000)
    planes = (np.arange(sizes[0]) - (sizes[0] - 1) // 2) * steps[0] if len(sizes) == 3 else [0.0]
    y, x = ((np.arange(n) - (n - 1) // 2) * s for n, s in zip(sizes[-2:], steps[-2:], strict=True))
    distance = np.hypot(y[:, None], x)
    radii = np.arange(0, distance.max() + 2 * min(steps[-2:]), min(steps[-2:]) / OVERSAMPLING)
    optics = (wave_number, na, refractive_index, sample, depth)
    best = _best_focus(optics) if depth and sample != refractive_index else _paraxial(optics)
    field = _field(radii, best + np.asarray(planes), optics)
    intensity = np.abs(field) ** 2
    psf = np.stack([np.interp(distance, radii, plane) for plane in intensity])
    psf = psf**2 if kind == "confocal" else psf
    psf = psf / psf.sum()
    whole: NDArray[np.float64] = psf if len(sizes) == 3 else psf[0]
    return whole


Optics = tuple[float, float, float, float, float]


def _paraxial(optics: Optics) -> float:
    """Return the stage displacement in focus of rays close to the axis."""
    _, _, immersion, sample, depth = optics
    return depth * immersion / sample


def _best_focus(optics: Optics) -> float:
    """Return the stage displacement at which the axis is brightest."""
    wave_number, na, immersion, _, _ = optics
    around = _paraxial(optics)
    step = math.pi * immersion / wave_number / na**2 / 4
    reach = max(abs(around), 8 * step)
    tried = np.arange(around - reach, around + reach + step, step)
    on_axis = np.abs(_field(np.zeros(1), tried, optics)[:, 0])
    return float(tried[on_axis.argmax()])


def path_difference(
    rho: NDArray[np.float64], stage: NDArray[np.float64], optics: Optics
) -> NDArray[np.float64]:
    """Return the optical path difference in micrometers, (stage, rho).

    stage: displacement of the stage from where the cover slip is in focus, in micrometers.
    """
    _, na, immersion, sample, depth = optics
    in_sample = depth * np.sqrt(np.maximum(sample**2 - (na * rho) ** 2, 0))
    in_immersion = np.sqrt(np.maximum(immersion**2 - (na * rho) ** 2, 0))
    difference: NDArray[np.float64] = in_sample - stage[:, None] * in_immersion
    return difference - difference[:, :1]


def pupil_edge(optics: Optics) -> float:
    """Return the largest radius of the pupil from which light reaches the sample, up to 1."""
    _, na, _, sample, _ = optics
    return min(1.0, sample / na)


def _field(
    radii: NDArray[np.float64], stage: NDArray[np.float64], optics: Optics
) -> NDArray[np.complex128]:
    """Return the field at distances from the axis, (stage, radius)."""
    wave_number, na, *_ = optics
    edge = pupil_edge(optics)
    # the series must follow the fastest oscillation at the edge of the pupil
    fine = np.linspace(0, edge, 4096)
    phases = wave_number * path_difference(fine, stage, optics)
    slopes = np.abs(np.diff(phases, axis=1)) / fine[1]
    fastest = float(np.percentile(slopes, 99, axis=1).max())
    terms = FEWEST_TERMS + math.ceil(1.5 * edge * fastest / math.pi)
    # closer than the zeros: the fit is then exact to rounding, as far as the pupil is smooth
    frequencies = 0.75 * np.arange(terms) * math.pi / edge
    rho = np.linspace(0, edge, SAMPLES * terms)
    basis = j0(np.multiply.outer(rho, frequencies))
    pupil = np.exp(1j * wave_number * path_difference(rho, stage, optics))
    coefficients = np.linalg.lstsq(basis, pupil.T, rcond=1e-10)[0]
    s, b = frequencies[:, None], wave_number * na * radii
    close = np.abs(s - b) < 1e-6
    divisor = np.where(close, 1.0, s**2 - b**2)
    integral = edge * (s * j1(s * edge) * j0(b * edge) - b * j0(s * edge) * j1(b * edge)) / divisor
    limit = edge**2 / 2 * (j0(s * edge) ** 2 + j1(s * edge) ** 2)
    field: NDArray[np.complex128] = coefficients.T @ np.where(close, limit, integral)
    return field


def _check(na: float, wavelength: float, immersion: float, sample: float, depth: float) -> None:
    """Raise ValueError if a number is not that of a microscope."""
    if not 100 <= wavelength <= 10000:
        raise ValueError(
            f"wavelength={wavelength:g} is out of range: nanometers are expected, such as 520."
        )
    for name, index in (("refractive_index", immersion), ("sample_index", sample)):
        if not 1 <= index <= 4:
            raise ValueError(f"{name}={index:g} must be from 1 (air) to 4.")
    if not 0.01 <= na < immersion:
        raise ValueError(
            f"na={na:g} must be above 0 and below the refractive index of the immersion, "
            f"{immersion:g}."
        )
    if not 0 <= depth <= 1e4:
        raise ValueError(f"depth={depth:g} must be 0 or more, in micrometers.")
