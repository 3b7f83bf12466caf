"""Measure time, memory and seams of tiled denoising.

    python benchmarks/tiles.py --sizes 1024 2048 4096 [--tile 512] [--output FILE]
    python benchmarks/tiles.py --seams [--tile 256]

Sizes: edges of images, multiples of 512, mosaics of noisy views of a picture of scikit-image, in a
zarr store. Each is restored in a process of its own, into another store, in one thread. Times are
CPU seconds; the fit is counted apart. Peak memory is above that of the imported program. `--seams`
compares a tiled result with that of one tile, with the same network, noise and weights: the mean
squared difference within 8 pixels of a border of tiles, and elsewhere.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
from skimage import data

SIGMA = 25.0


def view(seed: tuple[int, ...]) -> np.ndarray:
    """Return a noisy view of the picture, 512x512."""
    generator = np.random.default_rng(seed)
    clean = np.rot90(data.camera().astype(np.float32), int(generator.integers(4)))
    return (clean + generator.normal(0, SIGMA, clean.shape)).astype(np.float32)


def measured(edge: int, tile: int) -> dict[str, float]:
    """Restore one image and return its cost."""
    import zarr

    from napari_deep_image_prior.tiling import array

    with tempfile.TemporaryDirectory() as folder, dask.config.set(scheduler="synchronous"):
        stores = [
            zarr.create_array(
                f"{folder}/{name}", shape=(edge, edge), chunks=(256, 256), dtype="float32"
            )
            for name in ("in.zarr", "out.zarr")
        ]
        # in parts, so that the peak is not that of drawing it
        for corner in np.ndindex(edge // 512, edge // 512):
            part = tuple(slice(512 * i, 512 * (i + 1)) for i in corner)
            stores[0][part] = view(corner)
        import torch

        torch.set_num_threads(1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun, fitted = time.process_time(), 0.0

        def show(text: str) -> None:
            nonlocal fitted
            if "tiles" not in text:
                fitted = time.process_time() - begun

        array.restore_array(stores[0], stores[1], axes="yx", tile=tile, show=show)
        seconds = time.process_time() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "edge": edge,
            "tile": tile,
            "fit_cpu_seconds": round(fitted, 1),
            "tiles_cpu_seconds": round(seconds - fitted, 1),
            "seconds_per_megapixel": round((seconds - fitted) / edge**2 * 1e6, 1),
            "peak_mb_above_program": round((peak - before) / 1024),
        }


def seams(tile: int) -> dict[str, float]:
    """Return the mean squared differences to one tile, at borders and elsewhere."""
    from napari_deep_image_prior.tiling.array import restore_tiles
    from napari_deep_image_prior.tiling.learning import learned_plan
    from napari_deep_image_prior.tiling.plan import plan_of

    image = view((0,))
    plan = plan_of(image.shape, image.dtype, kind="denoise", axes="yx", options={}, tile=tile)
    *_, plan = learned_plan(plan, image)
    tiled, whole = np.empty_like(image), np.empty_like(image)
    with dask.config.set(scheduler="synchronous"):
        restore_tiles(plan, image, tiled, {})
        restore_tiles(replace(plan, edges=image.shape), image, whole, {})
    near = np.zeros(image.shape, bool)
    for border in range(tile, 512, tile):
        near[border - 8 : border + 8] = near[:, border - 8 : border + 8] = True
    squares = (tiled - whole) ** 2
    return {
        "tile": tile,
        "at_borders": round(float(squares[near].mean()), 4),
        "elsewhere": round(float(squares[~near].mean()), 4),
        "noise_variance": SIGMA**2,
    }


def main() -> None:
    """Measure and print a record for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[])
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--seams", action="store_true")
    parser.add_argument("--output", type=Path, help="file of the results (JSON lines)")
    chosen = parser.parse_args()
    records = []
    if chosen.seams:
        records.append(seams(chosen.tile))
        print(json.dumps(records[-1]), flush=True)
    for edge in chosen.sizes:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            records.append(pool.apply(measured, (edge, chosen.tile)))
        print(json.dumps(records[-1]), flush=True)
    if chosen.output:
        with chosen.output.open("a") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)


if __name__ == "__main__":
    main()
