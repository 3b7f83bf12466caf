"""All planes of a layer, or all channels of a plane, as one restoration."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from ...restoration.stack import StackSteps, mask_of_planes
from .mask import EXACT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...restoration.stack import StackPart
    from .plane import Plane


def stack_steps(
    stack: Plane, parts: list[StackPart], options: dict[str, Any], *, warm_start: bool
) -> StackSteps:
    """Return the steps of all planes; `options` are those of `iter_restore`, the same for each."""
    called = "channel" if stack.is_one_plane else "plane"
    one_by_one = None if stack.channels.jointly else stack.channels.axis
    return StackSteps.of(
        stack.leading, parts, options, called=called, warm_start=warm_start, channel_axis=one_by_one
    )


def stack_mask(stack: Plane, missing: Labels | NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pixels of each plane are painted; a mask of one plane, or one channel, counts for all.

    Raises
    ------
    ValueError
        If the mask is not of the pixels of the stack.
    """
    wanted = (
        tuple(n for n, i in zip(stack.leading, stack.index, strict=True) if i is None) + stack.size
    )
    if not isinstance(missing, Labels):
        return mask_of_planes(np.asarray(missing) != 0, wanted).reshape(stack.leading + stack.size)
    painted = np.asarray(missing.data[0] if missing.multiscale else missing.data) != 0
    spread = mask_of_planes(painted, wanted)
    if not _lies_on(stack, missing, painted.shape):
        raise ValueError(
            f"labels '{missing.name}' do not lie on the stack '{stack.layer.name}' (scale, position, rotation): "
            "for all planes they need the same pixels, in one plane or in each. 'New mask' makes such a layer."
        )
    return spread.reshape(stack.leading + stack.size)


def _lies_on(stack: Plane, labels: Labels, shape: tuple[int, ...]) -> bool:
    """Tell whether the pixels of labels are, in the world, those of the stack: at its outermost corners."""
    ends = [
        (0, n - 1) if i is None else (i,) for n, i in zip(stack.leading, stack.index, strict=True)
    ]
    for corner in product(*ends, *((0, n - 1) for n in stack.size)):
        world = np.zeros(labels.ndim)
        point = stack.layer.data_to_world(corner)[
            -labels.ndim :
        ]  # of fewer axes: they count from the last
        world[labels.ndim - len(point) :] = point
        wanted = np.array(corner)[-labels.ndim :]
        seen = np.array(labels.world_to_data(world))[labels.ndim - len(wanted) :]
        counts = (
            np.array(shape[len(shape) - len(wanted) :]) > 1
        )  # an only plane counts for all, wherever it is
        if not np.allclose(seen[counts], wanted[counts], atol=EXACT):
            return False
    return True
