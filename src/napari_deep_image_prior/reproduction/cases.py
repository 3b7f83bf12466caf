"""The corrupted images of the tables, made as described in the publication."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..io.files import read_image
from ..io.image_file import FileError
from ..methods.denoising.task import Denoise
from ..methods.inpainting.task import Inpaint
from ..methods.super_resolution.task import SuperResolve
from ..resampling import cubic_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..methods.task import Task
    from .published import Table

SIGMA = 25 / 255
MISSING = 0.5
CROP = 32
"""Sizes in super-resolution are cropped centrally to multiples of this, which reproduces the
published bicubic figures."""
BORDER = 4
"""Pixels at the border that are excluded from the PSNR of super-resolution."""


@dataclass(frozen=True, eq=False)
class Case:
    """One corrupted image and the truth."""

    table: str
    image: str
    truth: NDArray[np.float64] | None
    """(Y, X) or (Y, X, 3) from 0 to 1; None if unknown."""
    task: Task

    def psnr(self, restored: NDArray[Any]) -> float:
        """Return the PSNR in dB; NaN if the truth is unknown.

        For super-resolution it is computed on Y of YCbCr, without the border.
        """
        if self.truth is None:
            return math.nan
        from skimage.metrics import peak_signal_noise_ratio

        restored = np.clip(restored.astype(np.float64), 0, 1)
        if isinstance(self.task, SuperResolve):
            truth, restored = luma(self.truth), luma(restored)
        else:
            truth = self.truth
        return float(peak_signal_noise_ratio(truth, restored, data_range=1))


def luma(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Y of YCbCr, from 16/255 to 235/255, without the border."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    y = 16 / 255 + (image * weights.sum() if image.ndim == 2 else image @ weights)
    inside: NDArray[np.float64] = y[BORDER:-BORDER, BORDER:-BORDER]
    return inside


def make_case(table: Table, image: str, path: Path, seed: int, cut: int = CROP) -> Case:
    """Read an image and corrupt it, with random numbers from `seed`."""
    file = read_image(path)
    channels = 1 if file.channel_axis is None else file.image.shape[-1]
    if file.image.dtype != np.uint8 or channels not in table.channels:
        wanted = " or ".join({1: "gray", 3: "RGB"}[count] for count in table.channels)
        raise FileError(f"{path}: must be an 8-bit {wanted} picture, as in the publication.")
    truth = file.image / 255
    channel_axis = None if truth.ndim == 2 else 2
    random = np.random.default_rng(seed)
    task: Task
    if table.kind == "inpaint":
        missing = random.random(truth.shape[:2]) < MISSING
        holed = np.where(missing if channel_axis is None else missing[..., None], 0, truth)
        task = Inpaint(holed, missing=missing, channel_axis=channel_axis)
    elif table.kind == "denoise":
        noisy = np.clip(truth + random.normal(0, SIGMA, truth.shape), 0, 1)
        task = Denoise(noisy, channel_axis=channel_axis)
    else:
        if min(truth.shape[:2]) < CROP:
            raise FileError(
                f"{path}: is {truth.shape[0]}x{truth.shape[1]} pixels; {CROP}x{CROP} are needed."
            )
        truth = _cut(truth, cut)
        small = np.rint(255 * _shrunk(truth, table.factor)).clip(0, 255) / 255
        task = SuperResolve(small, factor=table.factor, channel_axis=channel_axis)
    return Case(table.key, image, truth, task)


def _cut(image: NDArray[np.float64], multiple: int) -> NDArray[np.float64]:
    height, width = (size // multiple * multiple for size in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def _shrunk(image: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Downsample with Keys' cubic kernel and anti-aliasing, as the distributed small images."""
    rows, columns = (cubic_matrix(size, size // factor) for size in image.shape[:2])
    small: NDArray[np.float64] = np.einsum(
        "ij,jk...,lk->il...", rows, image, columns, optimize=True
    )
    return small
