"""The tables as Markdown: the published figures, ours, and the conditions of ours."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from ..methods.method import PRESETS
from .cases import CROP
from .published import PASTED, RESTORED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .measuring import Figure
    from .published import Table

NOT_MEASURED, NONE = "not measured", "-"
_NOTES = {
    "inpaint": [
        "`fast`, `best`, biharmonic and cubic interpolation keep the known pixels; "
        "the published rows, sparse coding",
        "and `paper` do not. The row 'known pixels kept' shows what that is worth.",
        "",
    ],
    "super-resolve": [
        "The small images are made here by a cubic kernel; "
        "the published ones were distributed with LapSRN.",
        "",
    ],
}
_SWITCHES = {
    (True, "uniform"): "",
    (False, "ones"): ", today's switches",
    (True, "ones"): ", only the corners of 2017",
    (False, "uniform"): ", only the gain of 2017",
}
Rows: TypeAlias = "dict[str, list[tuple[str, Figure]]]"
"""Our rows by label: the kind of result, and the figure."""


def write_table(table: Table, methods: Sequence[str], figures: Iterable[Figure]) -> str:
    """Return one table with its comparison and its conditions, as Markdown."""
    rows = _rows(methods, [figure for figure in figures if figure.table == table.key])
    parts = [
        f"## {table.title}",
        "",
        *_NOTES.get(table.kind, []),
        f"PSNR in dB; {NONE}: not measured, or of a published row not printed.",
        "",
        *_main(table, rows),
        "",
    ]
    parts += _comparison(table, rows) + _sizes(table, rows) + _conditions(rows)
    return "\n".join(parts).rstrip() + "\n"


def write_pictures(titles: Mapping[str, str], figures: Sequence[Figure]) -> str:
    """Return the page of pictures: for each example its picture and the conditions."""
    parts = []
    for key, title in titles.items():
        of_example = [figure for figure in figures if figure.image == key]
        rows: Rows = defaultdict(list)
        for figure in of_example:
            psnr = figure.psnr.get(RESTORED)
            rows[_label(figure, RESTORED) + ("" if psnr is None else f", {psnr:.2f} dB")].append(
                (RESTORED, figure)
            )
        shown = (
            [
                f"![{title}: what was given, then the rows below from left to right]"
                f"(pictures/{key}.png)",
                "",
            ]
            if rows
            else []
        )
        parts += [f"## {title}", "", *shown, *(_conditions(rows) or [NOT_MEASURED]), ""]
    return "\n".join(parts)


def _rows(methods: Sequence[str], figures: Sequence[Figure]) -> Rows:
    rows: Rows = defaultdict(list)
    for method in methods:
        of_method = sorted((figure for figure in figures if figure.method == method), key=_variant)
        if not of_method:
            rows[f"ours, {method}" if method in PRESETS else f"{method} (run here)"] = []
        for figure in of_method:
            for reading in figure.psnr:
                rows[_label(figure, reading)].append((reading, figure))
    return rows


def _variant(figure: Figure) -> tuple[str, int]:
    return switches(
        figure
    ), figure.published_iterations - figure.iterations if figure.published_iterations else 0


def switches(figure: Figure) -> str:
    """Return the suffix of a label if the switches are not those of 2017."""
    network = {} if figure.settings is None else figure.settings["network"]
    return _SWITCHES[network.get("align_corners", True), network.get("norm_gain", "uniform")]


def _label(figure: Figure, reading: str) -> str:
    if figure.settings is None:
        return f"{figure.method} (run here)"
    label = f"ours, {figure.method}{switches(figure)}"
    if reading != RESTORED:
        label += f", {reading}"
    if figure.is_shortened:
        label += f", SHORTENED to {figure.iterations} of {figure.published_iterations} iterations"
    return label


def _mean_psnr(row: Iterable[tuple[str, Figure]], image: str) -> float | None:
    of_image = [
        (figure.seed, figure.psnr[reading]) for reading, figure in row if figure.image == image
    ]
    if len(dict(of_image)) < len(of_image):
        raise ValueError(
            f"two figures of {image} have the same method and seed: delete one of them."
        )
    values = [value for _, value in of_image]
    return fmean(values) if values else None


def _main(table: Table, rows: Rows) -> list[str]:
    lines = [f"| | {' | '.join(table.images)} | mean |", "|---" * (len(table.images) + 2) + "|"]
    for published in table.rows:
        cells = [f"{value:.2f}" for value in published.psnr] or [NONE] * len(table.images)
        mean = f"{published.mean:.2f}" + (" (mean computed here)" if published.mean_is_ours else "")
        lines.append(f"| {published.label} | {' | '.join(cells)} | {mean} |")
    for label, row in rows.items():
        values = [_mean_psnr(row, image) for image in table.images]
        known = [value for value in values if value is not None]
        cells = [NONE if value is None else f"{value:.2f}" for value in values]
        mean = NOT_MEASURED
        if known:
            mean = f"{fmean(known):.2f}" + (
                "" if len(known) == len(values) else f" (of {len(known)})"
            )
        lines.append(f"| {label} | {' | '.join(cells)} | {mean} |")
    return lines


def _comparison(table: Table, rows: Rows) -> list[str]:
    """Compare ours with the published figures of the same images."""
    lines = []
    for label, row in rows.items():
        if not row or row[0][1].settings is None or row[0][0] == PASTED:
            continue
        against = table.compared.get(row[0][0]) or list(table.compared.values())[-1]
        images = [
            image for image in table.images if any(figure.image == image for _, figure in row)
        ]
        ours = fmean(value for image in images if (value := _mean_psnr(row, image)) is not None)
        printed = [
            value for image in images if (value := table.published(against, image)) is not None
        ]
        if printed:
            difference = (
                f"{ours:.2f} against {fmean(printed):.2f} published ({ours - fmean(printed):+.2f})"
            )
        elif len(images) == len(table.images):
            mean = table.row(against).mean
            difference = f"{ours:.2f} against {mean:.2f} published ({ours - mean:+.2f})"
        else:
            difference = f"{ours:.2f}; published was only the mean over all images"
        lines.append(f"- {label}, mean over {', '.join(images)}: {difference}.")
    return [*lines, ""] if lines else []


def _sizes(table: Table, rows: Rows) -> list[str]:
    """List the images that differ from the published size and cannot be compared."""
    sizes_here = {figure.image: figure.shape[:2] for row in rows.values() for _, figure in row}
    crop = CROP if table.kind == "super-resolve" else 1
    lines = []
    for image, here in sorted(sizes_here.items()):
        there = _cut(table.sizes[image], crop)
        if tuple(here) != there:
            sizes = f"{here[0]}x{here[1]} pixels here, {there[0]}x{there[1]} in the publication"
            lines.append(f"- {image} is {sizes}: its figures cannot be compared.")
    return [*lines, ""] if lines else []


def _cut(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    height, width = (edge // multiple * multiple for edge in size)
    return height, width


def _conditions(rows: Rows) -> list[str]:
    """List the conditions of our rows."""
    lines = [
        "| our row | images | seeds | iterations | seconds an image | device | date | torch "
        "| our sources |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for label, row in rows.items():
        if row:
            figures = [figure for _, figure in row]
            seeds = ", ".join(map(str, sorted({figure.seed for figure in figures})))
            steps = sorted({figure.iterations for figure in figures})
            iterations = (
                "-".join(map(str, dict.fromkeys((steps[0], steps[-1])))) if steps[-1] else "none"
            )
            runs = (figures[0].settings or {}).get("runs", 1)
            iterations += f" in each of {runs} runs" if runs > 1 else ""
            cells = [
                label,
                str(len({figure.image for figure in figures})),
                seeds,
                iterations,
                f"{fmean(figure.seconds for figure in figures):.1f}",
                ", ".join(sorted({figure.device for figure in figures})),
                ", ".join(sorted({figure.date for figure in figures})),
                ", ".join(sorted({f"{figure.versions['torch']}" for figure in figures})),
                ", ".join(sorted({figure.versions["sources"] for figure in figures})),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines if len(lines) > 2 else []
