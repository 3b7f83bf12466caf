"""The publication's pictures: text, holes, 98 % missing, JPEG artifacts, other networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..io.image_file import FileError
from ..methods.denoising.task import Denoise
from ..methods.inpainting.task import Inpaint
from .cases import Case

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from ..methods.task import Task


PICTURES = "pictures"
"""The experiment that makes pictures rather than tables."""


@dataclass(frozen=True)
class Example:
    """One picture of the publication."""

    key: str
    title: str
    experiment: str
    """Name of the published settings."""
    image: str
    """File, below the folder of images or its `dip_reference`."""
    pixels: int
    """Number of pixels."""
    mask: str = ""
    """File of the mask, black = missing; empty: random pixels are missing, or none."""
    has_truth: bool = True
    """Whether the image is the truth."""
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Other networks by name, as differences from the published one."""

    @property
    def kind(self) -> str:
        """The kind of task."""
        return "denoise" if self.experiment == "jpeg" else "inpaint"

    @property
    def files(self) -> tuple[str, ...]:
        """The required files."""
        return (self.image, self.mask) if self.mask else (self.image,)


EXAMPLES: Mapping[str, Example] = {
    example.key: example
    for example in (
        Example(
            "text",
            "Text over a picture",
            "inpaint-text",
            "inpainting/kate.png",
            512 * 512,
            "inpainting/kate_mask.png",
        ),
        Example(
            "vase",
            "A hole: the vase",
            "inpaint-vase",
            "inpainting/vase.png",
            320 * 320,
            "inpainting/vase_mask.png",
            has_truth=False,
        ),
        Example(
            "library",
            "Large holes, by several networks",
            "inpaint-library",
            "inpainting/library.png",
            448 * 704,
            "inpainting/library_mask.png",
            has_truth=False,
            variants={
                "paper, thin skips": {"skips": (4,) * 6},
                "paper, U-Net": {"architecture": "u-net"},
            },
        ),
        Example(
            "missing-98",
            "98 % of the pixels missing",
            "inpaint-98",
            "restoration/kate.png",
            512 * 512,
        ),
        Example(
            "jpeg", "JPEG artifacts", "jpeg", "denoising/snail.jpg", 261 * 400, has_truth=False
        ),
    )
}


def example_path(folder: Path, name: str) -> Path | None:
    """Return the path of a file below `folder` or its dip_reference; None if it does not exist."""
    places = (folder / "dip_reference" / name, folder / name)
    return next((path for path in places if path.is_file()), None)


def make_example(example: Example, folder: Path, seed: int) -> Case:
    """Read an example's files and return its task and truth."""
    image = _read_rgb(folder, example.image)
    task: Task
    if example.kind == "denoise":
        task = Denoise(image, channel_axis=2)
    else:
        missing = (
            _read_rgb(folder, example.mask)[..., 0] < 0.5
            if example.mask
            else np.random.default_rng(seed).random(image.shape[:2]) < 0.98
        )
        if missing.shape != image.shape[:2]:
            raise FileError(f"{example.mask}: must have the size of {example.image}.")
        task = Inpaint(np.where(missing[..., None], 0, image), missing=missing, channel_axis=2)
    return Case(PICTURES, example.key, image if example.has_truth else None, task)


def _read_rgb(folder: Path, name: str) -> NDArray[np.float64]:
    from PIL import Image

    path = example_path(folder, name)
    if path is None:
        raise FileError(f"{folder}: has no {name}.")
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB")) / 255
    except OSError as error:
        raise FileError(f"{path}: cannot be read as an image.") from error
