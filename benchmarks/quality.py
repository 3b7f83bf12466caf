"""Quality and time of a preset against classical methods, on images with known truth.

    python benchmarks/quality.py --data DIR [--only inpaint] [--preset fast] [--seeds 2] [--set iterations=500]

The folder holds inpainting11/, set5/ and microscopy/ (see docs/benchmarks.md). PSNR in
dB; denoised microscopy after a linear brightness fit; super-resolution on the Y channel
without a border of 4 pixels.
"""

from __future__ import annotations

import argparse
import ast
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from skimage import io
from skimage.restoration import denoise_nl_means, estimate_sigma, inpaint_biharmonic

import napari_deep_image_prior as dip
from napari_deep_image_prior.measurement import Downsample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_deep_image_prior.tasks import Task

GREY = ("house", "peppers", "cameraman", "montage")
SET5 = ("baby", "bird", "butterfly", "head", "woman")
FMD = ("fmd_confocal_mice", "fmd_confocal_bpae_b", "fmd_confocal_bpae_g", "fmd_confocal_bpae_r")


@dataclass
class Case:
    kind: str
    name: str
    task: Task
    start: np.ndarray
    classical: np.ndarray
    psnr: Callable[[np.ndarray], float]


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean((np.clip(image, 0, 255).astype(float) - truth) ** 2))


def fitted_psnr(image: np.ndarray, truth: np.ndarray) -> float:
    slope, offset = np.polyfit(image.ravel().astype(float), truth.ravel().astype(float), 1)
    return 10 * np.log10(255**2 / np.mean((slope * image.astype(float) + offset - truth) ** 2))


def luma(image: np.ndarray) -> np.ndarray:
    """Y of (3, Y, X) RGB in 0..255, without the border."""
    y = 16 + np.tensordot([65.481, 128.553, 24.966], np.clip(image, 0, 255).astype(float), 1) / 255
    return y[4:-4, 4:-4]


def non_local_means(noisy: np.ndarray) -> np.ndarray:
    sigma = float(estimate_sigma(noisy))
    return denoise_nl_means(noisy.astype(float), h=0.8 * sigma, sigma=sigma, patch_size=5, patch_distance=9)


def denoising(data: Path, seed: int) -> Iterator[Case]:
    for name in GREY:
        truth = io.imread(data / "inpainting11" / f"{name}.png").astype(float)
        noisy = truth + np.random.default_rng(seed).normal(0, 25, truth.shape)
        yield Case(
            "denoise sigma 25",
            name,
            dip.Denoise(noisy),
            noisy,
            non_local_means(noisy),
            lambda x, t=truth: psnr(x, t),
        )


def microscopy(data: Path, _seed: int) -> Iterator[Case]:
    for name in FMD:
        raw, truth = (io.imread(data / "microscopy" / f"{name}_{kind}.tif") for kind in ("raw", "gt"))
        yield Case(
            "denoise microscopy",
            name,
            dip.Denoise(raw),
            raw,
            non_local_means(raw),
            lambda x, t=truth: fitted_psnr(x, t),
        )


def inpainting(data: Path, seed: int) -> Iterator[Case]:
    for name in GREY:
        truth = io.imread(data / "inpainting11" / f"{name}.png")
        missing = np.random.default_rng(seed).random(truth.shape) < 0.5
        holed = np.where(missing, 0, truth).astype(np.uint8)
        fill = 255 * inpaint_biharmonic(holed / 255, missing)
        yield Case(
            "inpaint 50 %",
            name,
            dip.Inpaint(holed, missing=missing),
            holed,
            fill,
            lambda x, t=truth: psnr(x, t),
        )


def super_resolution(data: Path, _seed: int) -> Iterator[Case]:
    for name in SET5:
        truth = np.moveaxis(io.imread(data / "set5" / f"{name}.png"), -1, 0)
        truth = truth[:, : truth.shape[1] // 4 * 4, : truth.shape[2] // 4 * 4]
        small_shape = (truth.shape[1] // 4, truth.shape[2] // 4)
        shrink = Downsample.lanczos(truth.shape[1:], small_shape)
        small = shrink.forward(torch.from_numpy(truth.astype(np.float32))[None])
        bicubic = torch.nn.functional.interpolate(small, scale_factor=4, mode="bicubic", antialias=True)[0].numpy()
        nearest = small[0].numpy().repeat(4, 1).repeat(4, 2)
        task = dip.SuperResolve(small[0].numpy(), factor=4, channel_axis=0)
        yield Case("super-resolve x4", name, task, nearest, bicubic, lambda x, t=truth: psnr(luma(x), luma(t)))


CASES = {
    "denoise": denoising,
    "microscopy": microscopy,
    "inpaint": inpainting,
    "super-resolve": super_resolution,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES))
    parser.add_argument("--images", nargs="+", help="names; all by default")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="change numbers of the preset")
    options = parser.parse_args()
    changes = {name: ast.literal_eval(value) for name, value in (change.split("=", 1) for change in options.set)}
    print(f"| task | image | seed | input | classical | {options.preset} | gain | seconds | why it stopped |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in options.only:
        gains = []
        for seed in range(options.seeds):
            for case in CASES[kind](options.data, seed):
                if not options.images or case.name in options.images:
                    gains.append(run(case, seed, options, changes))
        if gains:
            print(f"| {kind} | mean | | | | | {np.mean(gains):+.2f} | | |", flush=True)


def run(case: Case, seed: int, options: argparse.Namespace, changes: dict[str, object]) -> float:
    settings = replace(dip.preset_settings(case.task.kind, options.preset, factor=4), **changes)
    started = time.perf_counter()
    result = dip.restore(case.task, settings=settings, seed=seed, device=options.device)
    seconds = time.perf_counter() - started
    before, classical, ours = (case.psnr(image) for image in (case.start, case.classical, result.image))
    row = (
        f"{before:.2f} | {classical:.2f} | {ours:.2f} | {ours - classical:+.2f} | {seconds:.0f} | {result.stop_reason}"
    )
    print(f"| {case.kind} | {case.name} | {seed} | {row} |", flush=True)
    return ours - classical


if __name__ == "__main__":
    main()
