"""Make docs/images/flow-*.svg, the data flow of each method for docs/how-it-works.md.

python docs/make_diagrams.py
"""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "napari-deep-image-prior"  # the same file each time
FOLDER = Path(__file__).parent / "images"
COLORS = {
    "data": "#e8eef7",
    "classical": "#e5f2e5",
    "network": "#fdeacc",
    "judge": "#f7e1e6",
    "result": "#d5e3f8",
}
"""The fill of a box, by what it stands for."""
WIDTH, HEIGHT = 2.3, 0.9
STEP_X, STEP_Y = 2.85, 1.5
Place = tuple[float, float]


class Diagram:
    """Boxes on a grid of rows and columns, and arrows between them."""

    def __init__(self, columns: int, rows: int) -> None:
        self._figure = Figure(figsize=(columns * 1.8, rows * 0.95))
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set(
            xlim=(-0.45, (columns - 1) * STEP_X + WIDTH + 0.2),
            ylim=(-(rows - 1) * STEP_Y - 0.6, 0.6),
        )
        self._axes.axis("off")

    def note(self, column: float, row: float, text: str) -> None:
        """Label a row."""
        x, y = column * STEP_X, -row * STEP_Y
        self._axes.text(x, y, text, fontsize=8, style="italic", color="#555555", va="center")

    def box(self, column: float, row: float, text: str, kind: str) -> Place:
        """Draw a box and return its position for the arrows."""
        x, y = column * STEP_X, -row * STEP_Y
        self._axes.add_patch(
            FancyBboxPatch(
                (x, y - HEIGHT / 2),
                WIDTH,
                HEIGHT,
                boxstyle="round,pad=0.02,rounding_size=0.12",
                facecolor=COLORS[kind],
                edgecolor="#555555",
                linewidth=0.8,
            )
        )
        self._axes.text(x + WIDTH / 2, y, text, ha="center", va="center", fontsize=7.2)
        return x, y

    def arrow(self, start: Place, end: Place, sides: str = "rl") -> None:
        """Draw an arrow from one side of a box to one of another: left, right, top, bottom."""
        self._draw([_side(start, sides[0]), _side(end, sides[1])])

    def chain(self, *boxes: Place) -> None:
        """Draw arrows from each box to the next on its right."""
        for start, end in itertools.pairwise(boxes):
            self.arrow(start, end)

    def around(self, start: Place, end: Place) -> None:
        """Draw an arrow along the left edge, from one box to another below it."""
        (x0, y0), (x1, y1) = _side(start, "l"), _side(end, "l")
        self._draw([(x0, y0), (x0 - 0.25, y0), (x1 - 0.25, y1), (x1, y1)])

    def corner(self, start: Place, end: Place, sides: str) -> None:
        """Draw an arrow with one right angle."""
        (x0, y0), (x1, y1) = _side(start, sides[0]), _side(end, sides[1])
        corner = (x0, y1) if sides[0] in "tb" else (x1, y0)
        self._draw([(x0, y0), corner, (x1, y1)])

    def save(self, name: str) -> None:
        """Write the diagram."""
        path = FOLDER / f"flow-{name}.svg"
        self._figure.savefig(path, facecolor="white", metadata={"Date": None})

    def _draw(self, points: list[Place]) -> None:
        style = {"color": "#333333", "linewidth": 0.9}
        self._axes.plot(*zip(*points[:-1], strict=True), **style)
        self._axes.add_patch(
            FancyArrowPatch(
                *points[-2:], arrowstyle="-|>", mutation_scale=10, shrinkA=0, shrinkB=0, **style
            )
        )


def _side(box: Place, side: str) -> Place:
    x, y = box
    return {
        "l": (x - 0.02, y),
        "r": (x + WIDTH + 0.02, y),
        "t": (x + WIDTH / 2, y + HEIGHT / 2 + 0.02),
        "b": (x + WIDTH / 2, y - HEIGHT / 2 - 0.02),
    }[side]


def denoising() -> None:
    """Draw re-noising, learning, and the weights of the estimates and of the correction."""
    diagram = Diagram(5, 3)
    noisy = diagram.box(0, 0, "noisy image", "data")
    normal = diagram.box(1, 0, "estimate the noise,\nstabilize its variance:\nimage y", "classical")
    first = diagram.box(
        2, 0, "classical estimate:\nWiener and low-rank,\nguided by NL-Ridge", "classical"
    )
    corrected = diagram.box(3, 0, "classical estimate\n+ weight x correction", "network")
    result = diagram.box(4, 0, "invert the transform:\nresult", "result")
    diagram.chain(noisy, normal, first, corrected, result)
    renoised = diagram.box(
        0, 1, "re-noise parts of the\nclassical estimate: 2 to\nlearn, 1 to stop by", "data"
    )
    again = diagram.box(1, 1, "classical estimate", "classical")
    network = diagram.box(2, 1, "network learns what\nthe estimate lost", "network")
    diagram.arrow(first, renoised, "bt")
    diagram.chain(renoised, again, network)
    diagram.corner(network, corrected, "rb")
    diagram.note(4, 1, "learn,\non the image's own content")
    pair = diagram.box(0, 2, "recorrupted pair\ny + a n,  y - n / a", "data")
    restored = diagram.box(1, 2, "restore y + a n:\nestimates + network", "network")
    against = diagram.box(2, 2, "compare with y - n / a,\nwhose noise is\nindependent", "judge")
    _weigh(diagram, pair, restored, against, corrected, "weights, by least squares,\n0 to 1")
    diagram.around(noisy, pair)
    diagram.save("denoising")


