"""The tables and the plot of the benchmark, from its records."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import bench_noise
from bench_cases import SUITES
from bench_methods import CLASSICAL, FITS, METHODS, PAPER, START

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Record = dict[str, object]
REGRET_TARGET = 0.3
MARKS = "osD^vP*X<>"


@dataclass(frozen=True)
class Target:
    """The target of a preset for the mean over all images of a suite."""

    psnr: float | None = None
    """In dB; applies only if none of `over` has been measured."""
    over: tuple[str, ...] = ()
    """Methods; the best of them must be exceeded by `plus`."""
    plus: float = 0.0
    ratio: int | None = None
    """The time must be at most paper time divided by this."""

    def needed(self, means: dict[str, float]) -> float | None:
        measured = [means[method] for method in self.over if method in means]
        return max(measured) + self.plus if measured else self.psnr


TARGETS = {
    ("denoise-25", "fast"): Target(30.1, ("NLM",), 0.5, 30),
    ("denoise-25", "best"): Target(31.11, ("BM3D",), 0, 5),
    ("denoise-color", "fast"): Target(30.43),
    ("denoise-color", "best"): Target(31.7),
    ("microscopy", "fast"): Target(over=("NLM", "BM3D")),
    ("microscopy", "best"): Target(over=("NLM", "BM3D"), plus=0.5),
    ("inpaint-50", "fast"): Target(32.2, ("biharmonic",), 1.5, 100),
    ("inpaint-50", "best"): Target(34.14, ratio=20),
    ("super-resolve", "fast"): Target(over=("bicubic",), plus=0.8, ratio=20),
    ("super-resolve", "best"): Target(29.90, ratio=5),
}


def write_tables(records: list[Record], conditions: dict[str, object]) -> str:
    """Return the tables as Markdown."""
    records = _in_order(records)
    dates = sorted({str(record["date"]) for record in records})
    versions = ", ".join(f"{name} {number}" for name, number in conditions["versions"].items())
    head = f"{' to '.join(dict.fromkeys([dates[0], dates[-1]]))}; "
    head += f"{conditions['processor']}; {conditions['device']}; "
    head += f"Python {conditions['python']}, {versions}."
    parts = [head]
    for suite in SUITES:
        found = [
            record
            for record in records
            if record["table"] == "quality" and record["suite"] == suite
        ]
        if found:
            parts += [f"### {SUITES[suite].title}", _quality(suite, found), _images(found)]
    for title, write, table in (
        ("Never worse than the classical estimate", _never_worse, "quality"),
        ("Regret", _regret, "regret"),
        ("Measured noise", _noise, "noise"),
    ):
        found = [record for record in records if record["table"] == table]
        if found and (text := write(found)):
            parts += [f"### {title}", text]
    return "\n\n".join(parts) + "\n"


def _in_order(records: list[Record]) -> list[Record]:
    """Return the records ordered by method, suite and image."""
    suites = [*SUITES, *bench_noise.LEVELS]

    def place(record: Record) -> tuple[int, ...]:
        suite = str(record["suite"])
        images = SUITES[suite].images if suite in SUITES else bench_noise.IMAGES
        method = METHODS.index(str(record["method"]).split(",")[0])
        return method, suites.index(suite), images.index(record["image"]), int(record["seed"])

    return sorted(records, key=place)


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(head), *([str(cell) for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _distinct(records: list[Record], key: str) -> list[object]:
    return list(dict.fromkeys(record[key] for record in records))


def _mean(records: Iterable[Record], key: str, **where: object) -> float | None:
    """Return the mean of `key` over the records that have it and match `where`."""
    values = [
        record[key] for record in records if key in record and where.items() <= record.items()
    ]
    return fmean(values) if values else None


def _number(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _cpu_seconds(records: list[Record]) -> str:
    known = [record for record in records if "cpu_seconds" in record]
    return _seconds(_mean(known, "cpu_seconds")) if known else "-"


def _share(ratio: float) -> str:
    return f"1/{ratio:.0f}" if ratio >= 10 else f"1/{ratio:.2g}"


def _quality(suite: str, records: list[Record]) -> str:
    """Return the means of each method and their targets."""
    means = {
        str(method): _mean(records, "psnr", method=method)
        for method in _distinct(records, "method")
    }
    means = {method: mean for method, mean in means.items() if mean is not None}
    rows = []
    for method in _distinct(records, "method"):
        own = [record for record in records if record["method"] == method]
        images = f"{len(_distinct(own, 'image'))} of {len(SUITES[suite].images)}"
        ratio = _ratio(own, records)
        rows.append(
            [
                method,
                images,
                _number(_mean(own, "psnr")) + _spread(own),
                _number(_mean(own, "ssim"), ".3f"),
                _seconds(_mean(own, "seconds")),
                _cpu_seconds(own),
                "-" if ratio is None or method == PAPER else _share(ratio),
                _number(_mean(own, "memory"), ".0f"),
                *_verdict(suite, str(method), means, ratio, len(_distinct(own, "image"))),
            ]
        )
    head = (
        "method",
        "images",
        "PSNR, dB",
        "SSIM",
        "seconds",
        "CPU seconds",
        "of paper time",
        "peak memory, MB",
        "target",
        "",
    )
    return _table(head, rows)


def _spread(records: list[Record]) -> str:
    """Return the standard deviation over seeds of the mean over images."""
    seeds = [_mean(records, "psnr", seed=seed) for seed in _distinct(records, "seed")]
    return f" ± {stdev(seeds):.2f}" if len(seeds) > 1 else ""


def _ratio(own: list[Record], records: list[Record]) -> float | None:
    """Return the time of the published fits of the same images, relative to that of `own`."""
    pairs = [
        (_mean(records, "seconds", method=PAPER, image=record["image"]), record["seconds"])
        for record in own
    ]
    known = [(paper, seconds) for paper, seconds in pairs if paper is not None]
    return (
        sum(paper for paper, _ in known) / sum(seconds for _, seconds in known) if known else None
    )


def _verdict(
    suite: str, method: str, means: dict[str, float], ratio: float | None, images: int
) -> tuple[str, str]:
    target = TARGETS.get((suite, method))
    needed = target and target.needed(means)
    if target is None or needed is None:
        return "", ""
    wanted = [f"{needed:.2f} dB"] + ([f"1/{target.ratio}"] if target.ratio else [])
    if images < len(SUITES[suite].images):
        return ", ".join(wanted), "some images only"
    missed = [f"{needed - means[method]:.2f} dB short"] if means[method] < needed else []
    if target.ratio and ratio is None:
        missed.append("time not compared")
    elif target.ratio and ratio < target.ratio:
        missed.append(f"{_share(ratio)} of the time")
    return ", ".join(wanted), f"not met: {', '.join(missed)}" if missed else "met"


def _images(records: list[Record]) -> str:
    """Return the PSNR of each image by each method."""
    judged = [record for record in records if "psnr" in record]
    methods = _distinct(judged, "method")
    rows = [
        [image, *(_number(_mean(judged, "psnr", image=image, method=method)) for method in methods)]
        for image in _distinct(judged, "image")
    ]
    return _table(["PSNR, dB", *map(str, methods)], rows)


def _never_worse(records: list[Record]) -> str:
    """Return the gain of `fast` over the classical estimates for each image."""
    rows, gains = [], []
    for record in records:
        if str(record["method"]).split(",")[0] != "fast":
            continue
        same = {key: record[key] for key in ("suite", "image", "seed")}
        classical = next(iter(CLASSICAL[SUITES[record["suite"]].kind]))
        others = [_mean(records, "psnr", method=method, **same) for method in (classical, START)]
        differences = [None if other is None else record["psnr"] - other for other in others]
        gains.append(differences)
        told = [f"{classical} {_number(others[0])}", _number(others[1]), _number(record["psnr"])]
        rows.append(
            [SUITES[record["suite"]].title, record["image"], record["seed"], *told]
            + [_number(difference, "+.2f") for difference in differences]
        )
    if not rows:
        return ""
    least = [
        min((row[column] for row in gains if row[column] is not None), default=None)
        for column in (0, 1)
    ]
    rows.append(
        ["**least**", "", "", "", "", "", *(f"**{_number(gain, '+.2f')}**" for gain in least)]
    )
    head = ("task", "image", "seed", "classical", START, "fast", "fast - classical", "fast - start")
    return _table(head, rows)


def _regret(records: list[Record]) -> str:
    """Return the PSNR of the best iterate minus that of the result, for each image."""
    tables = []
    for method in _distinct(records, "method"):
        rows = []
        own = [record for record in records if record["method"] == method]
        for suite in _distinct(own, "suite"):
            of_suite = [record for record in own if record["suite"] == suite]
            for record in of_suite:
                where = f"{record['best_at']} of {record['steps']}"
                rows.append(
                    [
                        SUITES[suite].title,
                        record["image"],
                        record["seed"],
                        *_regret_cells([record], where),
                    ]
                )
            rows.append([f"**{SUITES[suite].title}**", "**mean**", "", *_regret_cells(of_suite)])
        regret = fmean(record["best"] - record["psnr"] for record in own)
        verdict = "met" if regret <= REGRET_TARGET else "not met"
        head = ("task", "image", "seed", "best iterate", "at", "last iterate", "result", "regret")
        target = f"`{method}`: mean regret {regret:+.2f} dB; target {REGRET_TARGET} dB: {verdict}."
        tables += [target, _table(head, rows)]
    return "\n\n".join(tables)


def _regret_cells(records: list[Record], where: str = "") -> list[str]:
    best, last, result = (_mean(records, key) for key in ("best", "last", "psnr"))
    return [_number(best), where, _number(last), _number(result), _number(best - result, "+.2f")]


def _noise(records: list[Record]) -> str:
    """Return the estimated Gaussian levels, and for photon noise the ratio to the true level."""
    parts = []
    for kind, title, cell in (
        (
            "gaussian",
            "sigma",
            lambda record: f"{record['estimate']:.1f}{' p' if record['photon'] else ''}",
        ),
        (
            "poisson",
            "counts",
            lambda r: f"{r['estimate'] / r['true']:.2f}{'' if r['photon'] else ' g'}",
        ),
    ):
        levels = [name for name, (of_kind, _) in bench_noise.LEVELS.items() if of_kind == kind]
        own = [record for record in records if record["suite"] in levels]
        if own:
            parts.append(_noise_table(own, levels, title, cell))
    return "\n\n".join(parts)


def _noise_table(
    records: list[Record], levels: list[str], title: str, cell: Callable[[Record], str]
) -> str:
    rows = []
    for image in _distinct(records, "image"):
        found = [
            [r for r in records if r["image"] == image and r["suite"] == level] for level in levels
        ]
        rows.append([image, *(" / ".join(map(cell, of_level)) for of_level in found)])
    off = []
    for level in levels:
        ratios = [r["estimate"] / r["true"] for r in records if r["suite"] == level]
        off.append(f"**{min(ratios) - 1:+.0%} to {max(ratios) - 1:+.0%}**" if ratios else "")
    return _table(
        [title, *(str(bench_noise.LEVELS[level][1]) for level in levels)],
        [*rows, ["**off by**", *off]],
    )


def draw(records: list[Record], path: Path) -> None:
    """Draw the mean PSNR of each method against its mean time, a panel for each suite."""
    judged = [record for record in _in_order(records) if record["table"] == "quality"]
    suites = [
        suite
        for suite in SUITES
        if any(record["suite"] == suite and "psnr" in record for record in judged)
    ]
    if not suites:
        return
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    columns = min(3, len(suites))
    rows = -(-len(suites) // columns)
    figure, panels = plt.subplots(
        rows,
        columns,
        squeeze=False,
        figsize=(3.6 * columns + 1.8, 3.2 * rows),
        layout="constrained",
    )
    methods = [method for method in _distinct(judged, "method") if method != PAPER]
    for panel in panels.flat[len(suites) :]:
        panel.set_axis_off()
    for panel, suite in zip(panels.flat, suites, strict=False):
        _draw_suite(
            panel, suite, [record for record in judged if record["suite"] == suite], methods
        )
    shown = {
        label: mark
        for panel in panels.flat
        for mark, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(shown.values(), shown.keys(), loc="outside right center", frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw_suite(panel, suite: str, records: list[Record], methods: list[object]) -> None:  # noqa: ANN001
    """Draw the methods, each with the same marker in all panels; ours are filled."""
    for place, method in enumerate(methods):
        seconds, quality = (_mean(records, key, method=method) for key in ("seconds", "psnr"))
        if quality is not None:
            ours = str(method).split(",")[0] in FITS
            style = {"color": f"C{place % 10}", "markerfacecolor": None if ours else "none"}
            panel.plot(
                seconds, quality, MARKS[place % len(MARKS)], markersize=8, label=method, **style
            )
    paper = _mean(records, "seconds", method=PAPER)
    if paper is not None:
        panel.axvline(paper, linestyle=":", color="0.4", label=PAPER)
    panel.set(
        xscale="log", title=SUITES[suite].title, xlabel="seconds an image", ylabel="PSNR (dB)"
    )
    panel.margins(x=0.1, y=0.15)
    panel.spines[["top", "right"]].set_visible(False)
