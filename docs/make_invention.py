"""Make docs/images/invention.png: three synthetic scenes that are restored wrongly, with truth.

    python docs/make_invention.py

Prints the numbers of docs/what-a-prior-may-invent.md. Preset fast, seed 0, a few minutes on one
CPU core.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from scipy.ndimage import gaussian_filter

import napari_deep_image_prior as dip

if TYPE_CHECKING:
    from numpy.typing import NDArray

mpl.use("Agg")
PICTURE = Path(__file__).parent / "images" / "invention.png"
SIZE = 160
BACKGROUND = 100.0
NOISE = 10.0
Row = tuple[str, list["NDArray[np.float64]"], list[str]]


def filaments() -> Row:
    """Lines that cross an unknown stripe; every other line is cut within it."""
    canvas = np.zeros((SIZE, SIZE))
    stripe = slice(76, 84)
    for number, row in enumerate(range(20, SIZE, 20)):
        canvas[row] = 1
        if number % 2:
            canvas[row, stripe] = 0
    truth = BACKGROUND + 500 * gaussian_filter(canvas, 1)
    missing = np.zeros(truth.shape, dtype=bool)
    missing[:, stripe] = True
    result = dip.restore(dip.Inpaint(truth, missing=missing)).image
    middle = [float(result[row, 80] - BACKGROUND) for row in range(20, SIZE, 20)]
    say("intensity in the middle of the stripe, whole and cut lines alternating", middle)
    return (
        "Inpaint",
        [truth, np.where(missing, np.nan, truth), result],
        ["truth", "what is known", "result"],
    )


def pairs_and_rods() -> Row:
    """Pairs of points at the left and short rods at the right, sampled with 4x larger pixels."""
    pair, rod = np.zeros(8), np.zeros(8)
    pair[[1, 6]] = 0.5
    rod[:] = 1 / 8
    rows = range(18, SIZE, 24)
    canvas = np.zeros((SIZE, SIZE))
    for row in rows:
        canvas[row, 36:44], canvas[row, 116:124] = pair, rod
    truth = BACKGROUND + 5000 * gaussian_filter(canvas, 1)
    small = truth.reshape(SIZE // 4, 4, SIZE // 4, 4).mean(axis=(1, 3))
    result = dip.restore(dip.SuperResolve(small, factor=4)).image
    for name, start in (("pairs", 36), ("rods", 116)):
        for what, image in (("truth", truth), ("result", result)):
            dips = [
                image[row, start + 3 : start + 5].mean() / image[row, start : start + 8].max()
                for row in rows
            ]
            say(f"{name}, middle against maximum, {what}", dips)
    return "Super-resolve", [truth, small, result], ["truth", "4x larger pixels", "result"]


def faint_spots() -> Row:
    """Spots from bright to barely visible, in noise."""
    canvas = np.zeros((SIZE, SIZE))
    heights = (60, 40, 25, 15, 10, 7)
    rows, columns = range(16, SIZE, 25), range(16, SIZE, 18)
    for row, height in zip(rows, heights, strict=True):
        for column in columns:
            canvas[row, column] = height
    # a Gaussian of standard deviation 1.5 has the height 1 / (2 pi 1.5^2)
    truth = BACKGROUND + gaussian_filter(canvas, 1.5) * 2 * np.pi * 1.5**2
    noisy = truth + np.random.default_rng(0).normal(0, NOISE, truth.shape)
    result = dip.restore(dip.Denoise(noisy)).image
    for row, height in zip(rows, heights, strict=True):
        left = [float(result[row, column] - BACKGROUND) for column in columns]
        say(f"spots of height {height}: height in the result", left)
    return "Denoise", [truth, noisy, result], ["truth", "noise added", "result"]


def draw(rows: list[Row]) -> None:
    """Draw one scene per row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 8.7), dpi=100, layout="constrained")
    for axes, (task, images, titles) in zip(figure.subplots(len(rows), 3), rows, strict=True):
        low, high = float(np.nanmin(images[0])), float(np.nanmax(images[0]))
        for axis, image, title in zip(axes, images, titles, strict=True):
            axis.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axis.set_facecolor("#c05000")  # unknown pixels are transparent
            axis.set_title(title, fontsize=11)
            axis.set(xticks=[], yticks=[])
        axes[0].set_ylabel(task, fontsize=11)
    figure.savefig(PICTURE)


def say(what: str, values: list[float]) -> None:
    """Print a line of numbers."""
    sys.stdout.write(f"{what}: {', '.join(f'{value:.3g}' for value in values)}\n")


if __name__ == "__main__":
    draw([filaments(), pairs_and_rods(), faint_spots()])
