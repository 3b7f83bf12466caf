"""One measurement of the benchmark, made in a process of its own so that its memory can be told."""

from __future__ import annotations

import datetime as dt
import itertools
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import bench_noise
import torch
from bench_cases import SUITES, Case
from bench_methods import CLASSICAL, PAPER, START

from napari_deep_image_prior.fitting.recovery import CHECK_EVERY
from napari_deep_image_prior.methods.registry import preset_settings
from napari_deep_image_prior.methods.super_resolution.task import SuperResolve
from napari_deep_image_prior.restoration.api import iter_restore
from napari_deep_image_prior.restoration.devices import choose_device

if TYPE_CHECKING:
    from napari_deep_image_prior.fitting.settings import Settings
    from napari_deep_image_prior.restoration.steps import Steps

LOOK_EVERY = 20
"""Iterations between looks at the PSNR of a fit."""
TIMED = 4
"""Times that the published method's step is timed, after one that warms up."""


@dataclass(frozen=True)
class Job:
    """What is measured; also what tells a measurement from others."""

    table: str
    """quality, regret or noise."""
    suite: str
    image: str
    method: str
    seed: int
    changes: tuple[tuple[str, object], ...] = ()
    """Numbers of the preset that are changed."""

    @property
    def label(self) -> str:
        """The method, and what was changed of it."""
        return ", ".join([self.method, *(f"{name}={value}" for name, value in self.changes)])

    @property
    def identity(self) -> dict[str, object]:
        """What a record says of its job."""
        identity = {name: getattr(self, name) for name in ("table", "suite", "image", "seed")}
        return {**identity, "method": self.label}


@dataclass(frozen=True)
class Conditions:
    """Where the images are, and on what a job runs."""

    data: Path
    device: str
    threads: int | None


def in_child(job: Job, conditions: Conditions) -> dict[str, object]:
    """Measure in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, job, conditions).result()


def measure(job: Job, conditions: Conditions) -> dict[str, object]:
    """Measure and return the record."""
    if job.table == "noise":
        found = bench_noise.estimate(conditions.data, job.image, job.suite, job.seed)
    else:
        case = SUITES[job.suite].make(conditions.data, job.image, job.seed)
        found = _measured(case, job, conditions)
        found["memory"] = _peak_memory(job, conditions)
    return {**job.identity, **found, "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")}


def _measured(case: Case, job: Job, conditions: Conditions) -> dict[str, object]:
    if job.method in CLASSICAL[case.task.kind]:
        started = time.perf_counter()
        restored = CLASSICAL[case.task.kind][job.method](case)
        return _judged(case, restored, time.perf_counter() - started)
    _wake(conditions.device)
    if job.method == PAPER:
        return {"seconds": _paper_seconds(case, conditions)}
    settings = settings_of(case.task.kind, job)
    if job.table == "regret":
        return _regret(case, job, conditions, settings)
    started = time.perf_counter()
    with _steps(case, settings, job.seed, conditions) as steps:
        steps.wants_image = lambda: False
        for _step in steps:
            if job.method == START:
                steps.stop()
    found = _judged(case, steps.result.image, time.perf_counter() - started)
    return {**found, "iterations": steps.result.iterations, "stop_reason": steps.result.stop_reason}


def _steps(case: Case, settings: Settings, seed: int, conditions: Conditions) -> Steps:
    return iter_restore(
        case.task,
        settings=settings,
        device=conditions.device,
        seed=seed,
        threads=conditions.threads,
    )


def settings_of(kind: str, job: Job) -> Settings:
    """Return the settings of one of our fits, super-resolution by 4.

    Raises
    ------
    TypeError, ValueError
        If the changes do not suit it.
    """
    if job.method == START:
        # the network starts by changing nothing, and steps of this size leave it so
        return replace(preset_settings(kind, "fast", factor=4), learning_rate=1e-9)
    return replace(preset_settings(kind, job.method, factor=4), **dict(job.changes))


def _judged(case: Case, restored, seconds: float) -> dict[str, object]:  # noqa: ANN001
    return {
        "psnr": round(case.psnr(restored), 3),
        "ssim": round(case.ssim(restored), 4),
        "seconds": round(seconds, 3),
    }


def _paper_seconds(case: Case, conditions: Conditions) -> float:
    """Return the seconds of the whole published fit, from the best of a few of its steps."""
    factor = max(case.task.factors) if isinstance(case.task, SuperResolve) else 1
    settings = preset_settings(case.task.kind, "paper", factor=factor)
    # a GPU is waited for at every tenth step only
    steps_at_once = 1 if choose_device(conditions.device).type == "cpu" else CHECK_EVERY
    times = []
    with _steps(case, settings, 0, conditions) as steps:
        steps.wants_image = lambda: False
        for _ in range(1 + TIMED):
            started = time.perf_counter()
            for _step in itertools.islice(steps, steps_at_once):
                pass
            times.append((time.perf_counter() - started) / steps_at_once)
    return round(settings.iterations * settings.runs * min(times[1:]), 2)


def _regret(case: Case, job: Job, conditions: Conditions, settings: Settings) -> dict[str, object]:
    """Follow the PSNR of a fit, to compare the image it ends with to the best on the way."""
    count = itertools.count(1)
    looks: list[tuple[float, int]] = []
    with _steps(case, settings, job.seed, conditions) as steps:
        steps.wants_image = lambda: next(count) % LOOK_EVERY == 0
        for step in steps:
            if step.image is not None and step.result is None:
                looks.append((case.psnr(step.image), step.iteration))
    result = case.psnr(steps.result.image)
    best, at = max(looks, default=(result, step.iteration))
    return {
        "psnr": round(result, 3),
        "best": round(best, 3),
        "best_at": at,
        "last": round(looks[-1][0] if looks else result, 3),
        "steps": step.iteration,
        "stop_reason": steps.result.stop_reason,
    }


def _wake(device: str) -> None:
    """Start a GPU before anything is timed."""
    chosen = choose_device(device)
    if chosen.type != "cpu":
        one = torch.ones((1, 1, 8, 8), device=chosen)
        float(torch.nn.functional.conv2d(one, one).sum())


def _peak_memory(job: Job, conditions: Conditions) -> int:
    """Return the peak in MB: what torch held on a CUDA device, else the resident memory."""
    device = choose_device(conditions.device)
    if device.type == "cuda" and job.method not in CLASSICAL[SUITES[job.suite].kind]:
        return round(torch.cuda.max_memory_allocated(device) / 1e6)
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would count the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) * 1024 / 1e6)
    import resource  # there is none on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)
