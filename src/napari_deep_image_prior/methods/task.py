"""What is asked: one corrupted image and what is wrong with it.

A task only holds and checks the user's arrays; how it is done is a matter of its
settings, and doing it of its restorer.
"""

from __future__ import annotations

import dataclasses
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..arrays import channels_back, channels_first
from ..encoding import decoded, encoded, fingerprint
from .validation import check_finite, checked_image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from ..fitting.settings import Settings


@dataclass(frozen=True, eq=False)
class Task:
    """The base class of all tasks; what it does holds unless a task does otherwise.

    A task of your own is a frozen dataclass like the ones here. Its fields are its options: they reach it from
    `restore_layer`, the command line and a provenance by their names.
    """

    kind: ClassVar[str]
    """The name of the task: that of its sub-command, and in provenances."""
    pixelwise: ClassVar[tuple[str, ...]] = ()
    """Fields that hold an array of the image's pixels, as a mask does: cropped, and taken plane by plane, with it."""
    operator: ClassVar[str | Callable[..., Any]] = (
        "napari_deep_image_prior.methods.base:identity_operator"
    )
    """What makes the forward operator from the task and its known pixels, or "module:name" of that.

    A name, as operators need torch, and a task does not load it.
    """

    image: ArrayLike
    _: KW_ONLY
    channel_axis: int | None = None

    def __post_init__(self) -> None:
        image, axis = checked_image(self.image, self.channel_axis)
        self._set(image=image, channel_axis=axis)
        self._check_known(image, axis)

    def _check_known(self, image: NDArray[Any], axis: int | None) -> None:
        """Raise ValueError where there is no pixel to restore from."""
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
        """How many times larger the result is, along the axis where it is the most."""
        return 1.0

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 1 if self.channel_axis is None else np.shape(self.image)[self.channel_axis]

    @property
    def spatial_shape(self) -> tuple[int, int]:
        """Shape of the image without its channels."""
        return self._spatial(np.shape(self.image))

    @property
    def result_spatial_shape(self) -> tuple[int, int]:
        """Shape of the result without its channels."""
        return self._spatial(self.result_shape)

    def _spatial(self, shape: tuple[int, ...]) -> tuple[int, int]:
        height, width = (size for axis, size in enumerate(shape) if axis != self.channel_axis)
        return height, width

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Which pixels of the image do not count, in its shape: those that are NaN or infinite."""
        unknown: NDArray[np.bool_] = ~np.isfinite(np.asarray(self.image))
        return unknown

    @property
    def options(self) -> dict[str, Any]:
        """The fields beside the image and its channel axis, by their names."""
        return {name: getattr(self, name) for name in self.option_names()}

    @classmethod
    def option_names(cls) -> tuple[str, ...]:
        """Return the names of the fields beside the image and its channel axis."""
        return tuple(
            field.name
            for field in dataclasses.fields(cls)
            if field.name not in ("image", "channel_axis")
        )

    @classmethod
    def is_needed(cls, image: NDArray[Any], **options: Any) -> bool:  # noqa: ANN401, ARG003  (those of the task)
        """Return whether there is anything to do; a plane of a stack where there is not stays as it is."""
        return True

    def check_settings(self, settings: Settings) -> None:
        """Raise ValueError where an option of the task means nothing to a fit with these settings."""

    def repainted(self, missing: ArrayLike) -> Self:  # noqa: ARG002  (of tasks with a mask)
        """Return the same task with another mask; TypeError where it has none."""
        raise TypeError(f"the task {self.kind} has no mask to repaint.")

    def initial_image(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return what is shown before the first restoration: the input itself, in the result's shape and dtype."""
        image = self.to_result_grid(np.array(self.image, dtype=dtype))
        unknown = self.to_result_grid(self.unknown)
        if unknown.any():
            image[unknown] = np.median(image[~unknown]).astype(image.dtype)
        return image

    def to_result_grid(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Bring an array of the image's pixels to the shape of the result."""
        return pixels

    def residual(self, restored: ArrayLike) -> NDArray[np.float32]:
        """Return the input minus what would be measured of a restored image; NaN where the input is unknown.

        Raises
        ------
        ValueError
            If the result has another shape than the task's.
        """
        image = np.asarray(restored, dtype=np.float64)
        if image.shape != tuple(self.result_shape):
            raise ValueError(
                f"the result has shape {image.shape}, but {tuple(self.result_shape)} was asked for."
            )
        difference = np.asarray(self.image).astype(np.float64) - self._measured(image)
        difference[self.unknown] = np.nan
        return difference.astype(np.float32)

    def _measured(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the forward operator to a result, without noise."""
        return image

    def rehearsal(self, edge: int) -> Self:
        """Return the same task for a square in the middle of the image, to predict the cost from; without NaNs."""
        return replace(self, **self._middle(edge))

    def _middle(self, edge: int) -> dict[str, Any]:
        """Return the middle of the image and of each pixelwise field."""
        starts = [max(0, (size - edge) // 2) for size in self.spatial_shape]
        rows, columns = (slice(start, start + edge) for start in starts)

        def cut(array: NDArray[Any]) -> NDArray[Any]:
            return channels_back(
                channels_first(array, self.channel_axis)[:, rows, columns].copy(), self.channel_axis
            )

        masks = {name: cut(np.asarray(getattr(self, name))) for name in self.pixelwise}
        return {"image": np.nan_to_num(cut(np.asarray(self.image)), posinf=0, neginf=0), **masks}

    def describe(self) -> dict[str, Any]:
        """Describe the task as a JSON-able dict; of the image what is needed to recognize it."""
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
        """Return the task that `describe` described, of the same image."""
        return cls(
            image, channel_axis=described.get("channel_axis"), **cls._options_described(described)
        )

    @classmethod
    def _options_described(cls, described: Mapping[str, Any]) -> dict[str, Any]:
        return {name: decoded(described[name]) for name in cls.option_names() if name in described}

    @classmethod
    def described_magnification(cls, described: Mapping[str, Any]) -> float:  # noqa: ARG003  (of some tasks)
        """Return the `magnification` of a task that was described."""
        return 1.0
