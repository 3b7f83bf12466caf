"""One figure of a table: restore a case by a method and note all that the figure depends on.

Every figure is a JSON file, with the restored image as TIFF beside it. What has a file
is not measured again; a run of the published method that is broken off goes on from its
last checkpoint.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import time
import warnings
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..encoding import fingerprint
from ..io.files import write_image, write_whole
from ..io.image_file import FileError, ImageFile
from ..methods.deep_image_prior.settings import DeepImagePriorFit
from ..methods.registry import settings_to_dict
from ..restoration.api import iter_restore
from ..restoration.base import explained_errors
from ..restoration.devices import device_name, fit_environment
from .baselines import BASELINES
from .published import RESTORED
from .published_run import PART, PublishedRun, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..fitting.settings import Settings
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
    """None for a baseline."""
    recoveries: int = 0
    """Bad steps of the published method that were taken back."""
    input_sha256: str = ""
    """Of the corrupted image's values, the first 16 digits."""
    versions: dict[str, str] = field(default_factory=dict)
    date: str = ""
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    """Iteration, PSNR of the last output and PSNR of the moving average, of the published method."""

    @property
    def is_shortened(self) -> bool:
        """Whether it had fewer iterations than were published."""
        return self.iterations < self.published_iterations


@dataclass(frozen=True)
class Job:
    """A figure to measure."""

    table: str
    """The table or picture it belongs to."""
    image: str
    method: str
    settings: Settings | None
    """None for a baseline."""
    seed: int
    """Of the corruption and of the fit."""
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
        raise ValueError(
            f"{path}: is no figure of this program ({error}); delete it to measure it again."
        ) from error


def check_figure(figure: Figure, job: Job) -> None:
    """Raise ValueError if a figure that is there was not made as it would be now."""
    settings = None if job.settings is None else settings_to_dict(job.settings)
    if figure.settings != settings:
        raise ValueError(
            f"{job.path}: was measured with other settings than today's; delete it, or write to another --output."
        )


def measure(job: Job, device: torch.device, threads: int | None, report: Reporter) -> Figure:
    """Measure a figure and write it and the restored image.

    Raises
    ------
    FileError
        If the image cannot be read.
    RestorationError
        If it could not be restored.
    OSError
        If the result cannot be written.
    """
    case = job.make_case(job.seed)
    job.path.parent.mkdir(parents=True, exist_ok=True)
    if job.settings is None:
        figure, image = _by_baseline(case, job)
    elif isinstance(job.settings, DeepImagePriorFit):
        figure, image = _by_published_method(case, job, job.settings, device, threads, report)
    else:
        figure, image = _by_quick_fit(case, job, job.settings, device, threads, report)
    restored = ImageFile(image.astype(np.float32), case.task.channel_axis)
    try:
        write_image(job.path.with_suffix(".tif"), restored, asdict(figure))
        write_whole(job.path, json.dumps(asdict(figure), indent=1))
    except FileError as error:
        raise OSError(str(error)) from error
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
        job.seed,
        published_iterations=job.published_iterations,
        settings=None if job.settings is None else settings_to_dict(job.settings),
        input_sha256=fingerprint(np.asarray(case.task.image)),
        versions=_versions(),
        date=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
    )


def _versions() -> dict[str, str]:
    sources = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].glob("**/*.py")):
        sources.update(path.read_bytes())
    found = {
        "sources": sources.hexdigest()[:12]
    }  # of this package: its version number says little between releases
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _by_baseline(case: Case, job: Job) -> tuple[Figure, NDArray[np.float64]]:
    started = time.perf_counter()
    with explained_errors(torch.device("cpu")), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries
        image = BASELINES[case.task.kind][job.method](case)
    seconds = time.perf_counter() - started
    return _figure(case, job, {RESTORED: case.psnr(image)}, seconds, "cpu"), image


def _by_quick_fit(
    case: Case,
    job: Job,
    settings: Settings,
    device: torch.device,
    threads: int | None,
    report: Reporter,
) -> tuple[Figure, NDArray[np.float64]]:
    with iter_restore(
        case.task, settings=settings, device=str(device), seed=job.seed, threads=threads
    ) as steps:
        steps.wants_image = lambda: False
        for step in steps:
            report(step.iteration, step.total, step.seconds_left, None)
        result = steps.result
    psnr, seconds = {RESTORED: case.psnr(result.image)}, result.provenance["seconds"]
    figure = _figure(case, job, psnr, seconds, result.provenance["device_name"])
    return replace(
        figure, iterations=result.iterations, stop_reason=result.stop_reason
    ), result.image


def _by_published_method(
    case: Case,
    job: Job,
    settings: DeepImagePriorFit,
    device: torch.device,
    threads: int | None,
    report: Reporter,
) -> tuple[Figure, NDArray[np.float64]]:
    with fit_environment(threads), explained_errors(device):
        run = PublishedRun(case, settings, job.seed, device, job.path.with_suffix(PART))
        psnr = run.to_its_end(report)
        figure = _figure(case, job, psnr, run.seconds, device_name(device, threads))
        figure = replace(
            figure, iterations=settings.iterations, stop_reason=run.restorer.stop_reason
        )
        return replace(figure, curve=run.curve, recoveries=run.restorer.recoveries), run.image()
