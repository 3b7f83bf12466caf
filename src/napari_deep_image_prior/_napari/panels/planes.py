"""The choice of planes: the displayed one, each, or all along z together as a volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container

from ..layers.selection import PLANES
from ..layers.volume import depth_axis, describe_voxels
from .controls import wrapping_label

if TYPE_CHECKING:
    from napari.layers import Image

    from ..layers.channels import Channels

HELP = (
    "displayed: the plane on display. all: every plane by itself, one after another; a mask of one "
    "plane applies to all. volume: the planes along z together."
)


class PlanesChoice(Container[Any]):
    """The choice of planes, and one line on what it means for a volume.

    Parameters
    ----------
    volumes : bool
        Whether the task restores volumes.
    """

    def __init__(self, *, volumes: bool) -> None:
        self._volumes = volumes
        self._offered: tuple[str, ...] = PLANES[:2]
        # called whenever the viewer's layers change; a list would be reset to its first state
        self._choice = ComboBox(name="planes", choices=lambda _combo: self._offered, tooltip=HELP)
        self._voxels = wrapping_label("voxels", 1)
        super().__init__(
            widgets=[self._choice, self._voxels], labels=False, label="planes", name="planes_choice"
        )
        self.margins = (0, 0, 0, 0)
        self._layer: Image | None = None
        self._channels: Channels | None = None
        self._choice.changed.connect(self._show_voxels)

    @property
    def value(self) -> str:
        """The choice, as an argument of `restore_layer`."""
        return str(self._choice.value) if self._is_stack else "displayed"

    def offer(self, layer: Image | None, channels: Channels) -> None:
        """Offer the choices that a layer has."""
        self.disconnect_layer()
        self._layer, self._channels = layer, channels
        if layer is not None:
            layer.events.scale.connect(self._show_voxels)  # weak references
            layer.events.units.connect(self._show_voxels)
        self._offered = PLANES if self._is_volume else PLANES[:2]
        self._choice.reset_choices()
        self.visible = self._is_stack
        self._show_voxels()

    def disconnect_layer(self) -> None:
        """Stop following the layer."""
        if self._layer is not None:
            self._layer.events.scale.disconnect(self._show_voxels)
            self._layer.events.units.disconnect(self._show_voxels)
            self._layer = None

    @property
    def _is_stack(self) -> bool:
        if self._layer is None or self._channels is None:
            return False
        return bool(self._layer.ndim > (2 if self._channels.axis is None else 3))

    @property
    def _is_volume(self) -> bool:
        if not self._volumes or self._layer is None or self._channels is None:
            return False
        return self._is_stack and depth_axis(self._layer, self._channels) is not None

    def _show_voxels(self, _event: object = None) -> None:
        is_volume = self._is_volume and self._choice.value == "volume"
        self._voxels.visible = is_volume
        if is_volume and self._layer is not None and self._channels is not None:
            self._voxels.value = describe_voxels(self._layer, self._channels)
