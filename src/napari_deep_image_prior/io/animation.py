"""Animated GIFs of a restoration's progress."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import channels_first
from .files import check_folder, write_whole
from .image_file import FileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

LAST_SECONDS = 2.0
"""Additional duration of the last image."""


def write_animation(
    path: str | Path,
    images: Sequence[ArrayLike],
    *,
    seconds: float = 5.0,
    contrast_limits: tuple[float, float] | None = None,
    channel_axis: int | None = None,
) -> None:
    """Write images as an animated GIF, atomically.

    Parameters
    ----------
    path : str or Path
        The file, with the suffix .gif.
    images : sequence of (Y, X) arrays, or with three colors
        The frames in order, all of the same shape.
    seconds : float
        Duration of a loop; the last image is shown 2 s longer.
    contrast_limits : two numbers, optional
        Intensities of black and white; None: the extremes of the last image.
    channel_axis : int, optional
        The axis of the colors.

    Raises
    ------
    FileError
        If the file cannot be written.
    ValueError
        If there is no image, the images differ in shape, or have neither one nor three channels.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "evolution.gif"
    ...     write_animation(path, [np.eye(8), np.ones((8, 8))], contrast_limits=(0, 1))
    ...     path.read_bytes()[:6]
    b'GIF89a'
    """
    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise FileError(f"{path}: an animation is a .gif file; choose a name with this suffix.")
    check_folder(path)
    arrays = [channels_first(np.asarray(image), channel_axis) for image in images]
    _check(arrays)
    frames = _frames(arrays, contrast_limits or _extremes(arrays[-1]))
    each = max(20, round(1000 * seconds / len(frames)))  # milliseconds; 20 is the viewers' minimum
    durations = [each] * (len(frames) - 1) + [each + round(1000 * LAST_SECONDS)]
    stream = io.BytesIO()
    frames[0].save(
        stream, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0
    )
    write_whole(path, stream.getvalue())


def _check(arrays: Sequence[NDArray[Any]]) -> None:
    if not arrays:
        raise ValueError("there is no image to animate: keep snapshots of the restoration.")
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"the images differ in shape ({', '.join(map(str, sorted(shapes)))}): "
            "use images of one run."
        )
    shape = arrays[0].shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(
            f"images of shape {shape} (channels first) cannot be animated: "
            "use one channel, or three colors."
        )


def _extremes(image: NDArray[Any]) -> tuple[float, float]:
    known = image[np.isfinite(image)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)


def _frames(arrays: Sequence[NDArray[Any]], limits: tuple[float, float]) -> list[Any]:
    from PIL import Image

    low, high = limits
    frames = []
    for array in arrays:
        shown = (array.astype(np.float64) - low) / ((high - low) or 1.0)
        pixels = np.rint(255 * np.clip(np.nan_to_num(shown), 0, 1)).astype(np.uint8)
        picture = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
        frames.append(Image.fromarray(np.ascontiguousarray(picture)))
    return frames
