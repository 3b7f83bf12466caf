"""An image with what its file says about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from ..arrays import Index


class FileError(ValueError):
    """A file that cannot be read or written as an image; the message says why."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image, or a stack of images, with what its file says about it."""

    image: NDArray[Any]
    """(Y, X), or with channels at `channel_axis`; before these the axes that count `planes`."""
    channel_axis: int | None = None
    """Axis of the channels, None for a single one."""
    pixel_size: tuple[float, float] | None = None
    """(Y, X) size of a pixel, in `unit`."""
    unit: str = ""
    """Unit of the pixel size, such as um."""
    channel_names: tuple[str, ...] = field(default=())
    """Names of the channels, where the file has them."""
    provenance: dict[str, Any] | None = None
    """How it was made, if it is a result of this program."""
    planes: str = ""
    """A letter for each axis that counts planes: T, Z, or another where the file does not say what it is."""
    spacing: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    """Of these axes, by their letter: the distance from one plane to the next, and its unit."""

    @property
    def channel_count(self) -> int:
        """How many channels it has."""
        return 1 if self.channel_axis is None else self.image.shape[self.channel_axis]

    @property
    def leading(self) -> tuple[int, ...]:
        """Lengths of the axes before Y and X, also that of the channels if it is one of these."""
        has_colors = self.channel_axis is not None and self.channel_axis == self.image.ndim - 1
        return self.image.shape[: -3 if has_colors else -2]

    def parts(self) -> Iterator[tuple[Index, ImageFile]]:
        """Take apart a stack into its planes, each with its channels and with its place in the stack."""
        counts = [
            1 if axis == self.channel_axis else length for axis, length in enumerate(self.leading)
        ]
        for place in np.ndindex(*counts):
            index = tuple(None if axis == self.channel_axis else i for axis, i in enumerate(place))
            axis = self.channel_axis and self.channel_axis - sum(
                i is not None for i in index[: self.channel_axis]
            )
            image = self.image[selection(index)]
            yield index, replace(self, image=image, channel_axis=axis, planes="", spacing={})


def enlarged(source: ImageFile, image: NDArray[Any]) -> ImageFile:
    """Return `image`, of the same area, described as `source` is: more pixels are smaller ones."""
    size = source.pixel_size
    if size is not None:
        axes = [axis for axis in range(image.ndim) if axis != source.channel_axis][-2:]
        ratios = [source.image.shape[axis] / image.shape[axis] for axis in axes]
        size = (size[0] * ratios[0], size[1] * ratios[1])
    return replace(source, image=image, pixel_size=size, provenance=None)
