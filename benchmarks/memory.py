"""Peak memory of the command line for a stack, in addition to that of the program itself.

    python benchmarks/memory.py [PLANES ...]

Inpaints PLANES planes of 512x512 pixels, uint16, with a small fit of two steps each; the memory of
a fit hardly depends on the number of steps. Linux only, because it reads /proc.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import tifffile

from napari_deep_image_prior import register_method
from napari_deep_image_prior.cli.main import main
from napari_deep_image_prior.methods.registry import method_of

SIZE = 512


class Peak:
    """Records the largest resident memory of this process, in MiB."""

    def __enter__(self) -> Self:
        self.before = self.largest = self._now()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            self.largest = max(self.largest, self._now())

    @staticmethod
    def _now() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def measure(planes: int, folder: Path) -> None:
    """Print the peak memory of a stack, after a warm-up with one plane."""
    random = np.random.default_rng(0)
    plane = random.integers(80, 120, (SIZE, SIZE)).astype(np.uint16)
    tifffile.imwrite(
        folder / "mask.tif", 255 * (random.random((SIZE, SIZE)) < 0.3).astype(np.uint8)
    )
    tifffile.imwrite(folder / "one.tif", plane)
    stack = np.broadcast_to(plane, (planes, SIZE, SIZE))
    tifffile.imwrite(folder / "stack.tif", stack, metadata={"axes": "ZYX"})
    del stack
    for name in ("one", "stack"):
        arguments = ["inpaint", f"{folder / name}.tif", "--missing", str(folder / "mask.tif")]
        start = time.process_time()
        with Peak() as peak:
            main([*arguments, "-o", f"{folder / name}-out.tif", "--threads", "1"])
    print(
        f"{planes} planes: input and output {planes * plane.nbytes / 2**20:.0f} MiB each, "
        f"peak {peak.largest - peak.before:.0f} MiB, {time.process_time() - start:.0f} s CPU"
    )


if __name__ == "__main__":
    inpainting = method_of("inpaint")
    few = replace(inpainting.presets["fast"], iterations=2, batch=2, crop=32)
    register_method(replace(inpainting, presets={"fast": few}))
    for count in map(int, sys.argv[1:] or ["100"]):
        with tempfile.TemporaryDirectory() as temporary:
            measure(count, Path(temporary))
