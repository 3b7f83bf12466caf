"""What is asked: one corrupted image and what is wrong with it.

A task only holds and checks the user's arrays; how it is done is a matter of
`settings`, and doing it of `restoration`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NoiseKind = Literal["auto", "gaussian", "correlated", "poisson", "poisson-gaussian"]
WEAKEST, STRONGEST = 0.25, 4.0
"""The range of `Denoise.strength`."""


@dataclass(frozen=True, eq=False)
class Denoise:
    """Remove the noise from one image.

    Parameters
    ----------
    image : (Y, X) array, or with channels where `channel_axis` says
        Any integer or float dtype, any intensity units. Pixels that are NaN or
        infinite count as unknown and come back restored.
    noise : {"auto", "gaussian", "correlated", "poisson", "poisson-gaussian"}
        The kind of noise. "auto" measures it in the image. "gaussian" is independent
        from pixel to pixel, "correlated" is shared by neighbouring pixels.
    noise_std : float, optional
        Standard deviation of Gaussian noise, in the image's intensity units;
        None: measured in the image.
    strength : float
        How strongly to denoise, 0.25 to 4. 1 takes out the noise that was measured or given; less
        takes out that share of it and leaves the rest as grain; more takes the noise for so many
        times stronger and smooths more.
    channel_axis : int, optional
        The axis of `image` that holds the channels (colours, stains).

    Raises
    ------
    TypeError
        If `image` is not an array of real numbers (boolean arrays included).
    ValueError
        If the image is empty, is not 2D, has no finite pixel, or an option is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> Denoise(np.ones((8, 9))).result_shape
    (8, 9)
    """

    kind: ClassVar[str] = "denoise"

    image: ArrayLike
    _: KW_ONLY
    noise: NoiseKind = "auto"
    noise_std: float | None = None
    strength: float = 1.0
    channel_axis: int | None = None

    def __post_init__(self) -> None:
        image, axis = _checked_image(self.image, self.channel_axis)
        _check_finite(image, axis)
        if self.noise not in get_args(NoiseKind):
            raise ValueError(f"noise={self.noise!r} is unknown; choose one of {', '.join(get_args(NoiseKind))}.")
        if self.noise_std is not None:
            _check_noise_std(self.noise_std, self.noise)
            _set(self, noise_std=float(self.noise_std))
        _set(self, image=image, channel_axis=axis, strength=_checked_strength(self.strength))

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of the restored image: the input's."""
        return np.shape(self.image)


@dataclass(frozen=True, eq=False)
class Inpaint:
    """Fill in pixels whose value is unknown.

    Parameters
    ----------
    image : (Y, X) array, or with channels where `channel_axis` says
        Any integer or float dtype. NaN and infinite pixels count as missing too.
    missing : bool array, True = unknown
        Shape of the image, or of the image without its channel axis (then it
        holds for every channel).
    channel_axis : int, optional
        The axis of `image` that holds the channels.

    Raises
    ------
    TypeError
        If `image` is not an array of real numbers or `missing` is not boolean.
    ValueError
        If the shapes do not fit, no pixel is known or none is missing.

    Examples
    --------
    >>> import numpy as np
    >>> holes = np.zeros((8, 9), dtype=bool)
    >>> holes[3:5, 2] = True
    >>> Inpaint(np.ones((8, 9)), missing=holes).result_shape
    (8, 9)
    """

    kind: ClassVar[str] = "inpaint"

    image: ArrayLike
    _: KW_ONLY
    missing: ArrayLike
    channel_axis: int | None = None

    def __post_init__(self) -> None:
        image, axis = _checked_image(self.image, self.channel_axis)
        missing = _checked_missing(self.missing, image.shape, axis)
        unknown = missing | ~np.isfinite(image)
        channels = np.moveaxis(unknown, axis, 0) if axis is not None else unknown[np.newaxis]
        if channels.reshape(len(channels), -1).all(axis=1).any():
            raise ValueError(
                "every pixel (of some channel) is missing: there is nothing to restore from. "
                "In missing, True marks the UNKNOWN pixels."
            )
        if not unknown.any():
            raise ValueError("no pixel is missing: mark the unknown pixels with True (or NaN in the image).")
        _set(self, image=image, missing=unknown, channel_axis=axis)

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of the restored image: the input's."""
        return np.shape(self.image)


