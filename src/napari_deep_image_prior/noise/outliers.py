"""Pixels that are no noise: hot and dead pixels, cosmic rays, single bright points.

They are kept out of the noise estimate. A thousandth of the pixels at saturation would otherwise
make Gaussian noise of 30 counts look like photon noise of hundreds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import median_filter
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEVIATION = 12.0
"""Deviation from the median of the neighbors, in standard deviations, of an outlier."""
CLASSES = 16
"""Brightness classes; each has its own standard deviation."""
MAX_SHARE = 0.05
"""Largest share of outliers; if there were more, they would be the image."""
NEIGHBORS = 8
"""Nearest known pixels with which a pixel is compared if some are unknown."""
STRETCH = 2.0
"""Ratio of the ranges with and without outliers above which these take the contrast."""
RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)


def without_outliers(
    image: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a (..., Y, X) image without its outliers, and their mask.

    They are replaced by the median of their neighbors in their plane. Outliers deviate from these
    far beyond the noise. Its standard deviation is that of the deviations of pixels with neighbors
    of similar brightness: by their median and by their 95 % quantile, whichever is larger. Texture
    makes it larger. No pixel is an outlier if more than 5 % would be.
    """
    marked = np.zeros(image.shape, dtype=bool)
    if min(image.shape[-2:]) < 3:
        return image, marked
    ring = RING.reshape((1,) * (image.ndim - 2) + RING.shape)
    middle = median_filter(image, footprint=ring, mode="mirror")
    marked.flat[:] = _deviating(image.ravel(), middle.ravel())
    return np.where(marked, middle, image), marked


def _deviating(values: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of (n,) values deviate far from the medians of their neighbors."""
    marked = np.zeros(values.shape, dtype=bool)
    deviation = np.abs(values - middle)
    levels = np.unique(values[:: max(1, values.size // 2**18)])
    step = float(np.diff(levels).min(initial=np.inf)) if levels.size > 1 else 0.0
    order = np.argsort(middle, kind="stable")
    for members in np.array_split(order, CLASSES):
        if members.size == 0:
            continue
        half, most = np.quantile(deviation[members], [0.5, 0.95])
        limit = DEVIATION * max(1.4826 * half, most / 1.96, step)
        marked[members] = deviation[members] > limit
    if marked.mean() > MAX_SHARE:
        marked[:] = False
    return marked


def outlying_pixels(image: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask of the known outliers of each channel of a (C, Y, X) image."""
    marked = np.zeros(image.shape, dtype=bool)
    for channel, valid, outliers in zip(image, known, marked, strict=True):
        if valid.all():
            outliers[:] = without_outliers(channel.astype(np.float64))[1]
        elif valid.sum() > NEIGHBORS:
            values, places = channel[valid].astype(np.float64), np.argwhere(valid)
            _, nearest = cKDTree(places).query(places, NEIGHBORS + 1)  # the first is the pixel
            outliers[valid] = _deviating(values, np.median(values[nearest[:, 1:]], axis=1))
    return marked


def stretching_outliers(image: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the known outliers of a (C, Y, X) image if they widen its range by `STRETCH`."""
    outliers = outlying_pixels(image, known)
    others = known & ~outliers
    is_wide = np.ptp(image[known].astype(float)) > STRETCH * np.ptp(image[others].astype(float))
    return outliers if is_wide else np.zeros_like(known)


def share_of(outliers: NDArray[np.bool_], fate: str) -> str:
    """Return the share of outliers, and what becomes of them, as text; empty if there are none."""
    share = 100 * float(outliers.mean())
    return f"{share:.2g} % outlying pixels {fate}" if share else ""
