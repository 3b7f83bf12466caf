"""The base class of tasks: a corrupted image and how it is corrupted.

A task only holds and validates the user's arrays. Settings say how to restore it; a restorer does.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..arrays import channels_back, channels_first, has_data
from ..encoding import decoded, encoded, fingerprint
from .validation import check_finite, check_range, checked_image, no_data_summary, unknown_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from ..fitting.settings import Settings


PIECE_PLANES = 12
"""Planes of the part of a volume from which the cost is predicted."""


@dataclass(frozen=True, eq=False)
class Task:
    """The base class of all tasks.

    A custom task is a frozen dataclass. Its fields are its options in `restore_layer`, on the
    command line and in provenance records.

    Parameters
    ----------
    image : (Y, X) array, or (Z, Y, X) for tasks with `volumes`, or with channels at `channel_axis`
        Any integer or float dtype. Unknown are NaN and infinite pixels, pixels that a numpy masked
        array hides, and those with a value far from all others that means "no data" (-9999,
        -3.4e38).
    channel_axis : int, optional
        The axis of `image` that holds the channels.

    Raises
    ------
    TypeError
        If `image` is not an array of real numbers, or `channel_axis` is not an int.
    ValueError
        If the image is empty, has another number of axes, or has no finite pixel in one of its
        channels.
    """

    kind: ClassVar[str]
    """Name of the task, of its sub-command and in provenance records."""
    pixelwise: ClassVar[tuple[str, ...]] = ()
    """Fields with one value for each pixel, such as masks; cropped and split with the image."""
    volumes: ClassVar[bool] = False
    """Whether the image may be a volume, (Z, Y, X)."""
    needs_micrometers: ClassVar[bool] = False
    """Whether `spacing` is in micrometers, and planes have one too."""
    operator: ClassVar[str | Callable[..., Any]] = (
        "napari_deep_image_prior.methods.base:identity_operator"
    )
    """Function (task, known pixels) -> forward operator, or its "module:name".

    A name does not load torch.
    """

    image: ArrayLike
    _: KW_ONLY
    channel_axis: int | None = None

    def __post_init__(self) -> None:
        image, axis = checked_image(self.image, self.channel_axis, volumes=self.volumes)
        self._set(image=image, channel_axis=axis)
        check_range(image)
        self._check_known(image, axis)

    def _check_known(self, image: NDArray[Any], axis: int | None) -> None:
        """Raise ValueError if a channel has no known pixel."""
        check_finite(image, axis)

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of the restored image: the input's."""
        return np.shape(self.image)

    @property
    def magnification(self) -> float:
        """Largest ratio of the result's size to the input's along any axis."""
        return 1.0

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 1 if self.channel_axis is None else np.shape(self.image)[self.channel_axis]

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """(Y, X) or (Z, Y, X) shape of the image."""
        return self._spatial(np.shape(self.image))

    @property
    def result_spatial_shape(self) -> tuple[int, ...]:
        """(Y, X) or (Z, Y, X) shape of the result."""
        return self._spatial(self.result_shape)

    def _spatial(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(size for axis, size in enumerate(shape) if axis != self.channel_axis)

    @property
    def operator_size(self) -> tuple[int, ...]:
        """Size in pixels of what the forward operator mixes, along each axis of the image."""
        return (1,) * len(self.spatial_shape)

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Mask of the unknown pixels (NaN, infinite or no data), in the image's shape."""
        return unknown_pixels(np.asarray(self.image))

    @property
    def detected(self) -> str:
        """What the task detected in the image, in one line; may be empty."""
        return no_data_summary(np.asarray(self.image))

    @property
    def caution(self) -> str:
        """What may be a mistake in the image or the mask, in one line; may be empty."""
        return no_data_summary(np.asarray(self.image))

    @property
    def options(self) -> dict[str, Any]:
        """Values of the fields other than the image and its channel axis, by name."""
        return {name: getattr(self, name) for name in self.option_names()}

    @classmethod
    def option_names(cls) -> tuple[str, ...]:
        """Return the names of the fields other than the image and its channel axis."""
        return tuple(
            field.name
            for field in dataclasses.fields(cls)
            if field.name not in ("image", "channel_axis")
        )

    @classmethod
    def is_needed(
        cls,
        image: NDArray[Any],
        channel_axis: int | None = None,
        **options: Any,  # noqa: ANN401, ARG003
    ) -> bool:
        """Return whether an image needs restoration; other planes of a stack stay unchanged.

        A plane without any finite pixel in a channel, such as a dropped frame, does not.
        """
        return has_data(image, channel_axis)

    def check_settings(self, settings: Settings) -> None:
        """Raise ValueError if an option of the task is not supported with these settings."""

    def repainted(self, missing: ArrayLike) -> Self:  # noqa: ARG002  (of tasks with a mask)
        """Return the same task with another mask; TypeError if it has none."""
        raise TypeError(f"the task {self.kind} has no mask to repaint.")

    def initial_image(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the preview before the first step: the input, in the result's shape and dtype."""
        image = self.to_result_grid(np.array(self.image, dtype=dtype))
        unknown = self.to_result_grid(self.unknown)
        if unknown.any():
            image[unknown] = np.median(image[~unknown]).astype(image.dtype)
        return image

    def to_result_grid(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Resample an array of the image's shape to that of the result."""
        return pixels

    def residual(self, restored: ArrayLike) -> NDArray[np.float32]:
        """Return the input minus the forward operator applied to a result; NaN where unknown.

        Parameters
        ----------
        restored : array of `result_shape`
            In the input's intensity units.

        Returns
        -------
        float32 array of the image's shape

        Raises
        ------
        ValueError
            If `restored` does not have the task's `result_shape`.
        """
        image = np.asarray(restored, dtype=np.float64)
        if image.shape != tuple(self.result_shape):
            raise ValueError(
                f"the result has shape {image.shape}, but the task's is {tuple(self.result_shape)}."
            )
        difference = np.asarray(self.image).astype(np.float64) - self._measured(image)
        difference[self.unknown] = np.nan
        return difference.astype(np.float32)

    def _measured(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the forward operator to a result."""
        return image

    def rehearsal(self, edge: int) -> Self:
        """Return the same task for a central part of the image, to predict the cost; no NaNs.

        It is a square of that edge, with `PIECE_PLANES` planes of a volume.
        """
        return replace(self, **self._middle(edge))

    def _middle(self, edge: int) -> dict[str, Any]:
        """Return a central part of the image and of each pixelwise field."""
        shape = self.spatial_shape
        edges = (*(PIECE_PLANES,) * (len(shape) - 2), edge, edge)
        starts = [max(0, (size - edge) // 2) for size, edge in zip(shape, edges, strict=True)]
        inside = tuple(map(slice, starts, map(sum, zip(starts, edges, strict=True))))

        def cut(array: NDArray[Any]) -> NDArray[Any]:
            return channels_back(
                channels_first(array, self.channel_axis)[:, *inside].copy(), self.channel_axis
            )

        masks = {}
        for name in self.pixelwise:
            mask = getattr(self, name)
            if mask is not None:
                mask = np.asarray(mask)
                # one mask for all channels, or one for each
                masks[name] = mask[inside].copy() if mask.ndim == len(shape) else cut(mask)
        return {"image": np.nan_to_num(cut(np.asarray(self.image)), posinf=0, neginf=0), **masks}

    def describe(self) -> dict[str, Any]:
        """Return the task as a JSON-able dict, with a fingerprint in place of the image."""
        image = np.asarray(self.image)
        return {
            "kind": self.kind,
            "shape": list(image.shape),
            "image_dtype": str(image.dtype),
            "channel_axis": self.channel_axis,
            "image_sha256": fingerprint(image),
            **self._described_options(),
        }

    def _described_options(self) -> dict[str, Any]:
        return {name: encoded(value) for name, value in self.options.items()}

    @classmethod
    def from_description(cls, described: Mapping[str, Any], image: NDArray[Any]) -> Self:
        """Return the task from a dict of `describe` and the same image."""
        return cls(
            image, channel_axis=described.get("channel_axis"), **cls._options_described(described)
        )

    @classmethod
    def _options_described(cls, described: Mapping[str, Any]) -> dict[str, Any]:
        return {name: decoded(described[name]) for name in cls.option_names() if name in described}

    @classmethod
    def described_magnification(cls, described: Mapping[str, Any]) -> float:  # noqa: ARG003
        """Return the `magnification` of the task in a dict of `describe`."""
        return 1.0

    @classmethod
    def described_pixels(cls, described: Mapping[str, Any]) -> int:
        """Return the number of pixels of the result of the task in a dict of `describe`."""
        return math.prod(
            size
            for axis, size in enumerate(described["shape"])
            if axis != described["channel_axis"]
        )
