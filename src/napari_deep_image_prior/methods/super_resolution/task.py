"""The task of super-resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...arrays import channels_back, channels_first
from ...resampling import lanczos_matrix
from ..task import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SuperResolve(Task):
    """Enlarge an image or volume, with detail that is consistent with it.

    Parameters
    ----------
    image : (Y, X) or (Z, Y, X) array, or with channels where `channel_axis` says
        The image to enlarge, any integer or float dtype. Unknown pixels are filled in:
        NaN, infinite, hidden by a masked array, or with a value that means "no data".
    factor : int, or a sequence of one number for each spatial axis
        Enlargement along each axis, 1 to 16, above 1 on at least one axis. (3, 1, 1) makes the
        voxels of a volume cubes whose planes are three times as far apart as pixels.
    channel_axis : int, optional
        The axis of `image` that holds the channels.

    Raises
    ------
    TypeError
        If `image` is not an array of real numbers or `factor` is not a number.
    ValueError
        If a factor is out of range, or there is not one for each spatial axis.

    Examples
    --------
    >>> import numpy as np
    >>> SuperResolve(np.ones((8, 9)), factor=4).result_shape
    (32, 36)
    """

    kind: ClassVar[str] = "super-resolve"
    volumes: ClassVar[bool] = True
    operator: ClassVar[str] = (
        "napari_deep_image_prior.methods.super_resolution.restorer:downsampling_operator"
    )

    _: KW_ONLY
    factor: float | Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        spatial_ndim = np.ndim(self.image) - (self.channel_axis is not None)
        self._set(factor=_checked_factors(self.factor, spatial_ndim))

    @property
    def factors(self) -> tuple[float, ...]:
        """The enlargement along each spatial axis."""
        return tuple(self.factor)  # type: ignore[arg-type]  # __post_init__ made it a tuple

    @property
    def magnification(self) -> float:
        """The largest factor."""
        return max(self.factors)

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of the enlarged image, rounded to whole pixels."""
        shape = list(np.shape(self.image))
        for axis, factor in zip(self._spatial_axes(), self.factors, strict=True):
            shape[axis] = max(1, round(shape[axis] * factor))
        return tuple(shape)

    def _spatial_axes(self) -> list[int]:
        return [axis for axis in range(np.ndim(self.image)) if axis != self.channel_axis]

    def to_result_grid(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Resample to the shape of the result by nearest-neighbor interpolation."""
        for axis, factor in zip(self._spatial_axes(), self.factors, strict=True):
            nearest = np.floor((np.arange(self.result_shape[axis]) + 0.5) / factor).astype(int)
            pixels = pixels.take(np.minimum(nearest, pixels.shape[axis] - 1), axis)
        return pixels

    def _measured(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Downsample an enlarged image to the shape of the input."""
        small = channels_first(image, self.channel_axis)
        for axis, size in enumerate(self.spatial_shape, start=1):
            matrix = lanczos_matrix(small.shape[axis], size)
            small = np.moveaxis(np.tensordot(matrix, small, (1, axis)), 0, axis)
        measured: NDArray[np.float64] = channels_back(small, self.channel_axis)
        return measured

    @classmethod
    def described_magnification(cls, described: Mapping[str, Any]) -> float:
        """Return the largest factor of the task in a dict of `describe`."""
        return float(max(described["factor"]))

    @classmethod
    def described_pixels(cls, described: Mapping[str, Any]) -> int:
        """Return the number of pixels of the enlarged image of the task in a dict of `describe`."""
        edges = [
            size
            for axis, size in enumerate(described["shape"])
            if axis != described["channel_axis"]
        ]
        enlarged = zip(edges, described["factor"], strict=True)
        return math.prod(max(1, round(size * factor)) for size, factor in enlarged)


def _checked_factors(factor: float | Sequence[float], spatial_ndim: int) -> tuple[float, ...]:
    values: list[object] = (
        [*factor] if isinstance(factor, Sequence | np.ndarray) else [factor] * spatial_ndim
    )
    if len(values) != spatial_ndim:
        raise ValueError(
            f"factor={factor!r} has {len(values)} numbers, but the image has {spatial_ndim} "
            "spatial axes: give one number, or one for each axis."
        )
    numbers = [
        float(v)
        for v in values
        if isinstance(v, int | float | np.number) and not isinstance(v, bool)
    ]
    if len(numbers) != len(values):
        raise TypeError(
            f"factor={factor!r} is not numeric: give one number, or one for each spatial axis."
        )
    if not all(1 <= v <= 16 for v in numbers) or all(v == 1 for v in numbers):
        raise ValueError(
            f"factor={factor!r} is out of range: use 2 to 16 (or 1 to 16 for each axis)."
        )
    return tuple(int(v) if v.is_integer() else v for v in numbers)