def inpainting() -> None:
    """Draw hiding, learning, and the weight of the correction."""
    diagram = Diagram(5, 3)
    image = diagram.box(0, 0, "image with\nunknown pixels", "data")
    fill = diagram.box(1, 0, "biharmonic fill", "classical")
    corrected = diagram.box(3, 0, "fill\n+ weight x correction", "network")
    result = diagram.box(4, 0, "put the known pixels\nback: result", "result")
    diagram.chain(image, fill, corrected, result)
    hidden = diagram.box(0, 1, "random crops:\nhide more known pixels", "data")
    refill = diagram.box(1, 1, "biharmonic fill", "classical")
    network = diagram.box(2, 1, "network learns the\nfill's error at the\nhidden pixels", "network")
    diagram.arrow(image, hidden, "bt")
    diagram.chain(hidden, refill, network)
    diagram.corner(network, corrected, "rb")
    diagram.note(4, 1, "learn,\non the known pixels")
    kept = diagram.box(0, 2, "3 % of the known pixels,\nnever learned from", "data")
    restored = diagram.box(1, 2, "fill + network there", "network")
    against = diagram.box(2, 2, "compare with\ntheir known values", "judge")
    _weigh(diagram, kept, restored, against, corrected)
    diagram.around(image, kept)
    diagram.save("inpainting")


def super_resolution() -> None:
    """Draw learning across scales, and the weight of the correction."""
    diagram = Diagram(5, 3)
    image = diagram.box(0, 0, "small image", "data")
    base = diagram.box(1, 0, "enlarge (bicubic,\nback-projection),\nin stages of 2", "classical")
    corrected = diagram.box(3, 0, "enlarged image\n+ weight x correction", "network")
    result = diagram.box(4, 0, "back-projection: agrees\nwith the small image", "result")
    diagram.chain(image, base, corrected, result)
    copies = diagram.box(0, 1, "copies at 100, 90, 80,\n70 and 60 % of the size", "data")
    shrunk = diagram.box(1, 1, "shrink, and enlarge\nagain the same way", "classical")
    network = diagram.box(2, 1, "network learns\nwhat that lost", "network")
    diagram.arrow(image, copies, "bt")
    diagram.chain(copies, shrunk, network)
    diagram.corner(network, corrected, "rb")
    diagram.note(4, 1, "learn,\nacross scales")
    tiles = diagram.box(0, 2, "tiles, 4 % of the image,\nnever learned from", "data")
    restored = diagram.box(1, 2, "shrink, enlarge,\ncorrect", "network")
    against = diagram.box(2, 2, "compare with the tiles;\nstops the fit as well", "judge")
    _weigh(diagram, tiles, restored, against, corrected)
    diagram.around(image, tiles)
    diagram.save("super-resolution")


def _weigh(
    diagram: Diagram,
    given: Place,
    restored: Place,
    against: Place,
    corrected: Place,
    text: str = "weight, by least squares,\n0 to 1",
) -> None:
    weight = diagram.box(3, 2, text, "judge")
    diagram.chain(given, restored, against, weight)
    diagram.arrow(weight, corrected, "tb")
    diagram.note(4, 2, "weigh,\non held-out data")


def published() -> None:
    """Draw the loop of the published method."""
    diagram = Diagram(5, 3)
    tensor = diagram.box(0, 1, "fixed random tensor z\n(+ jitter)", "data")
    network = diagram.box(1, 1, "hourglass network f\nwith weights θ", "network")
    output = diagram.box(2, 1, "image f(z)", "data")
    operator = diagram.box(3, 1, "A: identity, mask or\nLanczos downsampling", "classical")
    misfit = diagram.box(4, 1, "misfit", "judge")
    diagram.chain(tensor, network, output, operator, misfit)
    observed = diagram.box(4, 0, "observed image", "data")
    diagram.arrow(observed, misfit, "bt")
    result = diagram.box(2, 0, "moving average (denoise)\nor last output: result", "result")
    diagram.arrow(output, result, "tb")
    adam = diagram.box(2.5, 2, "Adam updates θ\nat each iteration", "network")
    diagram.corner(misfit, adam, "br")
    diagram.corner(adam, network, "lb")
    diagram.save("published")


if __name__ == "__main__":
    for draw in (denoising, inpainting, super_resolution, published):
        draw()
