"""Layers that show the uncertainty and the residual of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from .plane import in_layer_axes, placement

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    from ...methods.task import Task
    from .plane import Plane


MAP = "deep_image_prior_map"
"""Key in the metadata of layers that show a property of a result, not an image."""


def is_map(layer: Layer) -> bool:
    """Return whether a layer is a residual or an uncertainty."""
    return MAP in layer.metadata


def uncertainty_layer(plane: Plane, task: Task, std: NDArray[np.floating]) -> Image:
    """Return a layer of the standard deviation, aligned with its source; colors are averaged."""
    values = np.asarray(std.mean(axis=task.channel_axis) if plane.is_rgb else std, dtype=np.float32)
    return Image(
        in_layer_axes(plane, values),
        name=f"{plane.layer.name} uncertainty",
        colormap="magma",
        contrast_limits=(0, float(np.percentile(values, 99.9)) or 1.0),
        metadata={MAP: "uncertainty"},
        **placement(plane, values.shape[-2:]),
    )


def residual_layer(plane: Plane, task: Task, values: NDArray[np.floating]) -> Image:
    """Return a layer of the residual, aligned with its source; colors are averaged."""
    if plane.is_rgb:
        values = np.asarray(values.mean(axis=task.channel_axis))
    known = np.abs(values[np.isfinite(values)])
    limit = float(np.percentile(known, 99.5)) if known.size else 0.0
    return Image(
        in_layer_axes(plane, values),
        name=f"{plane.layer.name} residual",
        colormap="gray",
        contrast_limits=(-(limit or 1.0), limit or 1.0),
        metadata={MAP: "residual"},
        **placement(plane, values.shape[-2:]),
    )
