"""All planes of a layer, or all channels of a plane, as one restoration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from ..restoration import iter_restore
from ..stack import StackSteps, selection
from .layers import first_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..stack import Index
    from ..tasks import Task
    from .layers import Plane

    Part = tuple[Index, Plane, Task | None]
    """A place in the result, the plane for it, and what is to be done with that, None for nothing."""


def stack_steps(stack: Plane, parts: list[Part], options: dict[str, Any], *, warm_start: bool) -> StackSteps:
    """Return the steps of all planes; `options` are those of `iter_restore`, the same for each."""
    planes = [(place, iter_restore(task, **options)) for place, _, task in parts if task is not None]
    dtype = planes[0][1].dtype
    first = [plane.values.astype(dtype) if task is None else first_picture(task, dtype) for _, plane, task in parts]
    image = np.empty(stack.leading + first[0].shape[-3 if stack.is_rgb else -2 :], dtype)
    for (place, _, _), shown in zip(parts, first, strict=True):
        image[selection(place)] = shown
    called = "channel" if stack.is_one_plane else "plane"
    one_by_one = None if stack.channels.jointly else stack.channels.axis
    return StackSteps(image, planes, called, warm_start=warm_start, channel_axis=one_by_one)


def stack_mask(stack: Plane, missing: Labels | NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pixels of each plane are painted; a mask of one plane, or one channel, counts for all.

    Raises
    ------
    ValueError
        If the mask is not of the pixels of the stack.
    """
    wanted = tuple(n for n, i in zip(stack.leading, stack.index, strict=True) if i is None) + stack.size
    if isinstance(missing, Labels):
        painted = np.asarray(missing.data[0] if missing.multiscale else missing.data) != 0
        lies_on_it = np.allclose(missing.scale[-2:], stack.layer.scale[-2:]) and np.allclose(
            missing.translate[-2:], stack.layer.translate[-2:]
        )
    else:
        painted, lies_on_it = np.asarray(missing) != 0, True
    while painted.ndim > len(wanted) and len(painted) == 1:
        painted = painted[0]
    fits = painted.shape[-2:] == stack.size and painted.ndim <= len(wanted)
    fits &= all(n in (1, m) for n, m in zip(painted.shape[::-1], wanted[::-1], strict=False))
    if not lies_on_it or not fits:
        raise ValueError(
            f"the mask (shape {painted.shape}) does not lie on the stack (shape {wanted}): "
            "for all planes it needs the same pixels, in one plane or in each."
        )
    return np.broadcast_to(painted, wanted).reshape(stack.leading + stack.size)
