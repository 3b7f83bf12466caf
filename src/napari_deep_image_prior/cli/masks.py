"""Masks from image files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import mask_of_planes
from ..io.console import complain
from ..io.files import read_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..io.image_file import ImageFile

MANY_VALUES = 8
"""Fewest different values of a mask with noise."""
MAX_BETWEEN = 0.05
"""Largest share of its pixels in the middle half of its range."""


def mask_file(path: Path, given: Path) -> Path:
    """Return the file of an image's mask: that given, or of the image's name in a folder."""
    return given / path.name if given.is_dir() else given


def read_mask(source: ImageFile, path: Path, given: Path) -> NDArray[np.bool_]:
    """Return the mask from a file for an image, or for each plane of a stack."""
    mask = read_image(mask_file(path, given))
    limit = _limit(mask.image)
    if limit:
        complain(
            f"{mask_file(path, given).name}: the mask has noise; values above "
            f"{limit:g} count as missing.",
            error=False,
        )
    missing: NDArray[np.bool_] = np.asarray(mask.image > limit if limit else mask.image != 0)
    missing |= np.isnan(mask.image)
    # in a file without axis names, masks of planes may look like channels
    has_planes = (
        mask.channel_axis == 0 and source.planes != "" and len(missing) == source.image.shape[0]
    )
    if mask.channel_axis is not None and not has_planes:  # a mask saved as a color picture
        missing = _of_colors(np.moveaxis(missing, mask.channel_axis, -1), mask)
    if not source.planes:
        return missing
    if (
        mask.planes
        and "".join(letter for letter in source.planes if letter in mask.planes) == mask.planes
    ):
        # axes that the mask lacks are broadcast
        lengths = dict(zip(mask.planes, missing.shape, strict=False))
        missing = missing.reshape(
            [lengths.get(letter, 1) for letter in source.planes] + list(missing.shape[-2:])
        )
    axes = len(source.leading) + 2
    return mask_of_planes(
        missing, tuple(source.image.shape[i] for i in range(axes) if i != source.channel_axis)
    )


def _of_colors(marked: NDArray[np.bool_], mask: ImageFile) -> NDArray[np.bool_]:
    """Return the painted pixels of a color picture, from its nonzero values (..., C).

    Transparent pixels are not painted. If all colors are black, the opaque pixels are.
    """
    if mask.channel_axis != mask.image.ndim - 1 or marked.shape[-1] not in (2, 4):
        return np.asarray(marked.any(axis=-1))
    colors, opaque = marked[..., :-1].any(axis=-1), marked[..., -1]
    if opaque.all() or not opaque.any():
        return np.asarray(colors)
    painted = colors & opaque
    return np.asarray(painted if painted.any() else opaque)


def _limit(values: NDArray[Any]) -> float:
    """Return the middle of the range of a mask with compression noise, 0 for any other.

    Such a mask was saved as JPEG, or resampled: its values are near 0 and near the largest, and few
    between. Labels are not.
    """
    values = values[np.isfinite(values)]
    high = float(values.max(initial=0))
    if high <= 0 or (values.dtype.kind in "ui" and high < 128):
        return 0.0
    counts = np.unique(values)
    low_values = counts[(counts != 0) & (counts < high / 4)]
    between = ((values > high / 4) & (values < 3 * high / 4)).mean()
    is_noisy = len(counts) >= MANY_VALUES and len(low_values) >= 2 and counts[0] > -high / 4
    few_between = between <= min(MAX_BETWEEN, float((values >= 3 * high / 4).mean()))
    return high / 2 if is_noisy and few_between else 0.0
