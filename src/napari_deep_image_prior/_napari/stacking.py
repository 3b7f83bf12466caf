"""All planes of a layer as one restoration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from ..restoration import iter_restore
from ..stack import StackSteps
from .layers import first_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..tasks import Task
    from .layers import Plane

    Part = tuple[Plane, Task | None]
    """A plane and what is to be done with it, None for nothing."""


def stack_steps(stack: Plane, parts: list[Part], options: dict[str, Any]) -> StackSteps:
    """Return the steps of all planes; `options` are those of `iter_restore`, the same for each."""
    planes = [(plane.index, iter_restore(task, **options)) for plane, task in parts if task is not None]
    dtype = planes[0][1].dtype
    first = [plane.values.astype(dtype) if task is None else first_picture(task, dtype) for plane, task in parts]
    leading = stack.values.shape[: stack.layer.ndim - 2]
    return StackSteps(np.stack(first).reshape(leading + first[0].shape), planes)


def stack_mask(stack: Plane, missing: Labels | NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pixels of each plane are painted; a mask of one plane counts for all.

    Raises
    ------
    ValueError
        If the mask is not of the pixels of the stack.
    """
    wanted = stack.values.shape[: stack.layer.ndim - 2] + stack.size
    if isinstance(missing, Labels):
        painted = np.asarray(missing.data[0] if missing.multiscale else missing.data) != 0
        lies_on_it = np.allclose(missing.scale[-2:], stack.layer.scale[-2:]) and np.allclose(
            missing.translate[-2:], stack.layer.translate[-2:]
        )
    else:
        painted, lies_on_it = np.asarray(missing) != 0, True
    of_one_plane = painted.shape[-2:] == stack.size and painted.size == np.prod(stack.size)
    if not lies_on_it or not (painted.shape == wanted or of_one_plane):
        raise ValueError(
            f"the mask (shape {painted.shape}) does not lie on the stack (shape {wanted}): "
            "for all planes it needs the same pixels, in one plane or in each."
        )
    return np.broadcast_to(painted.reshape(stack.size) if of_one_plane else painted, wanted)
