"""Controls that mark pixels on a mask by value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, FloatSpinBox

from ...methods.inpainting.bad_pixels import BY_A_VALUE, BY_THEMSELVES
from .controls import Collapsible, button

if TYPE_CHECKING:
    from collections.abc import Callable

PIXELS_HELP = (
    "saturated: the largest value, if several pixels share it. "
    "striped: rows or columns that differ from both neighbors."
)
MARK_HELP = "Add these pixels to the mask. Undo with Ctrl+Z on the mask layer."


class MarkControls(Collapsible):
    """A menu of the kinds of pixels, and a button that marks them."""

    def __init__(self, mark: Callable[[], object]) -> None:
        self.pixels = ComboBox(
            name="marked",
            label="pixels",
            choices=[*BY_THEMSELVES, *BY_A_VALUE],
            tooltip=PIXELS_HELP,
        )
        self.value = FloatSpinBox(
            name="mark_value",
            label="value",
            min=-1e12,
            max=1e12,
            value=0,
            enabled=False,
            tooltip="The limit for pixels above or below it.",
        )
        self.pixels.changed.connect(self._enable_value)
        mark_button = button("mark", "Mark pixels", MARK_HELP, mark)
        super().__init__("marking", "Mark pixels by value", [self.pixels, self.value, mark_button])

    def _enable_value(self, pixels: str) -> None:
        self.value.enabled = pixels in BY_A_VALUE
