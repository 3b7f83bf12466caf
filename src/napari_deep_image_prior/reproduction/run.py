"""The reproduce sub-command: measure the requested figures in sequence and write the tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from ..io.console import ProgressLine, complain
from ..io.files import write_whole
from ..io.image_file import FileError
from ..restoration.base import RestorationError
from ..restoration.devices import choose_device
from ..restoration.timing import duration, time_left
from .examples import PICTURES
from .measuring import Figure, check_figure, measure, read_figure
from .panels import write_panels
from .plans import methods, plan
from .published import EXPERIMENTS
from .tables import write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch

    from .measuring import Job
    from .plans import Request


def reproduce(request: Request) -> int:
    """Measure, write the tables after each figure, and return the number of failed figures."""
    if not request.folder.is_dir():
        raise FileError(f"{request.folder}: is not a folder.")
    if request.threads is not None and request.threads < 1:
        raise ValueError(f"--threads {request.threads}: must be 1 or more.")
    if request.experiment != "all":
        return _reproduce(request)
    if request.only:
        raise ValueError("--only requires a single experiment: name one instead of all.")
    return sum(
        _reproduce_if_possible(replace(request, experiment=name))
        for name in (*EXPERIMENTS, PICTURES)
    )


def _reproduce_if_possible(request: Request) -> int:
    try:
        return _reproduce(request)
    except FileError as error:
        complain(f"{request.experiment}: {error}")
        return 1


def _reproduce(request: Request) -> int:
    device = choose_device(request.device)
    jobs, absent = plan(request)
    if absent:
        complain(f"not in {request.folder}, so not measured: {', '.join(absent)}", error=False)
    request.output.mkdir(parents=True, exist_ok=True)
    done: dict[Path, Figure] = {}
    failed = 0
    write_results(request)
    for number, job in enumerate(jobs, 1):
        label = f"{number}/{len(jobs)} {job.table} {job.image}, {job.method}"
        if job.path.exists():  # possibly written by a parallel command
            done[job.path] = read_figure(job.path)
            check_figure(done[job.path], job)
            continue
        try:
            done[job.path] = _measure(
                job, device, request.threads, label, _later(jobs[number:], done)
            )
        except (RestorationError, ValueError, ImportError) as error:
            failed += 1
            complain(f"{label}: {error}")
            continue
        except KeyboardInterrupt as interruption:
            raise KeyboardInterrupt("run the same command to continue.") from interruption
        print(f"{label}: {_summary(done[job.path])}", flush=True)
        write_results(request)
    print(
        f"{len(done)} of {len(jobs)} figures are done; "
        f"see {request.output / request.experiment}.md",
        flush=True,
    )
    return failed


def write_results(request: Request) -> None:
    """Write the tables, or the pictures, of all existing figures."""
    if request.experiment == PICTURES:
        write_panels(request.folder, request.output, request.seed)
        return
    tables = EXPERIMENTS[request.experiment]
    parts = [
        write_table(table, methods(table), _figures(request.output / table.key)) for table in tables
    ]
    write_whole(request.output / f"{request.experiment}.md", "\n".join(parts))


def _figures(folder: Path) -> list[Figure]:
    return [read_figure(path) for path in sorted(folder.glob("*.json"))]


def _summary(figure: Figure) -> str:
    values = "".join(
        f"{value:.2f} dB" + (f" ({name}), " if len(figure.psnr) > 1 else ", ")
        for name, value in figure.psnr.items()
    )
    steps = f"{figure.iterations} iterations, " if figure.iterations else ""
    short = f"SHORTENED from {figure.published_iterations}, " if figure.is_shortened else ""
    return f"{values}{steps}{short}{duration(figure.seconds)} on {figure.device}"


def _measure(job: Job, device: torch.device, threads: int | None, label: str, later: str) -> Figure:
    line = ProgressLine()

    def report(step: int, total: int, seconds_left: float | None, psnr: float | None) -> None:
        so_far = "" if psnr is None else f", {psnr:.2f} dB"
        line.show(f"{label}: {step}/{total}{so_far}{time_left(seconds_left)}{later}")

    try:
        return measure(job, device, threads, report)
    finally:
        line.clear()


def _later(rest: Sequence[Job], done: Mapping[Path, Figure]) -> str:
    """Return the predicted time of the remaining figures as text, from the finished ones."""
    rates: dict[str, list[float]] = defaultdict(list)
    for figure in done.values():
        rates[figure.method].append(
            figure.seconds / (figure.shape[0] * figure.shape[1] * (figure.iterations or 1))
        )
    rest = [job for job in rest if not job.path.exists()]
    known = [job for job in rest if job.method in rates]
    if not rest:
        return ""
    seconds = sum(fmean(rates[job.method]) * job.pixels * _iterations(job) for job in known)
    unknown = len(rest) - len(known)
    more = f" and {unknown} not timed yet" if unknown else ""
    return (
        f"; then {len(known)} more in about {duration(seconds)}{more}"
        if known
        else f"; then {unknown} more"
    )


def _iterations(job: Job) -> int:
    return 1 if job.settings is None else getattr(job.settings, "iterations", 1)
