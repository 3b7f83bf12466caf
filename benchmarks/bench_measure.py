"""One measurement of the benchmark, in its own process to measure its peak memory."""

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

from napari_deep_image_prior import SuperResolve, iter_restore, preset_settings
from napari_deep_image_prior.fitting.recovery import CHECK_EVERY
from napari_deep_image_prior.restoration.devices import choose_device

if TYPE_CHECKING:
    from napari_deep_image_prior import Settings, Steps

LOOK_EVERY = 20
"""Iterations between two measurements of the PSNR of a fit."""
TIMED = 4
"""Number of timed steps of the published method, after a warm-up step."""


@dataclass(frozen=True)
class Job:
    """What is measured; identifies a measurement."""

    table: str
    """quality, regret or noise."""
    suite: str
    image: str
    method: str
    seed: int
    changes: tuple[tuple[str, object], ...] = ()
    """Changed numbers of the preset."""

    @property
    def label(self) -> str:
        """The method and its changes."""
        return ", ".join([self.method, *(f"{name}={value}" for name, value in self.changes)])

    @property
    def identity(self) -> dict[str, object]:
        """The entries of a record that identify its job."""
        identity = {name: getattr(self, name) for name in ("table", "suite", "image", "seed")}
        return {**identity, "method": self.label}


@dataclass(frozen=True)
class Conditions:
    """The folder of the images, and the hardware that a job uses."""

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
        started = _Times()
        restored = CLASSICAL[case.task.kind][job.method](case)
        return _judged(case, restored, started)
    _wake(conditions.device)
    if job.method == PAPER:
        return {"seconds": _paper_seconds(case, conditions)}
    settings = settings_of(case.task.kind, job)
    if job.table == "regret":
        return _regret(case, job, conditions, settings)
    started = _Times()
    with _steps(case, settings, job.seed, conditions) as steps:
        steps.wants_image = lambda: False
        for step in steps:
            if job.method == START and step.fitted:  # what precedes the fit is complete
                steps.stop()
    found = _judged(case, steps.result.image, started)
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
    """Return the settings of one of our fits (for super-resolution, by a factor of 4).

    Raises
    ------
    TypeError, ValueError
        If the changes are invalid for the preset.
    """
    if job.method == START:
        # the network initially changes nothing, and steps of this size keep it so
        return replace(preset_settings(kind, "fast", factor=4), learning_rate=1e-9)
    return replace(preset_settings(kind, job.method, factor=4), **dict(job.changes))


class _Times:
    """The time since this moment: of the clock on the wall, and of all CPU cores."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def passed(self) -> dict[str, object]:
        return {
            "seconds": round(time.perf_counter() - self._wall, 3),
            "cpu_seconds": round(time.process_time() - self._cpu, 3),
        }


def _judged(case: Case, restored, started: _Times) -> dict[str, object]:  # noqa: ANN001
    return {
        "psnr": round(case.psnr(restored), 3),
        "ssim": round(case.ssim(restored), 4),
        **started.passed(),
    }


def _paper_seconds(case: Case, conditions: Conditions) -> float:
    """Return the seconds of the published fit, extrapolated from its fastest timed step."""
    factor = max(case.task.factors) if isinstance(case.task, SuperResolve) else 1
    settings = preset_settings(case.task.kind, "paper", factor=factor)
    # a fit waits for a GPU only at every tenth step
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
    """Compare the PSNR of the result with that of the best iterate."""
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
    """Initialize a GPU before anything is timed."""
    chosen = choose_device(device)
    if chosen.type != "cpu":
        one = torch.ones((1, 1, 8, 8), device=chosen)
        float(torch.nn.functional.conv2d(one, one).sum())


def _peak_memory(job: Job, conditions: Conditions) -> int:
    """Return the peak in MB: torch's allocations on a CUDA device, else the resident memory."""
    device = choose_device(conditions.device)
    if device.type == "cuda" and job.method not in CLASSICAL[SUITES[job.suite].kind]:
        return round(torch.cuda.max_memory_allocated(device) / 1e6)
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would include the parent process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) * 1024 / 1e6)
    import resource  # not available on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)
