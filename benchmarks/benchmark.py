"""Measure quality, speed, regret and noise estimates, and write the tables and the plot.

    python benchmarks/benchmark.py --data DIR --output DIR [--tables quality]
        [--only inpaint-50] [--methods fast]

docs/benchmarks.md describes the data folder and the tables. Each measurement is appended to
results.jsonl in the output folder as soon as it is done, and is not repeated. Use one output folder
for one machine, device, number of threads and version of the code.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import sys
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import bench_noise
import torch
from bench_cases import SUITES
from bench_measure import Conditions, Job, in_child, measure, settings_of
from bench_methods import ESTIMATE, FITS, METHODS, PAPER, START, methods
from bench_report import draw, write_tables

from napari_deep_image_prior import RestorationError
from napari_deep_image_prior.restoration.devices import choose_device, device_name

TABLES = {
    "noise": tuple(bench_noise.LEVELS),
    "quality": ("denoise-25", "denoise-color", "microscopy", "inpaint-50", "super-resolve"),
    "regret": ("denoise-15", "denoise-25", "denoise-50", "inpaint-20", "inpaint-50", "inpaint-80"),
}
PACKAGES = ("napari-deep-image-prior", "torch", "numpy", "scikit-image", "bm3d")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.threads:
        # for the libraries other than torch in the child processes
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    try:
        jobs = plan(options)
        results = Results(options.output, _conditions(options))
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    try:
        failures = _measure_all(
            jobs, results, Conditions(options.data, options.device, options.threads)
        )
    except KeyboardInterrupt:
        print(f"interrupted; the same command continues from {results.path}", file=sys.stderr)
        return 130
    text = write_tables(results.records, results.conditions)
    (options.output / "benchmark.md").write_text(text, encoding="utf-8")
    draw(results.records, options.output / "psnr-time.png")
    print(text)
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the images")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--tables", choices=TABLES, nargs="+", default=list(TABLES))
    suites = list(dict.fromkeys(suite for suites in TABLES.values() for suite in suites))
    parser.add_argument(
        "--only", choices=suites, nargs="+", default=suites, metavar="SUITE", help=", ".join(suites)
    )
    parser.add_argument("--images", nargs="+", help="names; all by default")
    parser.add_argument(
        "--methods",
        choices=METHODS[1:],
        nargs="+",
        metavar="METHOD",
        help=f"{', '.join(METHODS[1:])}; by default all, and 'fast' for regret",
    )
    parser.add_argument("--seeds", type=int, default=1, help="corruptions and fits of each image")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="change numbers of fast and best"
    )
    return parser


def plan(options: argparse.Namespace) -> list[Job]:
    """Return the jobs, fastest first; missing images are reported and skipped."""
    changes = tuple(
        (name, ast.literal_eval(value))
        for name, _, value in (text.partition("=") for text in options.set)
    )
    jobs, absent = [], set()
    for table in options.tables:
        for suite in TABLES[table]:
            if suite not in options.only:
                continue
            for image in bench_noise.IMAGES if table == "noise" else SUITES[suite].images:
                if options.images and image not in options.images:
                    continue
                missing = [
                    path for path in _paths(table, suite, options.data, image) if not path.is_file()
                ]
                absent.update(missing)
                jobs += [] if missing else _jobs(table, suite, image, options, changes)
    for path in sorted(absent):
        print(f"{path}: not found; skipped", file=sys.stderr)
    if "quality" in options.tables and "BM3D" not in methods("denoise"):
        print("BM3D: the package bm3d is not installed; skipped", file=sys.stderr)
    if not jobs:
        raise ValueError(
            f"nothing to measure in {options.data}: see docs/benchmarks.md for its contents."
        )
    return sorted(
        jobs, key=lambda job: (list(TABLES).index(job.table), job.seed, METHODS.index(job.method))
    )


def _paths(table: str, suite: str, data: Path, image: str) -> list[Path]:
    return (
        [bench_noise.image_path(data, image)]
        if table == "noise"
        else SUITES[suite].paths(data, image)
    )


def _jobs(
    table: str,
    suite: str,
    image: str,
    options: argparse.Namespace,
    changes: tuple[tuple[str, object], ...],
) -> list[Job]:
    if table == "noise":
        return [Job(table, suite, image, ESTIMATE, seed) for seed in range(options.seeds)]
    kind = SUITES[suite].kind
    wanted = methods(kind) if table == "quality" else FITS
    asked = options.methods or (wanted if table == "quality" else ["fast"])
    jobs = []
    for seed in range(options.seeds):
        for method in wanted:
            if method in asked and not (method == PAPER and seed):
                job = Job(table, suite, image, method, seed, changes if method in FITS else ())
                if method in (*FITS, START):
                    settings_of(kind, job)  # raises for invalid changes, before hours of work
                jobs.append(job)
    return jobs


class Results:
    """The finished measurements, one line of JSON each."""

    def __init__(self, folder: Path, conditions: dict[str, object]) -> None:
        self.path, self.conditions = folder / "results.jsonl", conditions
        folder.mkdir(parents=True, exist_ok=True)
        written = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        # an incomplete last line is ignored
        lines = written[: written.rfind("\n") + 1].splitlines()
        before, *self.records = [json.loads(line) for line in lines] or [conditions]
        if before != conditions:
            raise ValueError(
                f"{self.path} was measured under other conditions ({before}): use another --output."
            )
        self.path.write_text(
            "".join(f"{line}\n" for line in lines or [json.dumps(conditions)]), encoding="utf-8"
        )

    def __contains__(self, job: Job) -> bool:
        return any(job.identity.items() <= record.items() for record in self.records)

    def add(self, record: dict[str, object]) -> None:
        self.records.append(json.loads(json.dumps(record)))
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def _measure_all(jobs: list[Job], results: Results, conditions: Conditions) -> int:
    """Run the jobs without a result; return the number of failures."""
    to_do = [job for job in jobs if job not in results]
    print(f"{len(jobs) - len(to_do)} of {len(jobs)} measurements are already done", file=sys.stderr)
    failures = 0
    for number, job in enumerate(to_do, 1):
        name = f"[{number}/{len(to_do)}] {job.table} {job.suite} {job.image} {job.label}"
        name += f", seed {job.seed}"
        try:
            record = (measure if job.table == "noise" else in_child)(job, conditions)
        except (RestorationError, MemoryError, BrokenProcessPool) as error:
            failures += 1
            print(f"{name}: failed: {error}", file=sys.stderr)
            continue
        results.add(record)
        summary = ", ".join(
            f"{key} {record[key]}"
            for key in ("psnr", "seconds", "best", "estimate")
            if key in record
        )
        print(f"{name}: {summary}", file=sys.stderr, flush=True)
    return failures


def _conditions(options: argparse.Namespace) -> dict[str, object]:
    device = choose_device(options.device)
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "processor": f"{_processor()}, {_cores()} cores",
        "device": device_name(device, options.threads),
        "threads": options.threads or torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": found,
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
