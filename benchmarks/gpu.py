"""Times of all tasks and presets on one device, and whether it agrees with the CPU.

    python benchmarks/gpu.py [--device cuda] [--sizes 256 512 2048] [--steps 60] [--output gpu.json]

Needs no data: the image is drawn. Each fit makes some steps only, and the time of the whole is
extrapolated from them. Measurements that would begin after `--limit` seconds are left out, and
reported as such. Prints a table and writes the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import napari_deep_image_prior as dip
from napari_deep_image_prior.restoration.devices import choose_device, device_name

if TYPE_CHECKING:
    from collections.abc import Sequence

PRESETS = ("fast", "best", "paper")
AGREEMENT = 1e-2
"""Largest difference between two devices after a few steps, relative to the noise."""
NOISE = 20.0
"""Standard deviation of the noise, in gray levels."""


@dataclass(frozen=True)
class Measurement:
    """Times of one task with one preset."""

    task: str
    preset: str
    size: int
    before_fit: float
    """Seconds before the first step of the network."""
    step: float
    """Seconds of a step of the network."""
    finish: float
    """Seconds from the last step to the result."""
    whole: float
    """Seconds of the complete restoration, extrapolated to the largest number of steps."""
    memory: float | None
    """Peak memory on a CUDA device in MB, None elsewhere."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status: 1 if the devices disagree."""
    options = _options(arguments)
    device = choose_device(options.device)
    started = time.perf_counter()
    differences = {kind: difference(kind, device) for kind in KINDS}
    measured: list[Measurement] = []
    left_out = []
    for size in options.sizes:
        for kind in KINDS:
            for preset in PRESETS:
                if time.perf_counter() - started > options.limit:
                    left_out.append(f"{kind} {preset} {size}")
                else:
                    measured.append(measure(kind, preset, size, device, options.steps))
                    print(_row(measured[-1]), file=sys.stderr)
    report = {
        "device": device_name(device),
        "torch": torch.__version__,
        "steps": options.steps,
        "largest difference to the CPU": differences,
        "measurements": [asdict(one) for one in measured],
        "left out for lack of time": left_out,
    }
    options.output.write_text(json.dumps(report, indent=2))
    print(f"{report['device']}, torch {torch.__version__}")
    print("| task | preset | size | before the fit, s | a step, ms | finish, s | whole, s | MB |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(map(_row, measured)))
    if left_out:
        print("left out for lack of time: " + ", ".join(left_out))
    for kind, value in differences.items():
        print(f"{kind}: differs from the CPU by {value:.2g} of the noise at most")
    return int(max(differences.values()) > AGREEMENT)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 2048], help="in pixels")
    parser.add_argument("--steps", type=int, default=60, help="steps of the network to time")
    parser.add_argument("--limit", type=float, default=420, help="seconds")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"))
    return parser.parse_args(arguments)


def _scene(size: int) -> np.ndarray:
    """Return a drawn image with noise: disks, an edge and a grating."""
    y, x = np.mgrid[:size, :size]
    scene = 90 + 40 * np.sin(x / 7) * (y > size / 2) + 60 * (x > 0.7 * size)
    for number in range(20):
        center = np.array([37, 61]) * number % size
        scene += 50 * (np.hypot(y - center[0], x - center[1]) < size / 20)
    return scene + np.random.default_rng(0).normal(0, NOISE, scene.shape)


def _inpaint(image: np.ndarray) -> dip.Task:
    return dip.Inpaint(image, missing=np.random.default_rng(1).random(image.shape) < 0.5)


def _enlarge(image: np.ndarray) -> dip.Task:
    edge = len(image) // 2
    return dip.SuperResolve(image[: 2 * edge : 2, : 2 * edge : 2], factor=2)


KINDS = {"denoise": dip.Denoise, "inpaint": _inpaint, "super-resolve": _enlarge}


def measure(kind: str, preset: str, size: int, device: torch.device, steps: int) -> Measurement:
    """Time some steps of a restoration."""
    task = KINDS[kind](_scene(size))
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    marks = [time.perf_counter()]
    fitted = total = 0
    with dip.iter_restore(task, preset=preset, device=str(device)) as restoring:
        restoring.wants_image = lambda: False
        for step in restoring:
            if step.stage != "fitting" or step.result is not None:
                continue
            if fitted in (0, steps):  # the first step includes the setup
                marks.append(time.perf_counter())
            if fitted == steps:
                total = step.total - step.iteration
                restoring.stop()
            fitted += 1
    marks.append(time.perf_counter())
    if fitted <= steps:
        raise ValueError(f"--steps {steps}: the fit has only {fitted}.")
    before, fit, finish = np.diff(marks).tolist()
    step_time = fit / steps
    runs = getattr(restoring.settings, "runs", 1)
    whole = runs * (before + fit + total * step_time) + finish
    memory = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
    return Measurement(kind, preset, size, before, step_time, finish, whole, memory)


def difference(kind: str, device: torch.device) -> float:
    """Return the largest difference to the result of the CPU after a few steps, in noise levels."""
    task = KINDS[kind](_scene(96))
    few = {"factor": 2} if kind == "super-resolve" else {}
    settings = replace(dip.preset_settings(kind, "fast", **few), iterations=5)
    on_device, on_cpu = (
        dip.restore(task, settings=settings, device=where).image for where in (str(device), "cpu")
    )
    return float(np.abs(on_device - on_cpu).max() / NOISE)


def _row(one: Measurement) -> str:
    memory = "-" if one.memory is None else f"{one.memory:.0f}"
    return (
        f"| {one.task} | {one.preset} | {one.size} | {one.before_fit:.2f} | {1e3 * one.step:.1f} "
        f"| {one.finish:.2f} | {one.whole:.1f} | {memory} |"
    )


if __name__ == "__main__":
    sys.exit(main())
