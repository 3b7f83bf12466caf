"""All planes of a layer, or all channels of a plane, as one restoration."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from ...arrays import has_data, mask_of_planes
from ...restoration.stack import StackSteps, place_of
from .mask import EXACT
from .world import to_data, to_world

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ...arrays import Index
    from ...restoration.stack import StackPart
    from .plane import Plane

LISTED = 5
"""Largest number of planes that a message lists."""


def stack_steps(
    stack: Plane,
    parts: list[StackPart],
    options: dict[str, Any],
    *,
    warm_start: bool,
    displayed: Index,
) -> StackSteps:
    """Return the steps of all planes, from the displayed one on; `options` apply to each.

    After the last plane follow those before the displayed one, in their order.
    """
    part_name = "channel" if stack.is_one_plane else "plane"
    one_by_one = None if stack.channels.jointly else stack.channels.axis
    return StackSteps.of(
        stack.leading,
        _from_displayed(stack, parts, displayed),
        options,
        called=part_name,
        warm_start=warm_start,
        channel_axis=one_by_one,
    )


def _from_displayed(stack: Plane, parts: list[StackPart], displayed: Index) -> list[StackPart]:
    """Return the parts from the displayed one on, then those before it."""
    axes = [axis for axis, i in enumerate(stack.index) if i is None]
    for number, part in enumerate(parts):
        if all(part.index[axis] in (None, displayed[axis]) for axis in axes):
            return parts[number:] + parts[:number]
    return parts


def without_data(stack: Plane) -> str:
    """Return one line on the planes without data in a channel, which are kept; empty if none."""
    called = "channel" if stack.is_one_plane else "plane"
    empty = [
        place_of(i) for i, part in stack.parts() if not has_data(part.values, part.channel_axis)
    ]
    if len(empty) < 2:
        return f"No data in {called} {empty[0]}, which is kept as it is." if empty else ""
    listed = "; ".join(empty[:LISTED]) + ("; ..." if len(empty) > LISTED else "")
    return f"No data in {len(empty)} {called}s ({listed}), which are kept as they are."


def stack_mask(
    viewer: ViewerModel, stack: Plane, missing: Labels | NDArray[Any]
) -> NDArray[np.bool_]:
    """Return the painted pixels of each plane; a mask of one plane or channel applies to all.

    Raises
    ------
    ValueError
        If the pixels of the mask are not those of the stack.
    """
    shape = (
        tuple(n for n, i in zip(stack.leading, stack.index, strict=True) if i is None) + stack.size
    )
    if not isinstance(missing, Labels):
        return mask_of_planes(np.asarray(missing) != 0, shape).reshape(stack.leading + stack.size)
    painted = np.asarray(missing.data[0] if missing.multiscale else missing.data) != 0
    mask = mask_of_planes(painted, shape)
    if not _lies_on(viewer, stack, missing, painted.shape):
        raise ValueError(
            f"labels '{missing.name}' do not lie on the stack '{stack.layer.name}' (scale, "
            "position, rotation): they need the same pixels, in one plane or in each. "
            "Create a mask with 'New mask'."
        )
    return mask.reshape(stack.leading + stack.size)


def _lies_on(viewer: ViewerModel, stack: Plane, labels: Labels, shape: tuple[int, ...]) -> bool:
    """Whether labels and stack have the same pixels in world coordinates, at all corners."""
    ends = [
        (0, n - 1) if i is None else (i,) for n, i in zip(stack.leading, stack.index, strict=True)
    ]
    for corner in product(*ends, *((0, n - 1) for n in stack.size)):
        world = np.zeros(labels.ndim)
        point = to_world(viewer, stack.layer, corner)[-labels.ndim :]  # axes match from the last
        world[labels.ndim - len(point) :] = point
        expected = np.array(corner)[-labels.ndim :]
        actual = to_data(viewer, labels, world)[labels.ndim - len(expected) :]
        # a single plane applies to all planes, wherever it is
        counts = np.array(shape[len(shape) - len(expected) :]) > 1
        if not np.allclose(actual[counts], expected[counts], atol=EXACT):
            return False
    return True
