"""Controls for the channel axis of an image, and for how its channels are restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container

from ..layers.channels import CHANNEL_MODES, Channels, axis_name, labeled_channel_axis

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Image

NO_AXIS = "no channel axis"
AXIS_HELP = (
    "The channel axis. All its channels are restored, into one layer. "
    "The default is the axis labeled c or channel; other axes count planes."
)
MODE_HELP = (
    "jointly: one fit for all channels; faster. "
    "one by one: one fit for each channel; often better for channels with little in common."
)


class ChannelControls(Container[Any]):
    """The channel axis and mode; hidden for RGB images and for images with only Y and X axes."""

    def __init__(self, on_change: Callable[[], object]) -> None:
        self._choices = [NO_AXIS]
        # called whenever the viewer's layers change; a list would be reset to its first state
        axis = ComboBox(name="channels", choices=lambda _combo: self._choices, tooltip=AXIS_HELP)
        modes = list(zip(("jointly", "one by one"), CHANNEL_MODES, strict=True))
        mode = ComboBox(name="together", choices=modes, tooltip=MODE_HELP)
        super().__init__(
            widgets=[axis, mode],
            layout="horizontal",
            labels=False,
            label="channels",
            name="channel_controls",
        )
        self.margins = (0, 0, 0, 0)
        self._axis, self._mode = axis, mode
        self._layer: Image | None = None
        self._on_change = on_change
        self._axis.changed.connect(self._show_state)

    @property
    def axis(self) -> int | None:
        """The selected axis, counted from the front; None for none."""
        selected = self._choices.index(self._axis.value)
        return selected - 1 if selected > 0 else None

    @property
    def roles(self) -> Channels:
        """The selection as the channels of the layer."""
        return Channels(self.axis, self._mode.value == CHANNEL_MODES[0])

    def arguments(self) -> dict[str, Any]:
        """Return the selection as arguments of `restore_layer`."""
        return {"channel_axis": self.axis, "channels": self._mode.value}

    def select(self, axis: int | None, mode: str) -> None:
        """Select an axis, if the image has it, and a mode."""
        if axis is None or axis + 1 < len(self._choices):
            self._axis.value = self._choices[0 if axis is None else axis + 1]
        self._mode.value = mode

    def set_layer(self, layer: Image | None) -> None:
        """Offer the axes of a layer, and select the labeled one, now and when the labels change."""
        if self._layer is not None:
            self._layer.events.axis_labels.disconnect(self._read_labels)
        self._layer = layer
        if layer is not None:
            layer.events.axis_labels.connect(self._read_labels)  # a weak reference
        self._read_labels()

    def disconnect_layer(self) -> None:
        """Stop following the layer: the window no longer exists."""
        if self._layer is not None:
            self._layer.events.axis_labels.disconnect(self._read_labels)
            self._layer = None

    def _read_labels(self, _event: object = None) -> None:
        layer = self._layer
        axes = range(0 if layer is None or layer.rgb else layer.ndim - 2)
        self._choices = [NO_AXIS, *(axis_name(layer, axis) for axis in axes)]
        labeled = None if layer is None else labeled_channel_axis(layer)
        with self._axis.changed.blocked():
            self._axis.reset_choices()
            self._axis.value = self._choices[0 if labeled is None else labeled + 1]
        self._show_state()

    def _show_state(self, _value: object = None) -> None:
        self.visible = len(self._choices) > 1
        self._mode.enabled = self.axis is not None
        self._on_change()
