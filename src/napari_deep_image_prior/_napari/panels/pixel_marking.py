"""The controls to mark pixels on a mask by their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, FloatSpinBox

from ...methods.inpainting.bad_pixels import BY_A_VALUE, BY_THEMSELVES
from .controls import Folded, button

if TYPE_CHECKING:
    from collections.abc import Callable


class MarkControls(Folded):
    """What to mark, and a button that does it."""

    def __init__(self, mark: Callable[[], object]) -> None:
        choices = [*BY_THEMSELVES, *BY_A_VALUE]
        which = "saturated: at the largest value, shared by several pixels. striped: lines unlike those beside them."
        self.what = ComboBox(name="marked", label="pixels", choices=choices, tooltip=which)
        self.value = FloatSpinBox(
            name="mark_value", label="value", min=-1e12, max=1e12, value=0, enabled=False
        )
        self.what.changed.connect(self._need_a_value)
        pressed = button(
            "mark", "Mark them", "Add them to the mask; undo with Ctrl+Z on the mask.", mark
        )
        super().__init__("marking", "Mark pixels by value", [self.what, self.value, pressed])

    def _need_a_value(self, what: str) -> None:
        self.value.enabled = what in BY_A_VALUE
