"""The corrupted images of the benchmark, and the quality measures of their restorations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.restoration import estimate_sigma

from napari_deep_image_prior import Denoise, Inpaint, SuperResolve
from napari_deep_image_prior.io.files import read_image
from napari_deep_image_prior.reproduction.cases import SIGMA, luma, make_case
from napari_deep_image_prior.reproduction.published import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_deep_image_prior import Task

GRAY = ("house", "peppers", "cameraman", "montage")
FMD = ("fmd_confocal_mice", "fmd_confocal_bpae_b", "fmd_confocal_bpae_g", "fmd_confocal_bpae_r")


@dataclass(frozen=True, eq=False)
class Case:
    """A corrupted image with intensities 0..1, and its ground truth."""

    task: Task
    truth: np.ndarray
    sigma: float | None = None
    """The noise level given to the classical denoisers."""
    is_real: bool = False
    """Whether the noise is real: level estimated, brightness fitted before comparison."""

    def psnr(self, restored: np.ndarray) -> float:
        """Return the PSNR in dB."""
        image, truth = self._compared(restored)
        return float(peak_signal_noise_ratio(truth, image, data_range=1))

    def ssim(self, restored: np.ndarray) -> float:
        """Return the structural similarity, with the published Gaussian window of sigma 1.5."""
        image, truth = self._compared(restored)
        channel_axis = None if truth.ndim == 2 else self.task.channel_axis
        return float(
            structural_similarity(
                image,
                truth,
                data_range=1,
                gaussian_weights=True,
                use_sample_covariance=False,
                channel_axis=channel_axis,
            )
        )

    def _compared(self, restored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        restored = restored.astype(np.float64)
        if self.is_real:
            slope, offset = np.polyfit(restored.ravel(), self.truth.ravel(), 1)
            return slope * restored + offset, self.truth
        restored = restored.clip(0, 1)
        if isinstance(self.task, SuperResolve):
            return luma(restored), luma(self.truth)
        return restored, self.truth


@dataclass(frozen=True)
class Suite:
    """Images corrupted in the same way."""

    title: str
    kind: str
    """The kind of the task."""
    images: tuple[str, ...]
    files: tuple[str, ...]
    """The files of an image, relative to the data folder; {} stands for the name of the image."""
    corrupt: Callable[[list[Path], str, int], Case]

    def paths(self, data: Path, image: str) -> list[Path]:
        """Return the files of an image."""
        return [data / file.format(image) for file in self.files]

    def make(self, data: Path, image: str, seed: int) -> Case:
        """Read an image and corrupt it; `seed` determines the corruption."""
        return self.corrupt(self.paths(data, image), image, seed)


def read_gray(path: Path) -> np.ndarray:
    """Read an 8-bit gray image as 0..1."""
    return read_image(path).image / 255


def _noisy(level: float, paths: list[Path], _image: str, seed: int) -> Case:
    truth = read_gray(paths[0])
    noisy = truth + np.random.default_rng(seed).normal(0, level / 255, truth.shape)
    return Case(Denoise(noisy), truth, level / 255)


def _holed(share: float, paths: list[Path], _image: str, seed: int) -> Case:
    truth = read_gray(paths[0])
    missing = np.random.default_rng(seed).random(truth.shape) < share
    return Case(Inpaint(np.where(missing, 0, truth), missing=missing), truth)


def _microscopy(paths: list[Path], _image: str, _seed: int) -> Case:
    raw, truth = (read_gray(path) for path in paths)
    return Case(Denoise(raw), truth, float(estimate_sigma(raw)), is_real=True)


def _published(key: str, paths: list[Path], image: str, seed: int) -> Case:
    """Corrupt as for the published table: noise clipped to 0..255, small images with 8 bits."""
    made = make_case(TABLES[key], image, paths[0], seed)
    return Case(made.task, made.truth, SIGMA if TABLES[key].kind == "denoise" else None)


def _gray_suite(title: str, kind: str, corrupt: Callable[[list[Path], str, int], Case]) -> Suite:
    return Suite(title, kind, GRAY, ("inpainting11/{}.png",), corrupt)


def _published_suite(title: str, key: str) -> Suite:
    table = TABLES[key]
    return Suite(
        title, table.kind, table.images, (f"{table.folder}/{{}}.png",), partial(_published, key)
    )


SUITES = {
    **{
        f"denoise-{level}": _gray_suite(
            f"Denoise gray, sigma {level}", "denoise", partial(_noisy, level)
        )
        for level in (15, 25, 50)
    },
    "denoise-color": _published_suite("Denoise color, sigma 25", "denoising"),
    "microscopy": Suite(
        "Denoise confocal microscopy",
        "denoise",
        FMD,
        ("microscopy/{}_raw.tif", "microscopy/{}_gt.tif"),
        _microscopy,
    ),
    **{
        f"inpaint-{percent}": _gray_suite(
            f"Inpaint, {percent} % missing", "inpaint", partial(_holed, percent / 100)
        )
        for percent in (20, 50, 80)
    },
    "super-resolve": _published_suite("Super-resolve x4, Set5", "set5-x4"),
}
