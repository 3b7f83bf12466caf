"""The row of a widget that says which axis of the image holds channels, and how they are restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container

from ..layers.channels import TOGETHER, described_axis, labeled_channel_axis

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Image

NO_AXIS = "no channel axis"
AXIS_HELP = (
    "The axis that holds channels: all of them are restored, into one layer. At first the one that the layer's "
    "axis labels call c or channel; the others count planes."
)
TOGETHER_HELP = (
    "jointly: one fit for all channels, the quicker one. "
    "one by one: a fit for each, often better where they have little in common."
)


class ChannelControls(Container[Any]):
    """Out of sight where an image has no axes but Y and X, or is RGB."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._offered = [NO_AXIS]
        # asked again whenever the viewer's layers change; a list would come back as it was at first
        axis = ComboBox(name="channels", choices=lambda _combo: self._offered, tooltip=AXIS_HELP)
        words = zip(("jointly", "one by one"), TOGETHER, strict=True)
        together = ComboBox(name="together", choices=list(words), tooltip=TOGETHER_HELP)
        super().__init__(
            widgets=[axis, together],
            layout="horizontal",
            labels=False,
            label="channels",
            name="channel_controls",
        )
        self.margins = (0, 0, 0, 0)
        self._axis, self._together = axis, together
        self._layer: Image | None = None
        self._tell = changed
        self._axis.changed.connect(self._show_state)

    @property
    def axis(self) -> int | None:
        """The axis that is chosen, counted from the front; None for none."""
        chosen = self._offered.index(self._axis.value)
        return chosen - 1 if chosen > 0 else None

    def asked(self) -> dict[str, Any]:
        """Return what is chosen, as arguments of `restore_layer`."""
        return {"channel_axis": self.axis, "channels": self._together.value}

    def choose(self, axis: int | None, together: str) -> None:
        """Choose what was asked for before, if the image still has that axis."""
        if axis is None or axis + 1 < len(self._offered):
            self._axis.value = self._offered[0 if axis is None else axis + 1]
        self._together.value = together

    def offer(self, layer: Image | None) -> None:
        """Offer the axes of a layer; the one that its labels name is chosen, now and when they change."""
        if self._layer is not None:
            self._layer.events.axis_labels.disconnect(self._read_labels)
        self._layer = layer
        if layer is not None:
            layer.events.axis_labels.connect(self._read_labels)  # a weak reference
        self._read_labels()

    def forget(self) -> None:
        """Hear nothing any more: the window is gone."""
        if self._layer is not None:
            self._layer.events.axis_labels.disconnect(self._read_labels)
            self._layer = None

    def _read_labels(self, _event: object = None) -> None:
        layer = self._layer
        axes = range(0 if layer is None or layer.rgb else layer.ndim - 2)
        self._offered = [NO_AXIS, *(described_axis(layer, axis) for axis in axes)]
        labeled = None if layer is None else labeled_channel_axis(layer)
        with self._axis.changed.blocked():
            self._axis.reset_choices()
            self._axis.value = self._offered[0 if labeled is None else labeled + 1]
        self._show_state()

    def _show_state(self, _chosen: object = None) -> None:
        self.visible = len(self._offered) > 1
        self._together.enabled = self.axis is not None
        self._tell()
