"""Measurement of a table's figures: restore a case by a method and record everything relevant.

Each figure is a JSON file, with the restored image in a TIFF file beside it. Existing figures are
not measured again; an interrupted run of the published method continues from its last checkpoint.
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
    """The measurement of one image by one method, with its conditions."""

    table: str
    image: str
    shape: tuple[int, ...]
    """Shape of the restored image."""
    method: str
    psnr: dict[str, float]
    """PSNR in dB; for published denoising, of the last iterate, the moving average and the mean of
    two runs."""
    seconds: float
    device: str
    seed: int
    iterations: int = 0
    """Iterations of the network's fit in each run; 0 for baselines."""
    published_iterations: int = 0
    """Published iterations; 0 if none were published."""
    stop_reason: str = ""
    settings: dict[str, Any] | None = None
    """Settings as a dict; None for a baseline."""
    recoveries: int = 0
    """Steps of the published method that were undone."""
    input_sha256: str = ""
    """First 16 digits of the hash of the corrupted image's values."""
    versions: dict[str, str] = field(default_factory=dict)
    date: str = ""
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    """For the published method: iteration, PSNR of the last output and of the moving average."""

    @property
    def is_shortened(self) -> bool:
        """Whether it had fewer iterations than published."""
        return self.iterations < self.published_iterations


@dataclass(frozen=True)
class Job:
    """A figure to measure."""

    table: str
    """Its table or picture."""
    image: str
    method: str
    settings: Settings | None
    """None for a baseline."""
    seed: int
    """Seed of the corruption and of the fit."""
    published_iterations: int
    """Published iterations; 0 if none were published."""
    pixels: int
    """Number of pixels of the restored image, as published."""
    make_case: Callable[[int], Case]
    """Returns the corrupted image for a seed."""
    path: Path
    """Path of the figure's JSON file."""


def read_figure(path: Path) -> Figure:
    """Read a figure's JSON file.

    Raises
    ------
    ValueError
        If it is not a figure's file.
    """
    try:
        return Figure(**json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: is not a figure of this program ({error}); delete it to measure it again."
        ) from error


def check_figure(figure: Figure, job: Job) -> None:
    """Raise ValueError if an existing figure has other settings than the job."""
    settings = None if job.settings is None else settings_to_dict(job.settings)
    if figure.settings != settings:
        raise ValueError(
            f"{job.path}: was measured with other settings than the current ones; "
            "delete it, or use another --output."
        )


def measure(job: Job, device: torch.device, threads: int | None, report: Reporter) -> Figure:
    """Measure a figure, and write it and the restored image.

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
        figure, image = _by_self_supervised_fit(case, job, job.settings, device, threads, report)
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
    # a hash of this package's sources, as its version does not change between releases
    versions = {"sources": sources.hexdigest()[:12]}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _by_baseline(case: Case, job: Job) -> tuple[Figure, NDArray[np.float64]]:
    started = time.perf_counter()
    with explained_errors(torch.device("cpu")), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of the libraries
        image = BASELINES[case.task.kind][job.method](case)
    seconds = time.perf_counter() - started
    return _figure(case, job, {RESTORED: case.psnr(image)}, seconds, "cpu"), image


def _by_self_supervised_fit(
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
