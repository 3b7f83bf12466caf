"""The task of inpainting."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ...encoding import packed, unpacked
from ..task import Task
from ..validation import unknown_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray


MANY_MISSING = 0.8
"""Share of marked pixels above which the mask may mark the known ones."""


@dataclass(frozen=True, eq=False)
class Inpaint(Task):
    """Fill in unknown pixels of one image or volume.

    Parameters
    ----------
    image : (Y, X) or (Z, Y, X) array, or with channels where `channel_axis` says
        Any integer or float dtype. Pixels that are NaN, infinite, hidden by a masked array, or have
        a value that means "no data" (-9999, -3.4e38) count as missing too.
    missing : bool array, True = unknown
        Shape of the image, or of the image without its channel axis (then it
        applies to every channel). Of a volume also (Y, X): then it applies to every plane.
    channel_axis : int, optional
        The axis of `image` that holds the channels.

    Raises
    ------
    TypeError
        If `image` is not an array of real numbers or `missing` is not boolean.
    ValueError
        If the shapes do not match, no pixel is known or none is missing.

    Examples
    --------
    >>> import numpy as np
    >>> holes = np.zeros((8, 9), dtype=bool)
    >>> holes[3:5, 2] = True
    >>> Inpaint(np.ones((8, 9)), missing=holes).result_shape
    (8, 9)
    """

    kind: ClassVar[str] = "inpaint"
    pixelwise: ClassVar[tuple[str, ...]] = ("missing",)
    volumes: ClassVar[bool] = True
    operator: ClassVar[str] = "napari_deep_image_prior.methods.inpainting.restorer:mask_operator"

    _: KW_ONLY
    missing: ArrayLike

    def _check_known(self, image: NDArray[Any], axis: int | None) -> None:
        missing = _checked_missing(self.missing, image.shape, axis)
        unknown = missing | unknown_pixels(image)
        channels = np.moveaxis(unknown, axis, 0) if axis is not None else unknown[np.newaxis]
        if channels.reshape(len(channels), -1).all(axis=1).any():
            raise ValueError(
                "every pixel of a channel is missing: leave some known "
                "(the mask marks the unknown pixels)."
            )
        if not unknown.any():
            raise ValueError(
                "no pixel is missing: mark the unknown pixels in the mask, "
                "or with NaN in the image."
            )
        self._set(missing=unknown)

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Mask of the missing pixels, including NaN and infinite ones, in the image's shape."""
        return np.asarray(self.missing)

    @property
    def caution(self) -> str:
        """Whether the mask marks nearly all pixels."""
        without_data = unknown_pixels(np.asarray(self.image))
        share = float((self.unknown & ~without_data).mean())
        many = (
            f"{100 * share:.0f} % of the pixels are marked as missing: "
            "if the mask marks the known pixels, invert it"
        )
        return "; ".join(filter(None, [super().caution, many if share > MANY_MISSING else ""]))

    @classmethod
    def is_needed(
        cls,
        image: NDArray[Any],
        channel_axis: int | None = None,
        **options: Any,  # noqa: ANN401
    ) -> bool:
        """Return whether any pixel is missing, and any of each channel is known."""
        return super().is_needed(image, channel_axis) and (
            bool(np.any(options["missing"])) or bool(unknown_pixels(image).any())
        )

    def repainted(self, missing: ArrayLike) -> Self:
        """Return the same task with another mask."""
        return replace(self, missing=missing)

    def rehearsal(self, edge: int) -> Self:
        """Return the same task for a central part of the image, with some pixels missing."""
        part = self._middle(edge)
        missing = part["missing"]
        if missing.all() or not missing.any():  # the cost does not depend on the holes
            part["missing"] = np.indices(missing.shape).sum(axis=0) % 2 == 0
        return replace(self, **part)

    def _described_options(self) -> dict[str, Any]:
        missing = np.asarray(self.missing)
        # the mask itself: a painted one is not in any file
        return {"missing_pixels": int(missing.sum()), "missing_zlib": packed(missing)}

    @classmethod
    def _options_described(cls, described: Mapping[str, Any]) -> dict[str, Any]:
        return {"missing": unpacked(described["missing_zlib"], described["shape"])}


def _checked_missing(
    missing: ArrayLike, shape: tuple[int, ...], axis: int | None
) -> NDArray[np.bool_]:
    mask = np.asarray(missing)
    if mask.dtype != bool:
        raise TypeError(
            f"missing has dtype {mask.dtype}, but bool is expected (True = unknown): "
            "for painted labels pass missing=labels != 0."
        )
    spatial = tuple(size for index, size in enumerate(shape) if index != axis)
    if mask.shape == shape:
        return mask
    if mask.shape in (spatial, spatial[-2:]):
        whole = np.broadcast_to(mask, spatial)
        return np.broadcast_to(whole if axis is None else np.expand_dims(whole, axis), shape)
    accepted = dict.fromkeys((shape, spatial, spatial[-2:]))
    wanted = " or ".join(map(str, accepted))
    raise ValueError(f"missing has shape {mask.shape}, but must have shape {wanted}.")
