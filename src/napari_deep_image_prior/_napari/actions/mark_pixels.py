"""Mark pixels on a mask by value, instead of painting them."""

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
    which: str,
    value: float,
    channels: Channels = NO_CHANNELS,
) -> tuple[Labels | None, int]:
    """Mark pixels of the displayed plane of `image` on `mask`, or on a new mask if it does not fit.

    Only the displayed channel is examined. Returns the mask and the number of marked pixels; or
    None and 0, without adding a mask, if there are none.

    Raises
    ------
    ValueError
        If the viewer shows no plane of the image.
    """
    plane = displayed_plane(viewer, image)
    marked = (
        BY_A_VALUE[which](plane.values, value)
        if which in BY_A_VALUE
        else BY_THEMSELVES[which](plane.values)
    )
    if not marked.any():
        return None, 0
    target = None
    if mask is not None:
        try:
            target = MaskLayer(viewer, mask, plane)
        except ValueError:
            target = None  # lies elsewhere: it is the mask of another image
    if target is None or not target.is_exact:
        target = MaskLayer(viewer, empty_mask(viewer, image, channels), plane)
    target.mark(marked)
    return target.labels, int(marked.sum())
