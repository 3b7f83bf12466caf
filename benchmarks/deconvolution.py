"""Compare deconvolution with classical methods, each stopped or weighted at its best by the truth.

    python benchmarks/deconvolution.py --data DIR [--output FILE] [--only NAME ...]

DIR has the folder `inpainting11` of the other benchmarks; 256x256 images are used whole, of larger
ones the middle. They are blurred without wrapping and get noise: Gaussian of standard deviation 2,
or shot noise of 100 counts at 255. Richardson-Lucy (RL) and RL with total variation (RL-TV, the
best of four weights) are stopped where their PSNR is highest, and do not wrap either. Ours receives
the image and the PSF only. `--scale 1.1` gives all methods a PSF that is 10 % too wide (Gaussians).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from scipy.signal import fftconvolve
from skimage.io import imread
from skimage.restoration import unsupervised_wiener

from napari_deep_image_prior import Deconvolve, gaussian_psf, restore
from napari_deep_image_prior.operators import Blur

EDGE = 280
WEIGHTS = (0.002, 0.005, 0.01, 0.02)
MOST, PATIENCE = 400, 40
SIGMAS = {"gaussian 1.6": 1.6, "gaussian 3": 3.0}
NOISES = ("sigma 2", "100 counts")


def motion_psf(length: int = 15, degrees: float = 30) -> np.ndarray:
    """Return the PSF of a motion along a line."""
    psf = np.zeros((length + 2, length + 2))
    for place in np.linspace(-length / 2, length / 2, 20 * length):
        direction = np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
        y, x = (length + 1) / 2 + place * direction
        (row, up), (column, left) = divmod(y, 1), divmod(x, 1)
        for dy, wy in ((0, 1 - up), (1, up)):
            for dx, wx in ((0, 1 - left), (1, left)):
                psf[int(row) + dy, int(column) + dx] += wy * wx
    return psf / psf.sum()


PSFS = {
    **{name: gaussian_psf(sigma) for name, sigma in SIGMAS.items()},
    "uniform 9x9": np.full((9, 9), 1 / 81),
    "motion 15": motion_psf(),
}


def observed(path: Path, psf: np.ndarray, noise: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth and the blurred noisy image."""
    image = imread(path).astype(float)
    top, left = (max(0, (size - EDGE) // 2) for size in image.shape)
    image = image[top : top + EDGE, left : left + EDGE]
    blurred = fftconvolve(image, psf, "valid")
    inside = (slice(s // 2, s // 2 + n) for s, n in zip(psf.shape, blurred.shape, strict=True))
    random = np.random.default_rng(seed)
    if noise == "sigma 2":
        return image[tuple(inside)], blurred + random.normal(0, 2, blurred.shape)
    counts = 100 / 255
    return image[tuple(inside)], random.poisson(blurred.clip(0) * counts) / counts


def psnr(restored: np.ndarray, truth: np.ndarray) -> float:
    """Return the PSNR for a range of 255."""
    return float(10 * np.log10(255**2 / np.square(restored - truth).mean()))


def richardson_lucy(
    image: np.ndarray, psf: np.ndarray, truth: np.ndarray, weight: float = 0.0
) -> float:
    """Return the highest PSNR of all iterations, with the TV of Dey et al. (2006)."""
    blur = Blur.by(psf, image.shape)
    data = torch.from_numpy(image.clip(0)).float()
    estimate = torch.full(blur.shape, float(data.mean()))
    norm = blur.adjoint(torch.ones_like(data)).clamp_min(1e-3)
    best, at = 0.0, 0
    for number in range(MOST):
        ratio = data / blur.forward(estimate).clamp_min(1e-6)
        change = blur.adjoint(ratio).clamp_min(0) / norm
        if weight:
            steps = [torch.diff(estimate, dim=d, append=estimate.narrow(d, -1, 1)) for d in (0, 1)]
            length = (sum(step.square() for step in steps) + 1e-6 * data.mean() ** 2).sqrt()
            bends = [(s / length) - (s / length).roll(1, d) for d, s in enumerate(steps)]
            change = change / (1 - weight * sum(bends)).clamp_min(0.2)
        estimate = estimate * change
        found = psnr(estimate[blur.window].numpy(), truth)
        if found > best:
            best, at = found, number
        elif number > at + PATIENCE:
            break
    return best


def wiener(image: np.ndarray, psf: np.ndarray) -> np.ndarray:
    """Apply the unsupervised Wiener filter of skimage to the mirrored image."""
    margin = 2 * max(psf.shape)
    padded = np.pad(image, margin, mode="symmetric") / 255
    return unsupervised_wiener(padded, psf, rng=0)[0][margin:-margin, margin:-margin] * 255


def main() -> None:
    """Measure, and print a record for each image, PSF and noise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the images")
    parser.add_argument("--output", type=Path, help="file of the results (JSON lines)")
    parser.add_argument("--only", nargs="+", help="names of images")
    parser.add_argument("--presets", nargs="+", default=["fast", "best"])
    parser.add_argument("--scale", type=float, default=1.0, help="of the PSF that is given")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for path in sorted((chosen.data / "inpainting11").glob("*.png")):
        if chosen.only and path.stem not in chosen.only:
            continue
        for name, psf in PSFS.items():
            if chosen.scale != 1 and name not in SIGMAS:
                continue
            given = psf if chosen.scale == 1 else gaussian_psf(chosen.scale * SIGMAS[name])
            for noise in NOISES:
                truth, image = observed(path, psf, noise, chosen.seed)
                row = {"image": path.stem, "psf": name, "noise": noise, "scale": chosen.scale}
                found = {
                    "blurred": psnr(image, truth),
                    "wiener": psnr(wiener(image, given), truth),
                    "RL": richardson_lucy(image, given, truth),
                    "RL-TV": max(richardson_lucy(image, given, truth, w) for w in WEIGHTS),
                }
                for preset in chosen.presets:
                    start = time.process_time()
                    result = restore(Deconvolve(image, psf=given), preset=preset, threads=1).image
                    found[f"{preset}_cpu_seconds"] = time.process_time() - start
                    found[preset] = psnr(result, truth)
                row |= {key: round(value, 2) for key, value in found.items()}
                print(json.dumps(row), flush=True)
                if chosen.output:
                    with chosen.output.open("a") as file:
                        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
