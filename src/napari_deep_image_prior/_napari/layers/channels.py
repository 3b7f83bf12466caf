"""The roles of a layer's axes: the last two are Y and X, one before them may hold channels, the others count planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.layers import Image

CHANNEL_LABELS = ("c", "ch", "channel", "channels")
"""What the axis of the channels is called in `axis_labels`, in small letters."""
TOGETHER = ("jointly", "separately")


@dataclass(frozen=True)
class Channels:
    """The axis of a layer that holds its channels, and whether one fit restores them all."""

    axis: int | None = None
    """Counted from the front; None for no such axis. The colors of an RGB layer are none."""
    jointly: bool = True


NO_CHANNELS = Channels()


def labeled_channel_axis(layer: Image) -> int | None:
    """Return the axis that the layer's axis labels name as that of the channels, None for none."""
    if layer.rgb:
        return None
    leading = [label.strip().lower() for label in layer.axis_labels[:-2]]
    return next((axis for axis, label in enumerate(leading) if label in CHANNEL_LABELS), None)


def described_axis(layer: Image, axis: int) -> str:
    """Name an axis, with its label if it was given one."""
    label = layer.axis_labels[axis]
    # napari numbers those without a label from the end: -3, -2, -1
    return f"axis {axis}" if label == str(axis - layer.ndim) else f"axis {axis} ({label})"


def chosen_channels(layer: Image, axis: int | str | None, together: str) -> Channels:
    """Return what is asked for: an axis counted from the front or the end, None for none, or "auto" for the labels'.

    Raises
    ------
    TypeError, ValueError
        If the layer has no such axis, or the words are unknown.
    """
    if together not in TOGETHER:
        raise ValueError(f"channels={together!r} is unknown; choose jointly or separately.")
    jointly = together == "jointly"
    if axis is None or axis == "auto":
        return Channels(None if axis is None else labeled_channel_axis(layer), jointly)
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise TypeError(f"channel_axis must be a whole number, None or 'auto', not {axis!r}.")
    if layer.rgb:
        raise ValueError(
            f"layer '{layer.name}' is RGB: its colors are its channels; leave channel_axis out."
        )
    counted = axis + layer.ndim if axis < 0 else axis
    if not 0 <= counted < layer.ndim - 2:
        raise ValueError(
            f"channel_axis={axis} is no axis of layer '{layer.name}' (shape {layer.data.shape}) before Y and X: "
            "choose one of those, or None."
        )
    return Channels(counted, jointly)
