"""The selection of a layer's planes, channels and region to restore."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from .channels import chosen_channels
from .plane import displayed_plane, whole_stack
from .region import region_of
from .volume import volume_at

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from .plane import Plane
    from .region import RegionLike


PLANES = ("displayed", "all", "volume")
"""The displayed plane; all planes, each by itself; the planes along Z together, as a volume."""


@dataclass(frozen=True, kw_only=True)
class LayerSelection:
    """What to restore of a layer, as arguments of `restore_layer`."""

    planes: str = "displayed"
    region: RegionLike | None = None
    channel_axis: int | str | None = "auto"
    channels: str = "jointly"

    @classmethod
    def from_arguments(cls, arguments: dict[str, Any]) -> LayerSelection:
        """Remove the fields of this class from arguments of `restore_layer`, and use them."""
        return cls(
            **{
                each.name: arguments.pop(each.name)
                for each in fields(cls)
                if each.name in arguments
            }
        )

    def load(self, viewer: ViewerModel, image: Image) -> Plane:
        """Load the selection into memory.

        Raises
        ------
        TypeError, ValueError
            If the selection does not fit the layer.
        """
        if self.planes not in PLANES:
            raise ValueError(f"planes={self.planes!r} is unknown; choose {', '.join(PLANES)}.")
        if self.planes == "all" and self.region is not None:
            raise ValueError(
                "a region is part of the displayed plane only: omit planes='all' or the region."
            )
        roles = chosen_channels(image, self.channel_axis, self.channels)
        if self.planes == "all":
            return whole_stack(image, roles)
        if self.planes == "volume":
            return volume_at(viewer, image, roles, region_of(viewer, image, self.region))
        return displayed_plane(viewer, image, roles, region_of(viewer, image, self.region))
