"""One figure of a table: restore a case by a method and note all that the figure depends on.

Every figure is a JSON file, with the restored image as TIFF beside it. What has a file
is not measured again; a run of the published method that is broken off goes on from its
last checkpoint.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from ..arrays import channels_back
from ..devices import choose_device, cpu_threads, device_name, reproducible_convolutions
from ..files import ImageFile, write_image, write_whole
from ..prior_fit import PriorRestorer
from ..restoration import explained_errors, iter_restore
from ..restorers import choose_restorer
from ..settings import PRESETS, PriorFit, preset_settings, settings_to_dict
from .baselines import BASELINES
from .published import AVERAGE, LAST, RESTORED, TWO_RUNS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..settings import Settings
    from .cases import Case
    from .published import Table

Reporter: TypeAlias = "Callable[[int, int, float | None, float | None], None]"
"""Is told steps done, steps in all, seconds left and PSNR so far."""
CHECKPOINT_SECONDS = 60.0
CURVE_POINTS = 200
"""How often a run of the published method looks at its PSNR."""
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
    """What is asked for beside image and method."""

    device: str = "auto"
    seed: int = 0
    threads: int | None = None
    iterations: int | None = None
    """Shorten the published method to so many iterations; None: as published."""
    variant: str = "2017"
    """Upsampling and normalisation as in the torch of 2017, or of today."""


def methods(table: Table, presets: Sequence[str] = PRESETS) -> list[str]:
    """Return what a table is measured with: the baselines and the presets, the quickest first."""
    return [*BASELINES[table.kind], *(preset for preset in PRESETS if preset in presets)]


def method_settings(table: Table, method: str, conditions: Conditions) -> Settings | None:
    """Return a method's settings, None for a baseline."""
    if method in BASELINES[table.kind]:
        return None
    settings = preset_settings(table.kind, method, factor=table.factor)
    if not isinstance(settings, PriorFit):
        return settings
    network = settings.network
    if conditions.variant == "today":
        network = replace(network, align_corners=False, norm_gain="ones")
    return replace(
        settings,
        network=network,
        iterations=conditions.iterations or settings.iterations,
        runs=2 if table.kind == "denoise" else 1,
    )


def figure_path(output: Path, table: Table, image: str, method: str, conditions: Conditions) -> Path:
    """Return the JSON file of a figure; its name has all that may differ between figures of an image."""
    parts = [image, method.replace(" ", "-")]
    if method == "paper":
        parts += ["today"] if conditions.variant == "today" else []
        parts += [str(conditions.iterations)] if conditions.iterations else []
    if conditions.seed:
        parts.append(f"seed{conditions.seed}")
    return output / table.key / ("-".join(parts) + ".json")


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


