"""Quality of a restored image: the residual, and comparison with a known truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import channels_first

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..methods.task import Task

SSIM_WINDOW = 11
"""Edge of the Gaussian window of SSIM in pixels, as published."""
RESOLVED = 0.5
"""Fourier ring correlation with a noise-free truth at the resolution limit."""


@dataclass(frozen=True, eq=False)
class Quality:
    """Agreement of an image with the truth."""

    psnr: float
    """Peak signal-to-noise ratio in dB, with the range of the truth as peak; infinite for equal
    images."""
    ssim: float
    """Structural similarity, 1 for equal images: Wang et al., IEEE Trans. Image Process. 13 (2004)
    600, doi:10.1109/TIP.2003.819861."""
    frequencies: NDArray[np.float64]
    """(rings,) frequencies of the Fourier rings, in cycles per pixel."""
    ring_correlations: NDArray[np.float64]
    """(rings,) Fourier ring correlations of image and truth: Saxton and Baumeister, J. Microsc. 127
    (1982) 127, doi:10.1111/j.1365-2818.1982.tb00405.x."""

    @property
    def resolution(self) -> float:
        """Resolution in pixels: the period at which the ring correlation first falls below 0.5.

        At least 2 pixels, the Nyquist limit. A threshold of 0.5 against a noise-free reference
        corresponds to 1/7 between two noisy halves: Rosenthal and Henderson, J. Mol. Biol. 333
        (2003) 721, doi:10.1016/j.jmb.2003.07.013.
        """
        below = np.flatnonzero(self.ring_correlations < RESOLVED)
        if not below.size:
            return 2.0
        first = int(below[0])
        if first == 0:
            return math.inf
        ends = slice(first - 1, first + 1)
        crossing = np.interp(-RESOLVED, -self.ring_correlations[ends], self.frequencies[ends])
        return float(1 / crossing)


def measure_quality(
    image: ArrayLike,
    truth: ArrayLike,
    *,
    channel_axis: int | None = None,
    fit_brightness: bool = False,
) -> Quality:
    """Compare an image with the known truth.

    Parameters
    ----------
    image, truth : (Y, X) or (Z, Y, X) arrays, or with channels
        Of the same shape, without NaN, at least 11 pixels along each side.
    channel_axis : int, optional
        The axis of the channels.
    fit_brightness : bool
        First scale and shift the intensities of `image` to those of the truth (least squares),
        for a truth in other units, such as a longer exposure.

    Returns
    -------
    Quality

    Raises
    ------
    ValueError
        If the shapes differ or are too small, a pixel is not finite, or the truth is constant.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).random((32, 32))
    >>> measure_quality(5 * truth + 3, truth, fit_brightness=True).psnr > 100
    True
    """
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    restored, true = _comparable(image, truth, channel_axis)
    if fit_brightness:
        restored = _brightness_fitted(restored, true)
    peak = float(np.ptp(true))
    is_same = np.array_equal(restored, true)
    psnr = math.inf if is_same else peak_signal_noise_ratio(true, restored, data_range=peak)
    ssim = [
        structural_similarity(
            true[:, plane],
            restored[:, plane],
            data_range=peak,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for plane in range(true.shape[1])
    ]
    return Quality(
        float(psnr),
        float(np.mean(ssim)),
        *_ring_correlation(restored.mean(axis=0), true.mean(axis=0)),
    )


def residual(task: Task, restored: ArrayLike) -> NDArray[np.float32]:
    """Return the residual: the input minus the restored image.

    After denoising it should look like noise; structure in it was removed from the image. Enlarged
    images are downsampled first. Unknown pixels are NaN.

    Parameters
    ----------
    task : Denoise, Inpaint or SuperResolve
        The task of the restoration.
    restored : array of the task's `result_shape`
        The result, in the input's intensity units.

    Returns
    -------
    float32 array of the input's shape

    Raises
    ------
    ValueError
        If the result does not have the task's `result_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_deep_image_prior import Denoise
    >>> float(residual(Denoise(np.full((8, 8), 7.0)), np.full((8, 8), 5.0)).mean())
    2.0
    """
    return task.residual(restored)


def _comparable(
    image: ArrayLike, truth: ArrayLike, channel_axis: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as (C, Z, Y, X), with Z = 1 for planes."""
    restored, true = (np.asarray(array).astype(np.float64) for array in (image, truth))
    if restored.shape != true.shape:
        raise ValueError(
            f"the image has shape {restored.shape}, but the truth has {true.shape}: "
            "choose images of equal shape."
        )
    for name, array in {"image": restored, "truth": true}.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"the {name} has NaN or infinite pixels: fill them in or crop them first."
            )
    restored, true = channels_first(restored, channel_axis), channels_first(true, channel_axis)
    if true.ndim == 3:
        restored, true = restored[:, np.newaxis], true[:, np.newaxis]
    if true.ndim != 4:
        raise ValueError(
            f"shape {true.shape[1:]} has too many axes: compare images (Y, X) or volumes (Z, Y, X)."
        )
    if min(true.shape[-2:]) < SSIM_WINDOW:
        raise ValueError(
            f"shape {true.shape[-2:]} is too small to compare: "
            f"at least {SSIM_WINDOW} pixels along each side are needed."
        )
    if np.ptp(true) == 0:
        raise ValueError("the truth is constant: choose an image with structure.")
    return restored, true


def _brightness_fitted(
    image: NDArray[np.float64], truth: NDArray[np.float64]
) -> NDArray[np.float64]:
    centered = image - image.mean()
    spread = float(np.mean(centered**2))
    slope = float(np.mean(centered * (truth - truth.mean()))) / spread if spread > 0 else 0.0
    fitted: NDArray[np.float64] = slope * centered + truth.mean()
    return fitted


def _ring_correlation(
    image: NDArray[Any], truth: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the frequencies of the rings and the correlation of two (Z, Y, X) images on each.

    The rings are those of the planes; the correlations are summed over the planes.
    """
    height, width = image.shape[-2:]
    # apodization: the image borders are not detail
    window = np.outer(np.hanning(height), np.hanning(width))
    first, second = (np.fft.fft2((array - array.mean()) * window) for array in (image, truth))
    distance = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width))
    count = min(height, width) // 2
    ring = np.rint(distance * 2 * count).astype(int).ravel()

    def summed(values: NDArray[Any]) -> NDArray[np.float64]:
        weights = values.real.sum(axis=0).ravel()
        return np.bincount(ring, weights=weights).astype(np.float64)[1 : count + 1]

    power = summed(np.abs(first) ** 2) * summed(np.abs(second) ** 2)
    shared = summed(first * second.conj())
    correlation = np.divide(shared, np.sqrt(power), out=np.zeros_like(shared), where=power > 0)
    return np.arange(1, count + 1) / (2 * count), correlation
