"""The figures of each table and picture, and the jobs that measure them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from ..io.image_file import FileError
from ..methods.deep_image_prior.settings import DeepImagePriorFit, published_settings
from ..methods.method import PRESETS
from ..methods.registry import preset_settings
from .baselines import BASELINES
from .cases import make_case
from .examples import EXAMPLES, PICTURES, example_path, make_example
from .measuring import Job
from .published import EXPERIMENTS, TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..fitting.settings import Settings
    from .examples import Example
    from .published import Table


@dataclass(frozen=True)
class Request:
    """The options of the command."""

    experiment: str
    folder: Path
    """Folder of the images."""
    output: Path
    """Output folder."""
    only: Sequence[str] = ()
    """Names of images, tables or pictures; empty: all."""
    presets: Sequence[str] = PRESETS
    iterations: int | None = None
    """Iterations of the published method if fewer than published; None: as published."""
    switches: str = "2017"
    """One of `SWITCHES`."""
    seed: int = 0
    device: str = "auto"
    threads: int | None = None


SWITCHES: Mapping[str, tuple[bool, Literal["ones", "uniform"]]] = {
    "2017": (True, "uniform"),
    "today": (False, "ones"),
    "corners": (True, "ones"),
    "gain": (False, "uniform"),
}
"""Aligned corners and initial gain of the normalization: as in 2017, as today, or one of each."""


def plan(request: Request) -> tuple[list[Job], list[str]]:
    """Return the jobs of a request, fastest methods first, and the missing image files.

    Raises
    ------
    FileError
        If none of the images exists.
    ValueError
        If a name in `only` is unknown.
    """
    jobs, absent = (
        _plan_pictures(request) if request.experiment == PICTURES else _plan_tables(request)
    )
    if not jobs and not absent:
        raise ValueError(
            f"--only {' '.join(request.only)}: no image of these tables has this name."
        )
    if not jobs:
        raise FileError(
            f"{request.folder}: has none of the images {', '.join(absent)} "
            "(with or without the folder's name)."
        )
    return jobs, absent


def methods(table: Table) -> list[str]:
    """Return the methods of a table, the baselines and the presets, fastest first."""
    return [*BASELINES[table.kind], *PRESETS]


def _check_names(request: Request, known: set[str]) -> None:
    for name in request.only:
        if name not in known:
            choices = ", ".join(sorted(known))
            raise ValueError(
                f"--only {name}: is not in {request.experiment}; choose from {choices}."
            )


def _plan_tables(request: Request) -> tuple[list[Job], list[str]]:
    tables = EXPERIMENTS[request.experiment]
    _check_names(request, {name for table in tables for name in (table.key, *table.images)})
    jobs: list[Job] = []
    absent: list[str] = []
    order = list(dict.fromkeys(method for table in tables for method in methods(table)))
    for table in tables:
        for image in _chosen_images(table, request.only):
            source = _image_path(request.folder, table, image)
            if source is not None:
                jobs += [
                    _table_job(request, table, image, source, method)
                    for method in _asked(table, request)
                ]
            elif f"{table.folder}/{image}.png" not in absent:
                absent.append(f"{table.folder}/{image}.png")
    # small images first, for early results
    return sorted(jobs, key=lambda job: (order.index(job.method), job.pixels)), absent


def _asked(table: Table, request: Request) -> list[str]:
    return [
        method for method in methods(table) if method not in PRESETS or method in request.presets
    ]


def _chosen_images(table: Table, only: Sequence[str]) -> list[str]:
    """Return the requested images of a table, by their names or the table's."""
    tables = [name for name in only if name in TABLES]
    images = [name for name in only if name not in TABLES]
    asked = not tables or table.key in tables
    return [image for image in table.images if asked and (not images or image in images)]


def _image_path(folder: Path, table: Table, image: str) -> Path | None:
    """Return the path of an image in the table's sub-folder or in `folder`; None if missing."""
    places = (folder / table.folder / f"{image}.png", folder / f"{image}.png")
    return next((path for path in places if path.is_file()), None)


def _table_job(request: Request, table: Table, image: str, source: Path, method: str) -> Job:
    settings: Settings | None = None
    published = 0
    if method in PRESETS:
        settings = preset_settings(table.kind, method, factor=table.factor)
    if isinstance(settings, DeepImagePriorFit):
        published = settings.iterations
        settings = replace(_as_asked(settings, request), runs=2 if table.kind == "denoise" else 1)
    height, width = table.sizes[image]
    make = partial(make_case, table, image, source)
    path = _figure_path(request, table.key, image, method, settings, published)
    return Job(
        table.key, image, method, settings, request.seed, published, height * width, make, path
    )


def _as_asked(settings: DeepImagePriorFit, request: Request) -> DeepImagePriorFit:
    corners, gain = SWITCHES[request.switches]
    network = replace(settings.network, align_corners=corners, norm_gain=gain)
    return replace(
        settings,
        network=network,
        iterations=min(request.iterations or settings.iterations, settings.iterations),
    )


def _figure_path(
    request: Request, table: str, image: str, method: str, settings: Settings | None, published: int
) -> Path:
    """Return the path of a figure's JSON file, unique among the figures of an image."""
    parts = [image, method.replace(",", "").replace(" ", "-")]
    if isinstance(settings, DeepImagePriorFit):
        parts += [request.switches] if request.switches != "2017" else []
        parts += [str(settings.iterations)] if settings.iterations < published else []
    if request.seed:
        parts.append(f"seed{request.seed}")
    return request.output / table / ("-".join(parts) + ".json")


def _plan_pictures(request: Request) -> tuple[list[Job], list[str]]:
    _check_names(request, set(EXAMPLES))
    jobs: list[Job] = []
    absent: list[str] = []
    for example in EXAMPLES.values():
        if not request.only or example.key in request.only:
            missing = [name for name in example.files if example_path(request.folder, name) is None]
            absent += [name for name in missing if name not in absent]
            jobs += [] if missing else _example_jobs(request, example)
    order = [*PRESETS, *(method for example in EXAMPLES.values() for method in example.variants)]
    return sorted(jobs, key=lambda job: order.index(job.method)), absent


def _example_jobs(request: Request, example: Example) -> list[Job]:
    published = published_settings(example.experiment)
    ways: dict[str, Settings] = {
        name: preset_settings(example.kind, name) for name in ("fast", "best")
    }
    ways["paper"] = _as_asked(published, request)
    for name, network in example.variants.items():
        ways[name] = _as_asked(
            replace(published, network=replace(published.network, **network)), request
        )
    make = partial(make_example, example, request.folder)
    jobs = []
    for method, settings in ways.items():
        if method.split(",")[0] in request.presets:
            iterations = published.iterations if isinstance(settings, DeepImagePriorFit) else 0
            path = _figure_path(request, PICTURES, example.key, method, settings, iterations)
            jobs.append(
                Job(
                    PICTURES,
                    example.key,
                    method,
                    settings,
                    request.seed,
                    iterations,
                    example.pixels,
                    make,
                    path,
                )
            )
    return jobs
