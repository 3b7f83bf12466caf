"""Stripes: offsets that all pixels of a row, or of a column, share.

Cameras and scanners read an image row by row or column by column, and add an offset of its own to
each. Comparing blocks of the image distinguishes it from structure: an offset is the same in all of
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter1d

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCKS = 8
"""Parts of each line that are compared."""
SMALLEST = 64
"""Smallest edge of an image in which stripes are searched, in pixels."""
SHARED = 0.5
"""Smallest fraction of the variance between lines that all blocks share."""
CLIPPED = 3.0
"""Largest difference of a pixel to its neighbors that counts, in standard deviations."""
SMOOTH = 8.0
"""Standard deviation of the Gaussian, in lines, below whose variation offsets are structure."""
PASSES = 3
"""Repetitions: each finds what the one before has left."""


@dataclass(frozen=True)
class Stripes:
    """Offsets of rows and columns, in intensity units."""

    rows: NDArray[np.float64] | None
    """(Y,) offsets, None if there are none."""
    columns: NDArray[np.float64] | None
    """(X,) offsets."""

    def removed_from(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a (Y, X) image without these offsets."""
        if self.rows is not None:
            image = image - self.rows[:, None]
        return image if self.columns is None else image - self.columns

    def describe(self) -> str:
        """Return a summary for users; empty if there are no stripes."""
        found = [
            f"{name} (standard deviation {float(offsets.std()):.3g})"
            for name, offsets in (("rows", self.rows), ("columns", self.columns))
            if offsets is not None
        ]
        return f"offsets of {' and '.join(found)} removed" if found else ""


def find_stripes(image: NDArray[np.float64]) -> Stripes:
    """Find the offsets of the rows and of the columns of a (Y, X) image."""
    rows = _offsets(image)
    rest = image if rows is None else image - rows[:, None]
    return Stripes(rows, _offsets(rest.T))


def _offsets(image: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the offsets of the rows, None if the rows of the image have none."""
    if min(image.shape) < SMALLEST:
        return None
    total = np.zeros(len(image))
    for number in range(PASSES):
        found = _step(image - total[:, None])
        if found is None:
            return total if number else None
        total += found - gaussian_filter1d(found, SMOOTH)
    return total


def _step(image: NDArray[np.float64]) -> NDArray[np.float64] | None:
    inner = image[1:-1] - (image[:-2] + image[2:]) / 2
    # structure and outlying pixels exceed what noise and offsets differ by
    spread = 1.4826 * float(np.median(np.abs(inner)))
    if spread == 0:
        return None
    usable = inner.shape[1] // BLOCKS * BLOCKS
    blocks = inner.clip(-CLIPPED * spread, CLIPPED * spread)[:, :usable]
    means = blocks.reshape(len(inner), BLOCKS, -1).mean(axis=2)  # (rows, blocks)
    means -= means.mean(axis=0)
    covariance = means.T @ means / len(means)
    own = np.trace(covariance) / BLOCKS
    shared = (covariance.sum() - np.trace(covariance)) / (BLOCKS * (BLOCKS - 1))
    if not shared > SHARED * own:  # both are 0 where the lines differ in the same way everywhere
        return None
    # least squares: the difference of an offset to the mean of its neighbors is that of the lines;
    # offsets without evidence are 0
    ridge = max((own - shared) / BLOCKS, 1e-3 * shared) / (shared / 1.5)
    return _deconvolved(means.mean(axis=1), ridge)


def _deconvolved(differences: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Return n offsets, given the differences of the inner n - 2 to the mean of both neighbors."""
    size = len(differences) + 2
    stencil = (-0.5, 1.0, -0.5)
    # the normal equations: the upper bands of D'D + ridge, and D'differences
    bands, right = np.zeros((3, size)), np.zeros(size)
    bands[2] = ridge
    for at, weight in enumerate(stencil):
        right[at : at + size - 2] += weight * differences
        for later in range(at, 3):
            bands[2 - (later - at), later : later + size - 2] += weight * stencil[later]
    offsets: NDArray[np.float64] = solveh_banded(bands, right)
    return offsets
