"""The options of a restoration panel that are hidden until they are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox, SpinBox

if TYPE_CHECKING:
    from magicgui.widgets.bases import Widget

    from ..viewer.preferences import Preferences

MEMORY_HELP = (
    "Memory for the snapshots of a fit. When it is full, every second snapshot is dropped."
)
CONTRAST_HELP = (
    "Noise widens the contrast limits of an image. Fit those of the result to its own values, "
    "unless you have chosen the limits of the image."
)


def more_options(preferences: Preferences) -> list[Widget]:
    """Return the controls for the device, the seed, the snapshots and the contrast."""
    return [
        ComboBox(
            name="device",
            choices=list(dict.fromkeys(("auto", preferences.device, "cpu"))),
            value=preferences.device,
            tooltip="auto: the GPU if there is one, otherwise the CPU.",
        ),
        SpinBox(
            name="seed",
            value=0,
            max=2**31 - 1,
            tooltip="Another seed gives a slightly different result.",
        ),
        SpinBox(
            name="snapshot_memory",
            value=preferences.snapshot_megabytes,
            max=10**6,
            step=50,
            label="snapshots (MB)",
            tooltip=MEMORY_HELP,
        ),
        CheckBox(
            name="fit_contrast",
            text="fit contrast to the result",
            value=True,
            tooltip=CONTRAST_HELP,
        ),
    ]
