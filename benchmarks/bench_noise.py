"""The accuracy of the noise estimate on images with known noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from bench_cases import read_gray

from napari_deep_image_prior.noise.estimation import estimate_noise
from napari_deep_image_prior.reproduction.published import TABLES

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = TABLES["inpainting"].images
LEVELS = {
    **{f"sigma-{sigma}": ("gaussian", sigma) for sigma in (5, 15, 25, 50)},
    **{f"counts-{peak}": ("poisson", peak) for peak in (1, 3, 10, 30, 100)},
}


def image_path(data: Path, image: str) -> Path:
    return data / "inpainting11" / f"{image}.png"


def estimate(data: Path, image: str, level: str, seed: int) -> dict[str, object]:
    """Compare estimated with true noise at the image's mean brightness.

    The level of Gaussian noise is for intensities 0..255; that of photon noise is the expected
    count of the brightest pixel.
    """
    truth = read_gray(image_path(data, image))
    random = np.random.default_rng(seed)
    kind, amount = LEVELS[level]
    if kind == "gaussian":
        clean, true = 255 * truth, float(amount)
        noisy = clean + random.normal(0, amount, clean.shape)
    else:
        clean = amount * truth / truth.max()
        noisy, true = random.poisson(clean).astype(float), float(np.sqrt(clean.mean()))
    model = estimate_noise(noisy)
    std = model.std
    if model.photon is not None:
        a, b = model.photon
        std = float(np.sqrt(max(a * clean.mean() + b, 0)))
    return {
        "true": round(true, 4),
        "estimate": round(std, 4),
        "photon": None if model.photon is None else [round(number, 4) for number in model.photon],
        "blur": [round(model.correlation.y, 2), round(model.correlation.x, 2)],
    }
