"""deep-image-prior reproduce: measure what is asked for, one figure after another, and write the tables."""

from __future__ import annotations

import sys
import warnings
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from ..console import ProgressLine, duration
from ..files import FileError, write_whole
from ..restoration import RestorationError
from .cases import chosen_images, image_path, make_case
from .measuring import Conditions, Figure, figure_path, measure, methods, read_figure
from .published import EXPERIMENTS, TABLES
from .tables import write_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .published import Table


@dataclass(frozen=True)
class Job:
    """A figure to measure."""

    table: Table
    image: str
    method: str
    source: Path
    """The image's file."""
    path: Path
    """The figure's file."""

    @property
    def pixels(self) -> int:
        """Size of the image, as published."""
        height, width = self.table.sizes[self.image]
        return height * width


def plan(
    experiment: str, folder: Path, output: Path, only: Sequence[str], presets: Sequence[str], conditions: Conditions
) -> list[Job]:
    """Return the figures that are asked for: the quickest methods first.

    Raises
    ------
    FileError
        If no image of the experiment is in the folder.
    ValueError
        If a name in `only` is neither an image nor a table of the experiment.
    """
    tables = EXPERIMENTS[experiment]
    known = {name for table in tables for name in (table.key, *table.images)}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ValueError(f"--only {unknown[0]}: is not in {experiment}; choose from {', '.join(sorted(known))}.")
    found: list[tuple[Table, str, Path]] = []
    absent: dict[str, None] = {}
    for table in tables:
        for image in chosen_images(table, only):
            source = image_path(folder, table, image)
            if source is None:
                absent[f"{table.folder}/{image}.png"] = None
            else:
                found.append((table, image, source))
    if not found:
        raise FileError(f"{folder}: has none of the images {', '.join(absent)} (nor without the folder's name).")
    if absent:
        sys.stderr.write(f"deep-image-prior: not in {folder}, so not measured: {', '.join(absent)}\n")
    jobs = [
        Job(table, image, method, source, figure_path(output, table, image, method, conditions))
        for table, image, source in found
        for method in methods(table, presets)
    ]
    order = {method: place for table in tables for place, method in enumerate(methods(table))}
    return sorted(jobs, key=lambda job: order[job.method])  # stable: the tables' order within a method


def reproduce(
    experiment: str, folder: Path, output: Path, only: Sequence[str], presets: Sequence[str], conditions: Conditions
) -> int:
    """Measure, write a table after each figure, and return how many figures failed."""
    if not folder.is_dir():
        raise FileError(f"{folder}: is no folder.")
    jobs = plan(experiment, folder, output, only, presets, conditions)
    output.mkdir(parents=True, exist_ok=True)
    done = {job.path: read_figure(job.path) for job in jobs if job.path.exists()}
    if done:
        print(f"{len(done)} of {len(jobs)} figures are there already.", flush=True)
    failed = 0
    write_tables(experiment, output)
    try:
        for number, job in enumerate(jobs, 1):
            if job.path in done:
                continue
            label = f"{number}/{len(jobs)} {job.table.key} {job.image}, {job.method}"
            try:
                done[job.path] = _measure(job, label, conditions, _later(job, jobs, done))
            except (RestorationError, FileError, ImportError) as error:
                failed += 1
                sys.stderr.write(f"deep-image-prior: error: {label}: {error}\n")
                continue
            print(f"{label}: {_summary(done[job.path])}", flush=True)
            write_tables(experiment, output)
    except KeyboardInterrupt:
        sys.stderr.write("deep-image-prior: interrupted; the same command goes on from here.\n")
        raise
    print(f"the tables are in {output / experiment}.md, each figure's JSON and image beside it.")
    return failed


def write_tables(experiment: str, output: Path) -> None:
    """Write the tables of all figures there are."""
    figures = [read_figure(path) for table in EXPERIMENTS[experiment] for path in (output / table.key).glob("*.json")]
    text = "\n".join(write_table(table, figures) for table in EXPERIMENTS[experiment])
    write_whole(output / f"{experiment}.md", text)


def _summary(figure: Figure) -> str:
    values = ", ".join(
        f"{value:.2f} dB" + (f" ({name})" if len(figure.psnr) > 1 else "") for name, value in figure.psnr.items()
    )
    steps = f", {figure.iterations} iterations" if figure.iterations else ""
    short = f", SHORTENED from {figure.published_iterations}" if figure.is_shortened else ""
    return f"{values}{steps}{short}, {duration(figure.seconds)} on {figure.device}"


def _measure(job: Job, label: str, conditions: Conditions, later: str) -> Figure:
    line = ProgressLine()

    def report(step: int, total: int, seconds_left: float | None, psnr: float | None) -> None:
        left = "" if seconds_left is None else f", {duration(seconds_left)} left"
        so_far = "" if psnr is None else f", {psnr:.2f} dB"
        line.show(f"{label}: {step}/{total}{so_far}{left}{later}")

    case = make_case(job.table, job.image, job.source, conditions.seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the baselines' libraries
            return measure(case, job.table, job.method, conditions, job.path, report)
    finally:
        line.clear()


def _later(job: Job, jobs: Sequence[Job], done: dict[Path, Figure]) -> str:
    """Say how long the figures after this one will take, from the pace of those that are done."""
    paces: dict[str, list[float]] = defaultdict(list)
    for other in jobs:
        if other.path in done:
            paces[other.method].append(done[other.path].seconds / other.pixels)
    rest = [other for other in jobs[jobs.index(job) + 1 :] if other.path not in done]
    known = [other for other in rest if other.method in paces]
    if not rest:
        return ""
    seconds = sum(fmean(paces[other.method]) * other.pixels for other in known)
    unknown = len(rest) - len(known)
    more = f" and {unknown} not timed yet" if unknown else ""
    return f"; then {len(known)} more in about {duration(seconds)}{more}" if known else f"; then {unknown} more"


__all__ = ["EXPERIMENTS", "TABLES", "Conditions", "plan", "reproduce", "write_tables"]
