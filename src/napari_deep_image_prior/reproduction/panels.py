"""Pictures of the input and of each method's result, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..io.files import read_image, write_image, write_whole
from ..io.image_file import ImageFile
from .examples import EXAMPLES, PICTURES, example_path, make_example
from .measuring import read_figure
from .tables import write_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


GAP = 8
"""Width of the white gap between two images, in pixels."""


def write_panels(folder: Path, output: Path, seed: int) -> None:
    """Write a picture for each example with figures, and the page that shows them."""
    figures = {path: read_figure(path) for path in sorted((output / PICTURES).glob("*.json"))}
    for key, example in EXAMPLES.items():
        restored = [_restored(path) for path, figure in figures.items() if figure.image == key]
        if restored and all(example_path(folder, name) for name in example.files):
            given = np.asarray(make_example(example, folder, seed).task.image)
            write_image(
                output / PICTURES / f"{key}.png", ImageFile(side_by_side([given, *restored]), 2)
            )
    titles = {key: example.title for key, example in EXAMPLES.items()}
    write_whole(output / f"{PICTURES}.md", write_pictures(titles, list(figures.values())))


def _restored(path: Path) -> NDArray[np.float64]:
    file = read_image(path.with_suffix(".tif"))
    return (
        file.image if file.channel_axis is None else np.moveaxis(file.image, file.channel_axis, -1)
    )


def side_by_side(images: Sequence[NDArray[np.float64]]) -> NDArray[np.uint8]:
    """Return (Y, X, 3) images from 0 to 1 side by side, as uint8."""
    gap = np.ones((images[0].shape[0], GAP, 3))
    row = [part for image in images for part in (image, gap)][:-1]
    return np.rint(255 * np.clip(np.concatenate(row, axis=1), 0, 1)).astype(np.uint8)
