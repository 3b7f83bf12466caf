"""An image with the metadata of its file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import selection
from .units import in_unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from ..arrays import Index


class FileError(ValueError):
    """An image file that cannot be read or written; the message says why."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image, or a stack of images, with the metadata of its file."""

    image: NDArray[Any]
    """(Y, X) array, or with channels at `channel_axis`; preceded by the axes of `planes`."""
    channel_axis: int | None = None
    """Axis of the channels; None for a single one."""
    pixel_size: tuple[float, float] | None = None
    """(Y, X) size of a pixel, in `unit`; None if unknown."""
    unit: str = ""
    """Unit of the pixel size, such as µm."""
    channel_names: tuple[str, ...] = field(default=())
    """Names of the channels; empty if unknown."""
    provenance: dict[str, Any] | None = None
    """Provenance of a result of this package, else None."""
    planes: str = ""
    """A letter for each axis of planes: T, Z, or another if the file does not name the axis."""
    spacing: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    """Distance between planes and its unit, by the letter of the axis."""
    is_color: bool | None = None
    """Whether the channels are red, green, blue and perhaps transparency; None: if there are three
    or four of uint8 or uint16 behind Y and X."""
    channel_details: Mapping[str, list[str]] = field(default_factory=dict)
    """Further OME attributes of the channels: colors, wavelengths; a value for each channel."""
    is_inverted: bool = False
    """Whether 0 is displayed white (TIFF's MINISWHITE)."""
    orientation: int = 1
    """TIFF's orientation, 1 to 8; the array is as stored."""
    notes: tuple[str, ...] = ()
    """What the file holds besides this image, one line each."""
    description: str = ""
    """The user's description of the image."""
    color_profile: bytes = field(default=b"", repr=False)
    """ICC profile; empty if there is none."""
    plane_details: tuple[Mapping[str, str], ...] = ()
    """OME attributes of each plane: exposure, time and position, with its indices."""

    @property
    def channel_count(self) -> int:
        """Number of channels."""
        return 1 if self.channel_axis is None else self.image.shape[self.channel_axis]

    @property
    def leading(self) -> tuple[int, ...]:
        """Lengths of the axes before Y and X, with that of the channels if it is among them."""
        has_colors = self.channel_axis is not None and self.channel_axis == self.image.ndim - 1
        return self.image.shape[: -3 if has_colors else -2]

    @property
    def depth_axis(self) -> int | None:
        """Axis of the planes of a volume: Z, or the only axis of planes; None if there is none."""
        axes = [axis for axis in range(len(self.leading)) if axis != self.channel_axis]
        if "Z" in self.planes:
            return axes[self.planes.index("Z")]
        return axes[0] if len(axes) == 1 else None

    def voxel_size(self) -> tuple[float, float, float] | None:
        """Return the (Z, Y, X) size of a voxel in the unit of the pixel size; None if unknown."""
        if self.pixel_size is None or "Z" not in self.spacing:
            return None
        distance, unit = self.spacing["Z"]
        converted = in_unit(distance, unit, self.unit) if unit != self.unit else distance
        return None if converted is None else (converted, *self.pixel_size)

    def parts(self, *, volumes: bool = False) -> Iterator[tuple[Index, ImageFile]]:
        """Yield the planes of a stack, each with its index and all its channels.

        volumes: yield volumes with all planes of `depth_axis` instead.
        """
        whole = {self.channel_axis, self.depth_axis} if volumes else {self.channel_axis}
        counts = [1 if axis in whole else length for axis, length in enumerate(self.leading)]
        for place in np.ndindex(*counts):
            index = tuple(None if axis in whole else i for axis, i in enumerate(place))
            axis = None
            if self.channel_axis is not None:  # the axes of planes before it are dropped
                axis = self.channel_axis - sum(i is not None for i in index[: self.channel_axis])
            image = self.image[selection(index)]
            yield index, replace(self, image=image, channel_axis=axis, planes="", spacing={})


def result_file(source: ImageFile, image: NDArray[Any]) -> ImageFile:
    """Return an image of the same area with the metadata of `source` and its own pixel size."""
    size, spacing, details = source.pixel_size, dict(source.spacing), source.plane_details
    depth = source.depth_axis
    if depth is not None and image.shape[depth] != source.image.shape[depth]:
        details = ()
        if "Z" in spacing:
            distance, unit = spacing["Z"]
            spacing["Z"] = (distance * source.image.shape[depth] / image.shape[depth], unit)
    if size is not None:
        axes = [axis for axis in range(image.ndim) if axis != source.channel_axis][-2:]
        ratios = [source.image.shape[axis] / image.shape[axis] for axis in axes]
        size = (size[0] * ratios[0], size[1] * ratios[1])
    return replace(
        source,
        image=image,
        pixel_size=size,
        spacing=spacing,
        plane_details=details,
        provenance=None,
    )
