"""What of a layer is restored: which planes and channels, and which part of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from .channels import chosen_channels
from .plane import displayed_plane, whole_stack
from .region import region_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from .plane import Plane
    from .region import AskedRegion


@dataclass(frozen=True, kw_only=True)
class LayerSelection:
    """What is taken of a layer, in the words of `restore_layer`."""

    planes: str = "displayed"
    region: AskedRegion | None = None
    channel_axis: int | str | None = "auto"
    channels: str = "jointly"

    @classmethod
    def out_of(cls, arguments: dict[str, Any]) -> LayerSelection:
        """Take its own out of the arguments of `restore_layer`."""
        return cls(
            **{
                each.name: arguments.pop(each.name)
                for each in fields(cls)
                if each.name in arguments
            }
        )

    def of(self, viewer: ViewerModel, image: Image) -> Plane:
        """Take it into memory.

        Raises
        ------
        TypeError, ValueError
            If it does not fit the layer.
        """
        if self.planes not in ("displayed", "all"):
            raise ValueError(f"planes={self.planes!r} is unknown; choose displayed or all.")
        if self.planes == "all" and self.region is not None:
            raise ValueError(
                "a region is taken of the plane on display only: leave out planes='all', or the region."
            )
        roles = chosen_channels(image, self.channel_axis, self.channels)
        if self.planes == "all":
            return whole_stack(image, roles)
        return displayed_plane(viewer, image, roles, region_of(viewer, image, self.region))
