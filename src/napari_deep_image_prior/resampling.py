"""Matrices for resampling along one axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def lanczos_matrix(source: int, target: int) -> np.ndarray:
    """Return the (target, source) matrix of resampling with a Lanczos kernel (a = 2).

    Duchon, J. Appl. Meteor. 18 (1979) 1016, doi:10.1175/1520-0450(1979)018<1016:LFIOAT>2.0.CO;2.
    """
    return _resampling_matrix(source, target, lambda t: np.sinc(t) * np.sinc(t / 2))


def cubic_matrix(source: int, target: int) -> np.ndarray:
    """Return the (target, source) matrix of resampling with Keys' cubic kernel (a = -0.5).

    Keys, IEEE Trans. Acoust. Speech Signal Process. 29 (1981) 1153,
    doi:10.1109/TASSP.1981.1163711.
    """

    def cubic(t: np.ndarray) -> np.ndarray:
        t = np.abs(t)
        near, far = (1.5 * t - 2.5) * t * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
        weights: np.ndarray = np.where(t < 1, near, far)
        return weights

    return _resampling_matrix(source, target, cubic)


def _resampling_matrix(
    source: int, target: int, kernel: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return the matrix of a kernel with a radius of 2 pixels, widened for downsampling."""
    if source == target:
        return np.eye(source)
    factor = source / target
    stretch = max(1.0, factor)
    reach = math.ceil(2 * stretch)
    matrix = np.zeros((target, source))
    for i in range(target):
        center = (i + 0.5) * factor - 0.5
        taps = np.arange(math.floor(center) - reach, math.floor(center) + reach + 2)
        offsets = (taps - center) / stretch
        weights = np.where(np.abs(offsets) < 2, kernel(offsets), 0.0)
        np.add.at(matrix[i], _mirrored(taps, source), weights / weights.sum())
    return matrix


def _mirrored(indices: np.ndarray, size: int) -> np.ndarray:
    """Reflect indices outside 0 to size - 1 about the edge (d c b a | a b c d | d c b a)."""
    folded = np.mod(indices, 2 * size)
    mirrored: np.ndarray = np.where(folded < size, folded, 2 * size - 1 - folded)
    return mirrored
