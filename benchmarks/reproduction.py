"""The figures of docs/reproduction.md, and its tables from `deep-image-prior reproduce`.

python benchmarks/reproduction.py impedance                           fit curves (minutes)
python benchmarks/reproduction.py network                             the drawing of the network
python benchmarks/reproduction.py collect --results DIR --images DIR  results into docs/reproduction
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path

import numpy as np
from skimage import data, transform

import napari_deep_image_prior as dip
from napari_deep_image_prior.io.files import read_image, write_image
from napari_deep_image_prior.io.image_file import ImageFile
from napari_deep_image_prior.reproduction.baselines import bicubic
from napari_deep_image_prior.reproduction.cases import CROP as CUT
from napari_deep_image_prior.reproduction.cases import make_case
from napari_deep_image_prior.reproduction.examples import EXAMPLES
from napari_deep_image_prior.reproduction.measuring import read_figure
from napari_deep_image_prior.reproduction.panels import side_by_side
from napari_deep_image_prior.reproduction.plans import methods
from napari_deep_image_prior.reproduction.published import TABLES
from napari_deep_image_prior.reproduction.tables import switches, write_pictures, write_table

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "reproduction"
CROP = 96
"""Edge of the crops in pixels."""


def impedance(iterations: int, size: int, threads: int) -> None:
    """Fit the published network to an image, to noise and to mixtures; draw the curves."""
    random = np.random.default_rng(0)
    image = transform.resize(
        data.astronaut()[30:286, 90:346] / 255, (size, size), anti_aliasing=True
    )
    targets = {
        "image": image,
        "image and noise": np.clip(image + random.normal(0, 25 / 255, image.shape), 0, 1),
        "image, pixels shuffled": random.permutation(image.reshape(-1, 3)).reshape(image.shape),
        "white noise": random.uniform(size=image.shape),
    }
    settings = dip.DeepImagePriorFit(
        network=dip.published_settings("denoise").network, iterations=iterations, jitter=0.0
    )
    curves = {}
    for name, target in targets.items():
        result = dip.restore(
            dip.Denoise(target, channel_axis=-1), settings=settings, device="cpu", threads=threads
        )
        curves[name] = [float(f"{misfit:.4g}") for misfit in result.history]
        made = result.provenance
        print(name, f"{made['seconds']:.0f} s", flush=True)
    kept = {
        "size": size,
        "learning_rate": settings.learning_rate,
        "device": made["device_name"],
        "curves": curves,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "impedance.json").write_text(json.dumps({**kept, "versions": made["versions"]}))
    draw_impedance()


def draw_impedance() -> None:
    curves = json.loads((RESULTS / "impedance.json").read_text())["curves"]
    axes = _axes("iteration", "misfit (mean squared error, intensities 0..1)")
    for (name, curve), style in zip(curves.items(), ("-", "--", "-.", ":"), strict=True):
        axes.plot(range(1, len(curve) + 1), curve, style, label=name, linewidth=1.5)
    axes.set(xscale="log", ylim=(0, 0.1))
    axes.legend(frameon=False)
    _save(axes, "impedance.png")


def draw_network() -> None:
    """Draw the published network from its settings."""
    settings = dip.published_settings("denoise").network
    axes = _axes("", "", size=(9.5, 4.2))
    axes.set_axis_off()
    depth = len(settings.widths)
    last = 2 * depth + 1
    _box(axes, 0, 0, "z: 32", "#dddddd")
    for level, (width, skip) in enumerate(zip(settings.widths, settings.skips, strict=True)):
        down, up = (level + 1, -(level + 1)), (last - level - 1, -level)
        _box(axes, *down, f"{width}", "#a6cee3")
        _box(axes, *up, f"{width}", "#b2df8a")
        _arrow(axes, (level, -level), down, "down" if level == 0 else "", aside=-0.25)
        below = (last - level - 2, -(level + 1)) if level + 1 < depth else (depth, -depth)
        _arrow(axes, below, up, "up" if level == 0 else "", aside=-0.2)
        _arrow(axes, (level, -level), up, f"skip {skip}")
    _box(axes, last, 0, "image", "#dddddd")
    _arrow(axes, (last - 1, 0), (last, 0), "")
    for level in range(depth + 1):
        axes.text(
            -1.1,
            -level,
            f"1/{2**level}" if level else "full size",
            ha="right",
            va="center",
            fontsize=8,
        )
    down = "down: 3x3 convolution with stride 2, then 3x3 convolution, "
    down += "each with batch norm and leaky ReLU"
    up = "up: bilinear, joined with the skip, batch norm, 3x3 and 1x1 convolution, "
    up += "each with batch norm and leaky ReLU"
    skip = "skip: 1x1 convolution, batch norm, leaky ReLU.   image: 1x1 convolution, sigmoid"
    axes.text(0, -depth - 0.8, f"{down}\n{up}\n{skip}", fontsize=8, va="top")
    axes.set(xlim=(-2, last + 0.8), ylim=(-depth - 2.1, 0.6))
    _save(axes, "network.png")


def _box(axes, x: float, y: float, text: str, color: str) -> None:  # noqa: ANN001
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=8,
        bbox={"boxstyle": "round", "fc": color, "lw": 0.5},
    )


def _arrow(
    axes,  # noqa: ANN001  (matplotlib's)
    start: tuple[float, float],
    end: tuple[float, float],
    text: str,
    aside: float = 0,
) -> None:
    style = {"arrowstyle": "->", "lw": 0.8, "color": "#555555", "shrinkA": 14, "shrinkB": 14}
    axes.annotate("", xy=end, xytext=start, arrowprops=style)
    if text:
        axes.text(
            (start[0] + end[0]) / 2 + aside,
            (start[1] + end[1]) / 2 + 0.12,
            text,
            ha="center",
            fontsize=7,
        )


def collect(results: Path, images: Path) -> None:
    """Copy the JSON, regenerate the tables from it, cut the crops and draw the curves."""
    for path in sorted(results.glob("*/*.json")):
        (RESULTS / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, RESULTS / path.parent.name)
    for table in TABLES:
        for image in shown_images(table):
            crop(results, images, table, image)
    for path in sorted(results.glob("pictures/*.png")):
        picture = read_image(path).image
        size = (1400, round(picture.shape[0] * 1400 / picture.shape[1]))
        small = transform.resize(picture, size[::-1], anti_aliasing=True, preserve_range=True)
        write_image(RESULTS / "pictures" / path.name, ImageFile(np.rint(small).astype(np.uint8), 2))
    draw_curves()
    write_tables()


def shown_images(table: str) -> list[str]:
    """Return the images whose crops are shown: those with a run of the published method."""
    measured = {figure.image for figure in figures(table) if figure.method == "paper"}
    return [image for image in TABLES[table].images if image in measured]


def shown_figures(table: str, image: str) -> list:
    """Return the figures of which crops are shown, from left to right."""
    order = methods(TABLES[table])
    of_image = [figure for figure in figures(table) if figure.image == image and figure.seed == 0]
    return sorted(of_image, key=lambda figure: (order.index(figure.method), figure.iterations))


def figures(table: str) -> list:
    return [read_figure(path) for path in sorted((RESULTS / table).glob("*.json"))]


def tables_text() -> dict[str, str]:
    """Return each table of the document with its crops, made from the JSON in docs/reproduction."""
    texts = {
        key: write_table(table, methods(table), figures(key)) + crops_text(key)
        for key, table in TABLES.items()
    }
    titles = {key: example.title for key, example in EXAMPLES.items()}
    pictures = write_pictures(titles, figures("pictures")).replace(
        "](pictures/", "](reproduction/pictures/"
    )
    return {**texts, "pictures": pictures}


def crops_text(table: str) -> str:
    """Return the Markdown lines of the crops."""
    lines = []
    for image in shown_images(table):
        names = [
            figure.method
            + (f" after {figure.iterations} iterations" if figure.is_shortened else "")
            for figure in shown_figures(table, image)
        ]
        caption = f"The middle of {image}, from left to right: given, {', '.join(names)}, truth"
        lines += ["", f"![{caption}](reproduction/{table}/{image}.png)", "", f"*{caption}.*"]
    return "\n".join(lines)


def inserted(document: str) -> str:
    """Return the document with the text between its markers regenerated."""
    for key, text in tables_text().items():
        body = re.sub("^## ", "### ", text, flags=re.MULTILINE)
        document = re.sub(
            f"(<!-- {key} -->\n).*?(<!-- end -->)",
            lambda found, body=body: f"{found[1]}\n{body.strip()}\n\n{found[2]}",
            document,
            flags=re.DOTALL,
        )
    return document


def write_tables() -> None:
    document = DOCS / "reproduction.md"
    document.write_text(inserted(document.read_text()))


def crop(results: Path, images: Path, table: str, image: str) -> None:
    """Write the centers of the input, of each restoration and of the truth side by side."""
    case = make_case(TABLES[table], image, images / TABLES[table].folder / f"{image}.png", 0)
    given, factor = np.asarray(case.task.image), TABLES[table].factor
    shown = [np.kron(given, np.ones((factor, factor) + (1,) * (given.ndim - 2)))]
    for figure in shown_figures(table, image):
        (path,) = [file for file in results.glob(f"{table}/*.json") if read_figure(file) == figure]
        file = read_image(path.with_suffix(".tif"))
        shown.append(
            file.image
            if file.channel_axis is None
            else np.moveaxis(file.image, file.channel_axis, -1)
        )
    shown.append(case.truth)
    height, width = case.truth.shape[:2]
    middle = np.s_[
        (height - CROP) // 2 : (height + CROP) // 2, (width - CROP) // 2 : (width + CROP) // 2
    ]
    cut = [np.dstack([part[middle]] * 3) if part.ndim == 2 else part[middle] for part in shown]
    write_image(
        RESULTS / table / f"{image}.png", ImageFile(side_by_side(cut).repeat(2, 0).repeat(2, 1), 2)
    )


def draw_curves() -> None:
    """Draw PSNR against iteration for every run of the published method."""
    axes = _axes("iteration", "PSNR (dB)")
    for table in TABLES:
        for figure in figures(table):
            if figure.curve:
                label = f"{table}, {figure.image}{switches(figure)}"
                steps, last, average = np.array(figure.curve).T
                (line,) = axes.plot(steps, last, label=label, linewidth=1)
                if figure.settings["averaging"]:
                    axes.plot(
                        steps,
                        average,
                        "--",
                        color=line.get_color(),
                        label=f"{label}, moving average",
                    )
    axes.set(xscale="log", xlim=(10, None), ylim=(15, None))
    axes.legend(frameon=False, fontsize=7)
    _save(axes, "curves.png")


def published_bicubic(images: Path) -> None:
    """Print the bicubic PSNR for Set5 x4, with and without cropping to multiples of 32."""
    table = TABLES["set5-x4"]
    printed = dict(zip(table.images, table.row("bicubic (published)").psnr, strict=True))
    for image in table.images:
        found = []
        for multiple in (CUT, table.factor):
            case = make_case(table, image, images / "set5" / f"{image}.png", 0, cut=multiple)
            found.append(
                f"{case.psnr(bicubic(case)):.2f} ({case.truth.shape[0]}x{case.truth.shape[1]})"
            )
        print(f"{image}: printed {printed[image]:.2f}; {', '.join(found)}")


def _axes(x: str, y: str, size: tuple[float, float] = (6.4, 3.8)):  # noqa: ANN202
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=size, layout="constrained")
    axes.set(xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _save(axes, name: str) -> None:  # noqa: ANN001
    RESULTS.mkdir(exist_ok=True)
    axes.figure.savefig(RESULTS / name, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    curves = commands.add_parser("impedance")
    curves.add_argument("--iterations", type=int, default=500)
    curves.add_argument("--size", type=int, default=96)
    curves.add_argument("--threads", type=int, default=1)
    commands.add_parser("network")
    commands.add_parser("tables")
    bicubics = commands.add_parser("bicubic")
    bicubics.add_argument("--images", type=Path, required=True)
    collecting = commands.add_parser("collect")
    collecting.add_argument("--results", type=Path, required=True)
    collecting.add_argument("--images", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "impedance":
        impedance(options.iterations, options.size, options.threads)
    elif options.command == "network":
        draw_network()
    elif options.command == "bicubic":
        published_bicubic(options.images)
    elif options.command == "tables":
        write_tables()
    else:
        collect(options.results, options.images)


if __name__ == "__main__":
    main()
