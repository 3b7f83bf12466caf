"""Sample images with their truth, from the data included in scikit-image (no download)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..methods.denoising.task import Denoise
from ..methods.inpainting.task import Inpaint
from ..methods.super_resolution.task import SuperResolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..methods.task import Task

CAMERA_OFFSET = 100
"""Dark level of the simulated camera, in counts."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A corrupted image, its truth, and the task that restores it."""

    name: str
    """Name of the sample."""
    task: Task
    """The task, with the corrupted image."""
    truth: NDArray[Any]
    """The uncorrupted image, of the task's `result_shape`."""
    baseline: str
    """Name of scikit-image's method for the task."""
    restore_by_baseline: Callable[[NDArray[Any]], NDArray[Any]]
    """Restores the corrupted image by the baseline."""

    @property
    def is_rgb(self) -> bool:
        """Whether it is a color image."""
        return self.task.channel_axis is not None


def noisy_tissue(seed: int = 0, edge: int = 256) -> Sample:
    """Return a stained tissue section at low photon counts, (edge, edge) uint16.

    scikit-image's immunohistochemistry image, inverted, with shot noise (at most 60 photons) and
    Gaussian read noise of 2 counts on an offset of 100.
    """
    from skimage import data

    section = data.immunohistochemistry()[200 : 200 + edge, 60 : 60 + edge].mean(axis=-1)
    photons = 60 * (255 - section) / 255
    noise = np.random.default_rng(seed)
    counts = noise.poisson(photons) + noise.normal(CAMERA_OFFSET, 2, photons.shape)
    noisy = np.clip(np.rint(counts), 0, 65535).astype(np.uint16)
    return Sample(
        "noisy tissue",
        Denoise(noisy),
        (photons + CAMERA_OFFSET).astype(np.float32),
        "non-local means",
        _by_non_local_means,
    )


def scratched_portrait(seed: int = 0) -> Sample:
    """Return a (256, 256, 3) uint8 portrait with white scratches, which are its missing pixels."""
    from skimage import data
    from skimage.draw import line
    from skimage.morphology import dilation, disk
    from skimage.restoration import inpaint_biharmonic
    from skimage.transform import downscale_local_mean

    portrait = np.rint(downscale_local_mean(data.astronaut(), (2, 2, 1))).astype(np.uint8)
    missing = np.zeros(portrait.shape[:2], dtype=np.uint8)
    ends = np.random.default_rng(seed).integers(0, 256, (14, 4))
    for y0, x0, y1, x1 in ends:
        missing[line(y0, x0, y1, x1)] = 1
    scratches = dilation(missing, disk(1)).astype(bool)
    damaged = np.where(scratches[..., None], np.uint8(255), portrait)
    return Sample(
        "scratched portrait",
        Inpaint(damaged, missing=scratches, channel_axis=-1),
        portrait,
        "biharmonic",
        lambda image: 255 * inpaint_biharmonic(image / 255, scratches, channel_axis=-1),
    )


def small_cat() -> Sample:
    """Return a cat, downsampled by 4 to (72, 108, 3) uint8."""
    import torch
    from skimage import data
    from skimage.transform import resize

    from ..operators import Downsample

    cat = data.chelsea()[4:292, 8:440]  # (288, 432, 3)
    shrink = Downsample.lanczos((288, 432), (72, 108))
    small = shrink.forward(torch.from_numpy(np.moveaxis(cat, -1, 0).astype(np.float32))[None])[
        0
    ].numpy()
    small = np.clip(np.rint(np.moveaxis(small, 0, -1)), 0, 255).astype(np.uint8)
    return Sample(
        "small cat",
        SuperResolve(small, factor=4, channel_axis=-1),
        cat,
        "bicubic",
        lambda image: resize(image.astype(float), cat.shape, order=3),
    )


def _by_non_local_means(image: NDArray[Any]) -> NDArray[Any]:
    from skimage.restoration import denoise_nl_means, estimate_sigma

    sigma = float(estimate_sigma(image))
    restored: NDArray[Any] = denoise_nl_means(
        image.astype(float), h=0.8 * sigma, sigma=sigma, patch_size=5, patch_distance=9
    )
    return restored
