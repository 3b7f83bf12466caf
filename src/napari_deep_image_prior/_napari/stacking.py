"""All planes of a layer, or all channels of a plane, as one restoration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from ..restoration import iter_restore
from ..stack import StackSteps, first_stack, mask_of_planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..image_file import Index
    from ..tasks import Task
    from .layers import Plane

    Part = tuple[Index, Plane, Task | None]
    """A place in the result, the plane for it, and what is to be done with that, None for nothing."""


def stack_steps(stack: Plane, parts: list[Part], options: dict[str, Any], *, warm_start: bool) -> StackSteps:
    """Return the steps of all planes; `options` are those of `iter_restore`, the same for each."""
    known = [
        (place, plane.values, None if task is None else iter_restore(task, **options)) for place, plane, task in parts
    ]
    image = first_stack(stack.leading, known)
    planes = [(place, steps) for place, _, steps in known if steps is not None]
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
    if not lies_on_it:
        raise ValueError(
            "the mask does not lie on the stack (scale, translate): for all planes it needs the same pixels, "
            "in one plane or in each."
        )
    return mask_of_planes(painted, wanted).reshape(stack.leading + stack.size)
