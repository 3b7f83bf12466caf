"""One figure of a table: restore a case by a method and note all that the figure depends on.

Every figure is a JSON file, with the restored image as TIFF beside it. What has a file
is not measured again; a run of the published method that is broken off goes on from its
last checkpoint.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import time
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from ..devices import choose_device, cpu_threads, device_name, reproducible_convolutions
from ..files import ImageFile, write_image, write_whole
from ..restoration import explained_errors, iter_restore
from ..settings import PriorFit, settings_to_dict
from .baselines import BASELINES
from .published import RESTORED
from .published_run import PART, PublishedRun, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from ..settings import Settings
    from .cases import Case

_PACKAGES = ("napari-deep-image-prior", "torch", "numpy", "scipy", "scikit-image", "sporco")


@dataclass(frozen=True)
class Figure:
    """What was measured of one image by one method, and how."""

    table: str
    image: str
    shape: tuple[int, ...]
    """Of the restored image."""
    method: str
    psnr: dict[str, float]
    """In dB; of the published denoising the last iterate, the moving average and the mean of two runs."""
    seconds: float
    device: str
    seed: int
    iterations: int = 0
    """Of the network's fit, of each run; 0 for the baselines."""
    published_iterations: int = 0
    """What `iterations` is without a shortening; 0 where nothing was published."""
    stop_reason: str = ""
    settings: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    date: str = ""
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    """Iteration, PSNR of the last output and PSNR of the moving average, of the published method."""

    @property
    def is_shortened(self) -> bool:
        """Whether it had fewer iterations than were published."""
        return self.iterations < self.published_iterations


@dataclass(frozen=True)
class Conditions:
    """What the same figure may be measured on or with."""

    device: str = "auto"
    seed: int = 0
    threads: int | None = None


@dataclass(frozen=True)
class Job:
    """A figure to measure."""

    table: str
    """The table or picture it belongs to."""
    image: str
    method: str
    settings: Settings | None
    """None for a baseline."""
    published_iterations: int
    """What the settings have without a shortening; 0 where nothing was published."""
    pixels: int
    """Of the restored image, as published."""
    make_case: Callable[[int], Case]
    """Corrupts the image, with a seed."""
    path: Path
    """Of the figure's JSON file."""


def read_figure(path: Path) -> Figure:
    """Read a figure's JSON file.

    Raises
    ------
    ValueError
        If the file is none.
    """
    try:
        return Figure(**json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: is no figure of this program ({error}); delete it to measure it again.") from error


def measure(job: Job, conditions: Conditions, report: Reporter) -> Figure:
    """Measure a figure and write it and the restored image."""
    job.path.parent.mkdir(parents=True, exist_ok=True)
    case = job.make_case(conditions.seed)
    if job.settings is None:
        figure, image = _by_baseline(case, job)
    elif isinstance(job.settings, PriorFit):
        figure, image = _by_published_method(case, job, job.settings, conditions, report)
    else:
        figure, image = _by_quick_fit(case, job, job.settings, conditions, report)
    figure = replace(figure, seed=conditions.seed, date=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"))
    restored = ImageFile(image.astype(np.float32), case.task.channel_axis)
    write_image(job.path.with_suffix(".tif"), restored, asdict(figure))
    write_whole(job.path, json.dumps(asdict(figure), indent=1))
    job.path.with_suffix(PART).unlink(missing_ok=True)
    return figure


def _figure(case: Case, job: Job, psnr: dict[str, float], seconds: float, device: str) -> Figure:
    known = {name: round(value, 4) for name, value in psnr.items() if not math.isnan(value)}
    return Figure(
        case.table,
        case.image,
        tuple(case.task.result_shape),
        job.method,
        known,
        round(seconds, 2),
        device,
        0,
        published_iterations=job.published_iterations,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _by_baseline(case: Case, job: Job) -> tuple[Figure, NDArray[np.float64]]:
    started = time.perf_counter()
    image = BASELINES[case.task.kind][job.method](case)
    seconds = time.perf_counter() - started
    return _figure(case, job, {RESTORED: case.psnr(image)}, seconds, "cpu"), image


def _by_quick_fit(
    case: Case, job: Job, settings: Settings, conditions: Conditions, report: Reporter
) -> tuple[Figure, NDArray[np.float64]]:
    with iter_restore(
        case.task, settings=settings, device=conditions.device, seed=conditions.seed, threads=conditions.threads
    ) as steps:
        steps.wants_image = lambda: False
        for step in steps:
            report(step.iteration, step.total, step.seconds_left, None)
        result, device = steps.result, steps.device
    figure = _figure(case, job, {RESTORED: case.psnr(result.image)}, result.provenance["seconds"], device)
    figure = replace(figure, iterations=result.iterations, stop_reason=result.stop_reason)
    return replace(figure, settings=settings_to_dict(settings)), result.image


def _by_published_method(
    case: Case, job: Job, settings: PriorFit, conditions: Conditions, report: Reporter
) -> tuple[Figure, NDArray[np.float64]]:
    device = choose_device(conditions.device)
    with cpu_threads(conditions.threads), reproducible_convolutions(), explained_errors(device):
        run = PublishedRun(case, settings, conditions.seed, device, job.path.with_suffix(PART))
        psnr = run.to_its_end(report)
        figure = _figure(case, job, psnr, run.seconds, device_name(device, conditions.threads))
        figure = replace(figure, iterations=settings.iterations, stop_reason=run.restorer.stop_reason)
        return replace(figure, settings=settings_to_dict(settings), curve=run.curve), run.image()