def measure(case: Case, table: Table, method: str, conditions: Conditions, path: Path, report: Reporter) -> Figure:
    """Measure a figure and write it and the restored image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = method_settings(table, method, conditions)
    if settings is None:
        figure, image = _by_baseline(case, table, method)
    elif isinstance(settings, PriorFit):
        figure, image = _by_published_method(case, settings, conditions, path.with_suffix(".part"), report)
        published = preset_settings(table.kind, method, factor=table.factor)
        figure = replace(figure, published_iterations=published.iterations)
    else:
        figure, image = _by_quick_fit(case, settings, method, conditions, report)
    figure = replace(figure, seed=conditions.seed, date=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"))
    text = json.dumps(asdict(figure), indent=1)
    write_image(path.with_suffix(".tif"), ImageFile(image.astype(np.float32), case.task.channel_axis), asdict(figure))
    write_whole(path, text)
    path.with_suffix(".part").unlink(missing_ok=True)
    return figure


def _figure(case: Case, method: str, psnr: dict[str, float], seconds: float, device: str) -> Figure:
    shape = tuple(case.truth.shape)
    rounded = {name: round(value, 4) for name, value in psnr.items()}
    return Figure(case.table, case.image, shape, method, rounded, round(seconds, 2), device, 0, versions=_versions())


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _by_baseline(case: Case, table: Table, method: str) -> tuple[Figure, NDArray[np.float64]]:
    started = time.perf_counter()
    image = BASELINES[table.kind][method](case)
    seconds = time.perf_counter() - started
    return _figure(case, method, {RESTORED: case.psnr(image)}, seconds, "cpu"), image


def _by_quick_fit(
    case: Case, settings: Settings, method: str, conditions: Conditions, report: Reporter
) -> tuple[Figure, NDArray[np.float64]]:
    with iter_restore(
        case.task, settings=settings, device=conditions.device, seed=conditions.seed, threads=conditions.threads
    ) as steps:
        steps.wants_image = lambda: False
        for step in steps:
            report(step.iteration, step.total, step.seconds_left, None)
        result, device = steps.result, steps.device
    figure = _figure(case, method, {RESTORED: case.psnr(result.image)}, result.provenance["seconds"], device)
    figure = replace(figure, iterations=result.iterations, stop_reason=result.stop_reason)
    return replace(figure, settings=settings_to_dict(settings)), result.image


def _by_published_method(
    case: Case, settings: PriorFit, conditions: Conditions, part: Path, report: Reporter
) -> tuple[Figure, NDArray[np.float64]]:
    device = choose_device(conditions.device)
    with cpu_threads(conditions.threads), reproducible_convolutions(), explained_errors(device):
        run = _PublishedRun(case, settings, conditions.seed, device, part)
        psnr = run.to_its_end(report)
        figure = _figure(case, "paper", psnr, run.seconds, device_name(device, conditions.threads))
        figure = replace(figure, iterations=settings.iterations, stop_reason=run.restorer.stop_reason)
        return replace(figure, settings=settings_to_dict(settings), curve=run.curve), run.image()


class _PublishedRun:
    """A fit by the published settings that can be broken off and taken up again."""

    def __init__(self, case: Case, settings: PriorFit, seed: int, device: torch.device, part: Path) -> None:
        restorer = choose_restorer(case.task, settings, device, seed)
        if not isinstance(restorer, PriorRestorer):
            raise TypeError(f"{type(settings).__name__} is not the published method.")
        self.restorer, self.seconds = restorer, 0.0
        self.curve: list[tuple[int, float, float]] = []
        self._case, self._settings, self._part = case, settings, part
        # what a checkpoint must have been made with
        self._identity = json.dumps([settings_to_dict(settings), seed, case.image, list(case.truth.shape), str(device)])
        self._done = 0
        self._psnr: dict[str, float] = {}
        self._take_up()

    def to_its_end(self, report: Reporter) -> dict[str, float]:
        """Do the steps that are left and return the PSNR of each reading of the result."""
        each, runs = self._settings.iterations, self._settings.runs
        every = max(1, each // CURVE_POINTS)
        began, before, first = time.perf_counter(), self.seconds, self._done
        saved = began
        for progress in self.restorer.steps():
            self._done = progress.iteration
            now = time.perf_counter()
            self.seconds = before + now - began
            if self._done <= each and (self._done % every == 0 or self._done in (1, each)):
                last, average = (self._case.psnr(self._oriented(image)) for image in self._outputs())
                self.curve.append((self._done, round(last, 3), round(average, 3)))
                if self._done == each and runs > 1:
                    self._psnr = {LAST: last, AVERAGE: average}
            if now - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = now
            pace = (now - began) / (self._done - first)
            report(self._done, progress.total, pace * (progress.total - self._done), self.curve[-1][-1])
        return {**self._psnr, TWO_RUNS if runs > 1 else RESTORED: self._case.psnr(self.image())}

    def image(self) -> NDArray[np.float64]:
        """Return the image as restored so far."""
        return self._oriented(self.restorer.estimate())

    def _outputs(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.restorer.last_output(), self.restorer.estimate()

    def _oriented(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        oriented: NDArray[np.float64] = channels_back(image, self._case.task.channel_axis)
        return oriented

    def _save(self) -> None:
        beside = self._part.with_suffix(".part-new")
        state = self.restorer.state()
        torch.save([self._identity, self._done, self.seconds, self.curve, self._psnr, state], beside)
        beside.replace(self._part)

    def _take_up(self) -> None:
        """Go on from the checkpoint, if there is one that fits."""
        if not self._part.exists():
            return
        try:
            identity, done, seconds, curve, psnr, state = torch.load(self._part, weights_only=True)
        except Exception as error:  # torch raises whatever a broken file leads it to
            raise ValueError(
                f"{self._part}: cannot be read ({type(error).__name__}); delete it to start over."
            ) from error
        if identity != self._identity:
            raise ValueError(
                f"{self._part}: was made with other settings or on another device; delete it to start over."
            )
        self.restorer.resume(state)
        self._done, self.seconds, self.curve, self._psnr = done, seconds, curve, psnr
