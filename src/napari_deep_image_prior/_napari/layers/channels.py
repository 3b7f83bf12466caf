"""The roles of a layer's axes: Y and X last, before them at most one channel axis and planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.layers import Image

CHANNEL_LABELS = ("c", "ch", "channel", "channels")
"""Labels of a channel axis in `axis_labels`, in lower case."""
CHANNEL_MODES = ("jointly", "separately")


@dataclass(frozen=True)
class Channels:
    """The channel axis of a layer, and whether one fit restores all channels."""

    axis: int | None = None
    """Counted from the front; None for no channel axis. RGB colors are not channels."""
    jointly: bool = True


NO_CHANNELS = Channels()


def labeled_channel_axis(layer: Image) -> int | None:
    """Return the axis that the layer's axis labels call a channel axis, or None."""
    if layer.rgb:
        return None
    leading = [label.strip().lower() for label in layer.axis_labels[:-2]]
    return next((axis for axis, label in enumerate(leading) if label in CHANNEL_LABELS), None)


def axis_name(layer: Image, axis: int) -> str:
    """Return a name for an axis, with its label if it has one."""
    label = layer.axis_labels[axis]
    # napari labels the others by their number from the end: -3, -2, -1
    return f"axis {axis}" if label == str(axis - layer.ndim) else f"axis {axis} ({label})"


def chosen_channels(layer: Image, axis: int | str | None, mode: str) -> Channels:
    """Return the channels for an axis of either sign, None, or "auto" for the labeled axis.

    Raises
    ------
    TypeError, ValueError
        If the layer has no such axis, or a value is unknown.
    """
    if mode not in CHANNEL_MODES:
        raise ValueError(f"channels={mode!r} is unknown; choose jointly or separately.")
    jointly = mode == "jointly"
    if axis is None or axis == "auto":
        return Channels(None if axis is None else labeled_channel_axis(layer), jointly)
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise TypeError(f"channel_axis must be a whole number, None or 'auto', not {axis!r}.")
    if layer.rgb:
        raise ValueError(
            f"layer '{layer.name}' is RGB: its colors are its channels; omit channel_axis."
        )
    counted = axis + layer.ndim if axis < 0 else axis
    if not 0 <= counted < layer.ndim - 2:
        raise ValueError(
            f"channel_axis={axis} is no axis before Y and X of layer '{layer.name}' "
            f"(shape {layer.data.shape}): choose such an axis, or None."
        )
    return Channels(counted, jointly)