@dataclass(frozen=True, eq=False)
class SuperResolve:
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

    image: ArrayLike
    _: KW_ONLY
    factor: float | Sequence[float]
    channel_axis: int | None = None

    def __post_init__(self) -> None:
        image, axis = _checked_image(self.image, self.channel_axis)
        _check_finite(image, axis)
        spatial_ndim = image.ndim - (axis is not None)
        _set(self, image=image, channel_axis=axis, factor=_checked_factors(self.factor, spatial_ndim))

    @property
    def factors(self) -> tuple[float, ...]:
        """One factor for each spatial axis."""
        return tuple(self.factor)  # type: ignore[arg-type]  # __post_init__ made it a tuple

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of the enlarged image: rounded to whole pixels."""
        shape = list(np.shape(self.image))
        axes = [axis for axis in range(len(shape)) if axis != self.channel_axis]
        for axis, factor in zip(axes, self.factors, strict=True):
            shape[axis] = max(1, round(shape[axis] * factor))
        return tuple(shape)


Task = Denoise | Inpaint | SuperResolve


def _set(task: Task, **fields: object) -> None:
    for name, value in fields.items():
        object.__setattr__(task, name, value)


def _checked_image(image: ArrayLike, channel_axis: int | None) -> tuple[NDArray[Any], int | None]:
    """Return the image as a read-only view, with the channel axis counted from the front."""
    array = np.asarray(image)
    if array.dtype == bool:
        raise TypeError("image is boolean: convert it to numbers first, for example image.astype('uint8') * 255.")
    if array.dtype.kind not in "uif":
        raise TypeError(f"image has dtype {array.dtype}: only integer and real float images can be restored.")
    axis = _checked_axis(channel_axis, array.ndim)
    spatial_ndim = array.ndim - (axis is not None)
    if spatial_ndim != 2:
        raise ValueError(
            f"image has shape {array.shape} with {spatial_ndim} spatial axes, but (Y, X) is expected. "
            "For colours or stains name their axis with channel_axis; restore a stack plane by plane."
        )
    if array.size == 0:
        raise ValueError(f"image is empty (shape {array.shape}).")
    view = array.view()
    view.flags.writeable = False
    return view, axis


def _check_finite(image: NDArray[Any], axis: int | None) -> None:
    spatial = tuple(index for index in range(image.ndim) if index != axis)
    if not np.isfinite(image).any(axis=spatial).all():
        where = "" if axis is None else " in one of its channels"
        raise ValueError(f"image has no finite pixel{where}: there is nothing to restore from.")


def _checked_axis(channel_axis: int | None, ndim: int) -> int | None:
    if channel_axis is None:
        return None
    if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer):
        raise TypeError(f"channel_axis must be an int or None, not {channel_axis!r}.")
    if not -ndim <= channel_axis < ndim:
        raise ValueError(f"channel_axis={channel_axis} does not exist in an image with {ndim} axes.")
    return int(channel_axis) % ndim


def _checked_missing(missing: ArrayLike, shape: tuple[int, ...], axis: int | None) -> NDArray[np.bool_]:
    mask = np.asarray(missing)
    if mask.dtype != bool:
        raise TypeError(
            f"missing has dtype {mask.dtype}, but bool is expected (True = unknown). "
            "For painted labels pass missing=labels != 0."
        )
    spatial = tuple(size for index, size in enumerate(shape) if index != axis)
    if mask.shape == shape:
        return mask
    if axis is not None and mask.shape == spatial:
        return np.broadcast_to(np.expand_dims(mask, axis), shape)
    wanted = f"{shape}" if axis is None else f"{shape} or {spatial}"
    raise ValueError(f"missing has shape {mask.shape}, but the image needs {wanted}.")


def _checked_factors(factor: float | Sequence[float], spatial_ndim: int) -> tuple[float, ...]:
    values: list[object] = [*factor] if isinstance(factor, Sequence | np.ndarray) else [factor] * spatial_ndim
    if len(values) != spatial_ndim:
        raise ValueError(f"factor={factor!r} has {len(values)} numbers, but the image has {spatial_ndim} spatial axes.")
    numbers = [float(v) for v in values if isinstance(v, int | float | np.number) and not isinstance(v, bool)]
    if len(numbers) != len(values):
        raise TypeError(f"factor={factor!r} is not a number, nor one number for each spatial axis.")
    if not all(1 <= v <= 16 for v in numbers) or all(v == 1 for v in numbers):
        raise ValueError(f"factor={factor!r} is out of range: use 2 to 16 (1 to 16 when given for each axis).")
    return tuple(int(v) if v.is_integer() else v for v in numbers)


def _checked_strength(strength: object) -> float:
    if isinstance(strength, bool) or not isinstance(strength, int | float | np.number):
        raise TypeError(f"strength={strength!r} is not a number: use {WEAKEST} to {STRONGEST:g}; 1 is the noise found.")
    if not WEAKEST <= strength <= STRONGEST:
        raise ValueError(
            f"strength={strength!r} is out of range: use {WEAKEST} to {STRONGEST:g}; 1 is the noise found."
        )
    return float(strength)


def _check_noise_std(noise_std: float, noise: str) -> None:
    if noise not in ("auto", "gaussian", "correlated"):
        raise ValueError(f"noise_std describes Gaussian noise, not noise={noise!r}: leave one of them out.")
    if not math.isfinite(noise_std) or noise_std <= 0:
        raise ValueError(f"noise_std={noise_std!r} must be a positive number, in the image's intensity units.")
