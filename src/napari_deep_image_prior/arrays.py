"""Conversion between the user's arrays and the network's: axes, intensity scaling, dtype.

Internally an image is (C, Y, X) float32 with intensities near 0 to 1. The scaling is linear and
never clips, so it is exactly invertible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray


Index = tuple[int | None, ...]
"""Index of a plane along the axes before Y and X; None for the axis of its channels."""
GRAY_STEPS = 256
"""Fewest steps of a float dtype that the contrast of an image must have."""


MONTAGE = 2**20
"""Pixels from which the statistics of a volume are estimated."""


@dataclass(frozen=True)
class Scaling:
    """The linear map from intensity units to the network's range, for each channel."""

    offset: tuple[float, ...]
    """Intensity that is mapped to 0, for each channel."""
    scale: tuple[float, ...]
    """Intensity difference that is mapped to 1, for each channel."""

    def apply(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Map a (C, ..., Y, X) image to the network's range, without clipping."""
        # float64 preserves large offsets (camera pedestals, 32-bit integers)
        offset, scale = self._columns(image.ndim - 1)
        with np.errstate(over="ignore"):  # of pixels without data, such as -3.4e38
            return ((image.astype(np.float64) - offset) / scale).astype(np.float32)

    def invert(self, image: NDArray[Any]) -> NDArray[np.float64]:
        """Map a (C, ..., Y, X) image from the network's range to intensity units."""
        offset, scale = self._columns(image.ndim - 1)
        return image.astype(np.float64) * scale + offset

    def _columns(self, ndim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        axes = (-1,) + (1,) * ndim
        return np.array(self.offset).reshape(axes), np.array(self.scale).reshape(axes)


def percentile_scaling(image: NDArray[Any], known: NDArray[np.bool_]) -> Scaling:
    """Return the scaling of each channel's 1st and 99th percentile to 0.05 and 0.95.

    Percentiles are robust to hot pixels. `image` and `known` are (C, Y, X).
    """
    offsets, scales = [], []
    for channel, valid in zip(image, known, strict=True):
        low, high = np.percentile(channel[valid].astype(np.float64), [1, 99])
        if high <= low:  # constant except for a few pixels
            low, high = float(channel[valid].min()), float(channel[valid].max())
        scale = (high - low) / 0.9 if high > low else max(abs(low), 1.0)
        offsets.append(float(low - 0.05 * scale))
        scales.append(float(scale))
    return Scaling(tuple(offsets), tuple(scales))


def full_range_scaling(image: NDArray[Any], known: NDArray[np.bool_]) -> Scaling:
    """Return the scaling of an image's possible range to 0 to 1, for networks with a sigmoid.

    The range is 0 to 255 for uint8 and 0 to 1 for floats within it, as in the publication; else the
    extremes of all channels together. `image` and `known` are (C, Y, X).
    """
    low, high = float(image[known].min()), float(image[known].max())
    if image.dtype == np.uint8:
        low, high = 0.0, 255.0
    elif image.dtype.kind == "f" and low >= 0 and high <= 1 and high > 0.5:
        low, high = 0.0, 1.0
    scale = high - low if high > low else max(abs(low), 1.0)
    return Scaling((low,) * len(image), (scale,) * len(image))


def channels_first(image: NDArray[Any], channel_axis: int | None) -> NDArray[Any]:
    """Move the channels to the front, or add a single one: (C, Y, X)."""
    return image[np.newaxis] if channel_axis is None else np.moveaxis(image, channel_axis, 0)


def channels_back(image: NDArray[Any], channel_axis: int | None) -> NDArray[Any]:
    """Invert `channels_first`."""
    return image[0] if channel_axis is None else np.moveaxis(image, 0, channel_axis)


def montage(volume: NDArray[Any]) -> NDArray[Any]:
    """Return planes of a (C, Z, Y, X) volume below one another, (C, Y, X).

    All of them, or as many at regular distances as have about `MONTAGE` pixels.
    """
    channels, deep, tall, wide = volume.shape
    count = max(1, min(deep, MONTAGE // max(1, tall * wide)))
    chosen = np.linspace(0, deep - 1, count).round().astype(int) if count < deep else slice(None)
    return volume[:, chosen].reshape(channels, -1, wide)


def is_deep(shape: tuple[int, ...]) -> bool:
    """Return whether a (Y, X) or (Z, Y, X) shape has several planes."""
    return len(shape) == 3 and shape[0] > 1


def has_data(image: NDArray[Any], channel_axis: int | None) -> bool:
    """Return whether each channel of an image has a finite pixel."""
    finite = channels_first(np.isfinite(image), channel_axis)
    return bool(finite.reshape(len(finite), -1).any(axis=1).all())


def unmasked(image: ArrayLike) -> NDArray[Any]:
    """Return an image as an array; hidden pixels of a numpy masked array become NaN.

    Tensors of torch may require gradients, and be on any device.
    """
    detach = getattr(image, "detach", None)  # does not import torch
    array = np.asarray(image if detach is None else detach().cpu())
    hidden = np.ma.getmaskarray(image) if isinstance(image, np.ma.MaskedArray) else None
    if hidden is None or not hidden.any() or array.dtype.kind not in "uif":
        return array
    floats = array.astype(np.result_type(array.dtype, np.float32))
    floats[hidden] = np.nan
    return floats


def mask_of_planes(missing: NDArray[np.bool_], wanted: tuple[int, ...]) -> NDArray[np.bool_]:
    """Broadcast a mask of one plane, or with one for each plane, to a stack of shape `wanted`.

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    while missing.ndim > len(wanted) and len(missing) == 1:
        missing = missing[0]
    fits = missing.shape[-2:] == wanted[-2:] and missing.ndim <= len(wanted)
    if not fits or not all(
        n in (1, m) for n, m in zip(missing.shape[::-1], wanted[::-1], strict=False)
    ):
        raise ValueError(
            f"the mask ({_size(missing.shape)}) does not match the stack ({_size(wanted)}): "
            "use a mask of one plane, or one for each plane."
        )
    return np.broadcast_to(missing, wanted)


def _size(shape: tuple[int, ...]) -> str:
    return f"{' x '.join(map(str, shape))} pixels"


def result_dtype(dtype: DTypeLike | str, source: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of a result: a float dtype, or for "same" that of the source.

    Raises
    ------
    ValueError
        If `dtype` is neither "same" nor a float dtype.
    """
    wanted = source if isinstance(dtype, str) and dtype == "same" else np.dtype(dtype)
    if wanted != source and wanted.kind != "f":
        raise ValueError(
            f"dtype={dtype!r} is not supported: use a float dtype, or 'same' for the input's."
        )
    return wanted


def wide_enough(dtype: np.dtype[Any], values: NDArray[Any]) -> np.dtype[Any]:
    """Return float64 in place of float32 where that would lose an image's contrast.

    It would where a large offset leaves the contrast fewer than `GRAY_STEPS` steps, and beyond its
    range. `values` are the known pixels. An image that is itself float32 keeps its dtype.
    """
    if dtype != np.float32 or values.dtype == dtype or not values.size:
        return dtype
    some = values[:: max(1, values.size // 2**18)].astype(np.float64)
    low, middle, high = np.percentile(some, [1, 50, 99])
    if low == high:
        low, high = values.min(), values.max()
    contrast, limit = float(high) - float(low), float(np.finfo(np.float32).max)
    step = float(np.spacing(np.float32(min(abs(middle), limit / 2))))
    loses = 0 < contrast < GRAY_STEPS * step or max(abs(low), abs(high)) > limit
    return np.dtype(np.float64) if loses else dtype


def rounding_hides_signal(image: NDArray[Any]) -> bool:
    """Return whether the steps of an integer dtype are too coarse for a restored (Y, X) image.

    Noise makes the steps harmless: the mean of 0.15 counts is in the pixels of 0 and 1. Without
    it, all of them are rounded to 0. Judged by the means of blocks of 8x8 pixels: rounding changes
    their sum by more than 2 %, or by more than 15 % of their standard deviation.
    """
    rows, columns = (max(1, size // 8) for size in image.shape)
    height, width = (min(8, size) for size in image.shape)
    cut = image[: rows * height, : columns * width].astype(np.float64)
    means = cut.reshape(rows, height, columns, width).mean(axis=(1, 3))
    error = np.rint(means) - means
    is_flat = np.ptp(image) == 0
    return not is_flat and bool(
        abs(error.sum()) > 0.02 * np.abs(means).sum()
        or np.sqrt(np.square(error).mean()) > 0.15 * means.std()
    )


def cast(image: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert to `dtype`; integers are rounded and clipped to their range."""
    if dtype.kind == "f":
        return np.ascontiguousarray(image, dtype=dtype)
    limits = np.iinfo(dtype)
    rounded = np.rint(image)
    # float64 cannot represent the largest 64-bit integers: clipping to them would overflow
    inside = rounded < limits.max
    result = np.full(image.shape, limits.max, dtype=dtype)
    result[inside] = np.maximum(rounded[inside], limits.min).astype(dtype)
    return result


def stack_shape(leading: tuple[int, ...], index: Index, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a stack whose part at an index has a `shape`, perhaps an enlarged one."""
    whole = index.count(None)
    own = iter(shape[:whole])
    outer = [next(own) if i is None else size for i, size in zip(index, leading, strict=True)]
    return (*outer, *shape[whole:])


def selection(index: Index) -> tuple[int | slice, ...]:
    """Return the array index of a plane."""
    return tuple(slice(None) if i is None else i for i in index)
