"""Super-resolution as a task."""

from __future__ import annotations

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
    """Enlarge an image, adding detail that is consistent with it.

    Parameters
    ----------
    image : (Y, X) array, or with channels where `channel_axis` says
        The small image, any integer or float dtype. NaN and infinite pixels
        count as unknown.
    factor : int, or a sequence of one number for each spatial axis
        How many times larger the result is; above 1 on at least one axis, at
        most 16.
    channel_axis : int, optional
        The axis of `image` that holds the channels.

    Raises
    ------
    TypeError
        If `image` is not an array of real numbers or `factor` is not a number.
    ValueError
        If a factor is out of range or their number is not that of the axes.

    Examples
    --------
    >>> import numpy as np
    >>> SuperResolve(np.ones((8, 9)), factor=4).result_shape
    (32, 36)
    """

    kind: ClassVar[str] = "super-resolve"
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
        """One factor for each spatial axis."""
        return tuple(self.factor)  # type: ignore[arg-type]  # __post_init__ made it a tuple

    @property
    def magnification(self) -> float:
        """The largest factor."""
        return max(self.factors)

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of the enlarged image: rounded to whole pixels."""
        shape = list(np.shape(self.image))
        for axis, factor in zip(self._spatial_axes(), self.factors, strict=True):
            shape[axis] = max(1, round(shape[axis] * factor))
        return tuple(shape)

    def _spatial_axes(self) -> list[int]:
        return [axis for axis in range(np.ndim(self.image)) if axis != self.channel_axis]

    def to_result_grid(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Repeat pixels: each large one takes the small one below its center."""
        for axis, factor in zip(self._spatial_axes(), self.factors, strict=True):
            nearest = np.floor((np.arange(self.result_shape[axis]) + 0.5) / factor).astype(int)
            pixels = pixels.take(np.minimum(nearest, pixels.shape[axis] - 1), axis)
        return pixels

    def _measured(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shrink an enlarged image to the pixels of the small one."""
        channels = channels_first(image, self.channel_axis)
        height, width = self.spatial_shape
        rows, columns = (
            lanczos_matrix(channels.shape[1], height),
            lanczos_matrix(channels.shape[2], width),
        )
        small: NDArray[np.float64] = channels_back(rows @ channels @ columns.T, self.channel_axis)
        return small

    @classmethod
    def described_magnification(cls, described: Mapping[str, Any]) -> float:
        """Return the largest factor of a task that was described."""
        return float(max(described["factor"]))


def _checked_factors(factor: float | Sequence[float], spatial_ndim: int) -> tuple[float, ...]:
    values: list[object] = (
        [*factor] if isinstance(factor, Sequence | np.ndarray) else [factor] * spatial_ndim
    )
    if len(values) != spatial_ndim:
        raise ValueError(
            f"factor={factor!r} has {len(values)} numbers, but the image has {spatial_ndim} spatial axes."
        )
    numbers = [
        float(v)
        for v in values
        if isinstance(v, int | float | np.number) and not isinstance(v, bool)
    ]
    if len(numbers) != len(values):
        raise TypeError(f"factor={factor!r} is not a number, nor one number for each spatial axis.")
    if not all(1 <= v <= 16 for v in numbers) or all(v == 1 for v in numbers):
        raise ValueError(
            f"factor={factor!r} is out of range: use 2 to 16 (1 to 16 when given for each axis)."
        )
    return tuple(int(v) if v.is_integer() else v for v in numbers)
