"""deep-image-prior reproduce: measure what is asked for, one figure after another, and write the tables."""

from __future__ import annotations

import sys
import warnings
from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

from ..console import ProgressLine, duration
from ..files import FileError, write_whole
from ..restoration import RestorationError
from .examples import PICTURES
from .measuring import Figure, measure, read_figure
from .panels import write_panels
from .plans import methods, plan
from .published import EXPERIMENTS
from .tables import write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .measuring import Conditions, Job
    from .plans import Request


def reproduce(request: Request, conditions: Conditions) -> int:
    """Measure, write the tables after each figure, and return how many figures failed."""
    if not request.folder.is_dir():
        raise FileError(f"{request.folder}: is no folder.")
    jobs, absent = plan(request)
    if absent:
        sys.stderr.write(f"deep-image-prior: not in {request.folder}, so not measured: {', '.join(absent)}\n")
    request.output.mkdir(parents=True, exist_ok=True)
    done = {job.path: read_figure(job.path) for job in jobs if job.path.exists()}
    if done:
        print(f"{len(done)} of {len(jobs)} figures are there already.", flush=True)
    write_results(request)
    failed = 0
    for number, job in enumerate(jobs, 1):
        if job.path in done:
            continue
        label = f"{number}/{len(jobs)} {job.table} {job.image}, {job.method}"
        try:
            done[job.path] = _measure(job, label, conditions, _later(jobs[number:], done))
        except (RestorationError, FileError, ImportError) as error:
            failed += 1
            sys.stderr.write(f"deep-image-prior: error: {label}: {error}\n")
            continue
        except KeyboardInterrupt:
            sys.stderr.write("deep-image-prior: the same command goes on from here.\n")
            raise
        print(f"{label}: {_summary(done[job.path])}", flush=True)
        write_results(request)
    print(f"the results are in {request.output / request.experiment}.md, each figure's JSON and image beside it.")
    return failed


def write_results(request: Request) -> None:
    """Write the tables, or the pictures, of all figures there are."""
    if request.experiment == PICTURES:
        write_panels(request.folder, request.output, request.seed)
        return
    tables = EXPERIMENTS[request.experiment]
    parts = [write_table(table, methods(table), _figures(request.output / table.key)) for table in tables]
    write_whole(request.output / f"{request.experiment}.md", "\n".join(parts))


def _figures(folder: Path) -> list[Figure]:
    return [read_figure(path) for path in sorted(folder.glob("*.json"))]


def _summary(figure: Figure) -> str:
    values = "".join(
        f"{value:.2f} dB" + (f" ({name}), " if len(figure.psnr) > 1 else ", ") for name, value in figure.psnr.items()
    )
    steps = f"{figure.iterations} iterations, " if figure.iterations else ""
    short = f"SHORTENED from {figure.published_iterations}, " if figure.is_shortened else ""
    return f"{values}{steps}{short}{duration(figure.seconds)} on {figure.device}"


def _measure(job: Job, label: str, conditions: Conditions, later: str) -> Figure:
    line = ProgressLine()

    def report(step: int, total: int, seconds_left: float | None, psnr: float | None) -> None:
        left = "" if seconds_left is None else f", {duration(seconds_left)} left"
        so_far = "" if psnr is None else f", {psnr:.2f} dB"
        line.show(f"{label}: {step}/{total}{so_far}{left}{later}")

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the baselines' libraries
            return measure(job, conditions, report)
    finally:
        line.clear()


def _later(rest: Sequence[Job], done: Mapping[Path, Figure]) -> str:
    """Say how long the figures after this one will take, from the pace of those that are done."""
    paces: dict[str, list[float]] = defaultdict(list)
    for figure in done.values():
        paces[figure.method].append(figure.seconds / (figure.shape[0] * figure.shape[1]))
    rest = [job for job in rest if job.path not in done]
    known = [job for job in rest if job.method in paces]
    if not rest:
        return ""
    seconds = sum(fmean(paces[job.method]) * job.pixels for job in known)
    unknown = len(rest) - len(known)
    more = f" and {unknown} not timed yet" if unknown else ""
    return f"; then {len(known)} more in about {duration(seconds)}{more}" if known else f"; then {unknown} more"
