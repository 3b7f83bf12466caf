"""Compare the restoration of volumes with that of planes, BM4D and interpolation.

    python benchmarks/volumes.py --data DIR [--output FILE] [--only NAME ...] [--photons N ...]
    python benchmarks/volumes.py --data DIR --task inpaint
    python benchmarks/volumes.py --data DIR --task super-resolve [--edge N]

DIR has the folder `microscopy` of the other benchmarks. A central part of each stack gets simulated
photon noise and read noise of one electron; `photons` is the number of photons at the 99.8 %
quantile of its intensities. PSNR is measured on every fifth plane: these alone are restored plane
by plane, as the whole stack would take long. VST + BM4D receives the noise model that this project
estimates in the volume. BM4D runs if the package `bm4d` is installed (not free for commercial use).

With `--task inpaint`, three planes of the whole stack are missing, at a quarter, half and three
quarters of its depth; compared with linear interpolation along Z. With `--task super-resolve`, the
stack is downsampled along Z by 3 with a Lanczos filter and enlarged again; compared with cubic
interpolation.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tifffile import imread

from napari_deep_image_prior import Denoise, Inpaint, SuperResolve, restore
from napari_deep_image_prior.arrays import montage
from napari_deep_image_prior.noise.estimation import estimate_noise
from napari_deep_image_prior.resampling import cubic_matrix, lanczos_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

STACKS = {
    "cells3d_nuclei": (0.29, 0.26, 0.26),
    "mesospim_c5image_uint16": None,
    "plantseg_1136_mini_raw": (0.2837, 0.1276, 0.1276),
    "isbi2012_sstem_train": (50, 4, 4),
}
"""Voxel spacings of the stacks, where they are known."""
PART = (32, 128, 128)
"""Size of the part of a stack that is used."""
EVERY = 5
READ_NOISE = 1.0


def noisy_part(path: Path, photons: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the clean and the noisy part of a stack, in photons."""
    stack = imread(path).astype(float)
    low, high = np.percentile(stack, [0.1, 99.8])
    inside = tuple(
        slice((size - min(size, part)) // 2, (size + min(size, part)) // 2)
        for size, part in zip(stack.shape, PART, strict=True)
    )
    clean = photons * ((stack[inside] - low) / (high - low)).clip(0)
    random = np.random.default_rng(seed)
    noisy = random.poisson(clean) + random.normal(0, READ_NOISE, clean.shape)
    return clean, noisy.astype(np.float32)


def stabilized_bm4d(noisy: np.ndarray) -> np.ndarray:
    """Stabilize the variance with our noise estimate, apply BM4D, and invert."""
    import bm4d

    model = estimate_noise(montage(noisy[None].astype(float))[0])
    return model.invert(np.asarray(bm4d.bm4d(model.stabilize(noisy.astype(float)), 1.0)))


def _psnr(image: np.ndarray, truth: np.ndarray, whole: np.ndarray) -> float:
    return round(float(10 * np.log10(np.ptp(whole) ** 2 / np.square(image - truth).mean())), 3)


def compare_missing_planes(stack: np.ndarray, how: dict[str, object]) -> dict[str, object]:
    """Return the PSNR of missing planes, filled by linear interpolation and by `Inpaint`."""
    gone = [len(stack) * part // 4 for part in (1, 2, 3)]
    missing = np.zeros(stack.shape, dtype=bool)
    missing[gone] = True
    truth = stack.astype(float)
    linear = np.stack([(truth[z - 1] + truth[z + 1]) / 2 for z in gone])
    start = time.process_time()
    result = restore(Inpaint(stack, missing=missing), **how)
    return {
        "linear": _psnr(linear, truth[gone], truth),
        "filled": _psnr(result.image[gone], truth[gone], truth),
        "cpu_seconds": round(time.process_time() - start, 1),
        "stop_reason": result.stop_reason,
    }


def compare_enlarged(stack: np.ndarray, edge: int, how: dict[str, object]) -> dict[str, object]:
    """Return the PSNR of a stack downsampled along Z by 3, interpolated and enlarged."""
    deep = len(stack) // 3 * 3
    first = [max(0, (size - edge) // 2) for size in stack.shape[1:]]
    truth = stack[:deep, first[0] : first[0] + edge, first[1] : first[1] + edge].astype(float)
    small = np.tensordot(lanczos_matrix(deep, deep // 3), truth, (1, 0)).astype(np.float32)
    cubic = np.tensordot(cubic_matrix(deep // 3, deep), small, (1, 0))
    start = time.process_time()
    result = restore(SuperResolve(small, factor=(3, 1, 1)), **how)
    return {
        "cubic": _psnr(cubic, truth, truth),
        "enlarged": _psnr(result.image, truth, truth),
        "cpu_seconds": round(time.process_time() - start, 1),
        "stop_reason": result.stop_reason,
    }


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the images")
    parser.add_argument("--output", type=Path, help="file of the results (JSON lines)")
    parser.add_argument("--only", nargs="+", choices=STACKS, default=list(STACKS))
    parser.add_argument("--photons", nargs="+", type=float, default=[100.0, 20.0, 5.0])
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--methods", nargs="+", default=["planes", "volume", "VST + BM4D"])
    parser.add_argument(
        "--task", default="denoise", choices=("denoise", "inpaint", "super-resolve")
    )
    parser.add_argument("--edge", type=int, default=128, help="edge of the enlarged part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    how = {"preset": chosen.preset, "seed": chosen.seed, "threads": chosen.threads}
    for name in chosen.only:
        path = chosen.data / "microscopy" / f"{name}.tif"
        if not path.exists():
            print(f"{path} is missing; skipped")
            continue
        if chosen.task != "denoise":
            stack = imread(path)
            found = (
                compare_missing_planes(stack, how)
                if chosen.task == "inpaint"
                else compare_enlarged(stack, chosen.edge, how)
            )
            _report({"stack": name, "task": chosen.task, **found}, chosen.output)
            continue
        for photons in chosen.photons:
            clean, noisy = noisy_part(path, photons, chosen.seed)

            def planes(noisy: np.ndarray = noisy) -> np.ndarray:
                return np.stack([restore(Denoise(each), **how).image for each in noisy[::EVERY]])

            def volume(noisy: np.ndarray = noisy, spacing: object = STACKS[name]) -> np.ndarray:
                return restore(Denoise(noisy, spacing=spacing), **how).image[::EVERY]

            def bm4d(noisy: np.ndarray = noisy) -> np.ndarray:
                return stabilized_bm4d(noisy)[::EVERY]

            methods: dict[str, Callable[[], np.ndarray]] = {
                "noisy": lambda noisy=noisy: noisy[::EVERY],
                "planes": planes,
                "volume": volume,
                "VST + BM4D": bm4d,
            }
            for method in ["noisy", *chosen.methods]:
                if method == "VST + BM4D" and find_spec("bm4d") is None:
                    continue
                start = time.process_time()
                restored = methods[method]()
                seconds = time.process_time() - start
                error = np.square(restored - clean[::EVERY]).mean()
                row = {
                    "stack": name,
                    "photons": photons,
                    "method": method,
                    "psnr": round(float(10 * np.log10(np.ptp(clean) ** 2 / error)), 3),
                    "cpu_seconds": round(seconds, 1),
                    "planes": len(restored) if method == "planes" else len(noisy),
                    "seed": chosen.seed,
                    "preset": chosen.preset,
                }
                _report(row, chosen.output)


def _report(row: dict[str, object], output: Path | None) -> None:
    print(json.dumps(row), flush=True)
    if output:
        with output.open("a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
