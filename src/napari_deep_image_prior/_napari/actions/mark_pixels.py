"""Mark pixels on a mask by their values, rather than by painting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...methods.inpainting.bad_pixels import BY_A_VALUE, BY_THEMSELVES
from ..layers.channels import NO_CHANNELS
from ..layers.mask import MaskLayer
from ..layers.plane import displayed_plane, empty_mask

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..layers.channels import Channels


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
    marked = (
        BY_A_VALUE[what](plane.values, value)
        if what in BY_A_VALUE
        else BY_THEMSELVES[what](plane.values)
    )
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
