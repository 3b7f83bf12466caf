"""Mark pixels on a mask by their values, rather than by painting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, FloatSpinBox

from ..masks import BY_A_VALUE, BY_THEMSELVES
from .axes import NO_CHANNELS
from .controls import Folded, button
from .layers import displayed_plane, empty_mask
from .mask_layer import MaskLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from .axes import Channels


class MarkControls(Folded):
    """What to mark, and a button that does it."""

    def __init__(self, mark: Callable[[], object]) -> None:
        choices = [*BY_THEMSELVES, *BY_A_VALUE]
        which = "saturated: at the largest value, shared by several pixels. striped: lines unlike those beside them."
        self.what = ComboBox(name="marked", label="pixels", choices=choices, tooltip=which)
        self.value = FloatSpinBox(name="mark_value", label="value", min=-1e12, max=1e12, value=0, enabled=False)
        self.what.changed.connect(self._need_a_value)
        pressed = button("mark", "Mark them", "Add them to the mask; undo with Ctrl+Z on the mask.", mark)
        super().__init__("marking", "Mark pixels by value", [self.what, self.value, pressed])

    def _need_a_value(self, what: str) -> None:
        self.value.enabled = what in BY_A_VALUE


def mark_pixels(
    viewer: ViewerModel,
    image: Image,
    mask: Labels | None,
    what: str,
    value: float,
    channels: Channels = NO_CHANNELS,
) -> tuple[Labels | None, int]:
    """Mark pixels of the displayed plane of `image` on `mask`, or on a new one where it is on another grid.

    Of channels only the displayed one is looked at. Returns the mask and how many pixels were marked;
    None and 0, and adds no mask, where there are none.

    Raises
    ------
    ValueError
        If the viewer shows no plane of the image.
    """
    plane = displayed_plane(viewer, image)
    marked = BY_A_VALUE[what](plane.values, value) if what in BY_A_VALUE else BY_THEMSELVES[what](plane.values)
    if not marked.any():
        return None, 0
    onto = None
    if mask is not None:
        try:
            onto = MaskLayer(viewer, mask, plane)
        except ValueError:
            onto = None  # lies elsewhere: it belongs to another image
    if onto is None or not onto.is_exact:
        onto = MaskLayer(viewer, empty_mask(viewer, image, channels), plane)
    onto.mark(marked)
    return onto.labels, int(marked.sum())
