"""The provenance of a result layer, and its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from ...restoration.record import checked_record
from ...restoration.repeat import repeated_stack, repeated_task
from ...restoration.script import where_from
from .channels import NO_CHANNELS, Channels
from .plane import displayed_plane, first_index, plane_at, plane_at_point
from .world import to_world

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from ...methods.task import Task
    from ...restoration.stack import StackSteps
    from .plane import Plane, Region


METADATA = "deep_image_prior"
"""Key of the provenance in a layer's metadata."""


def provenance_of(result: Layer | None) -> dict[str, Any]:
    """Return the provenance of a layer.

    Raises
    ------
    ValueError
        If the layer is no result of this plugin.
    """
    if result is None:
        raise ValueError("choose a result layer first.")
    if METADATA not in result.metadata:
        raise ValueError(
            f"layer '{result.name}' has no provenance: choose a finished result of this plugin."
        )
    return checked_record(result.metadata[METADATA])


def source_layer(viewer: ViewerModel, result: Layer | None) -> Image:
    """Return the source layer of a result.

    Raises
    ------
    ValueError
        If it is not in the viewer.
    """
    source = provenance_of(result).get("source")
    if source is None:
        raise ValueError("this result was not made in napari: its source layer is unknown.")
    images = (layer for layer in viewer.layers if isinstance(layer, Image))
    layer = next((layer for layer in images if layer.name == source["layer"]), None)
    if layer is None:
        raise ValueError(
            f"image layer '{source['layer']}' is not in the viewer: "
            "open it, or give it this name again."
        )
    return layer


def _single_plane_provenance(result: Layer | None) -> dict[str, Any]:
    provenance = provenance_of(result)
    if "stack" in provenance:
        raise ValueError(
            "this result is a stack of several fits: restore the plane of interest alone for this."
        )
    return provenance


def _channels(provenance: dict[str, Any]) -> Channels:
    """Return the channel axis of the layers; the provenance in a file may lack it."""
    axis = provenance.get("source", {}).get("channel_axis")
    return Channels(axis if isinstance(axis, int) else None)


def source_plane(viewer: ViewerModel, result: Layer | None) -> tuple[Task, Plane]:
    """Return the task and the source plane of a result.

    Raises
    ------
    ValueError
        If the plane is no longer in the viewer, or its pixels have changed.
    """
    layer, provenance = source_layer(viewer, result), _single_plane_provenance(result)
    try:
        index = tuple(provenance["source"]["plane"])
        plane = plane_at(
            layer,
            index,
            _channels(provenance),
            recorded_region(provenance),
            provenance["source"].get("depth"),
        )
        return repeated_task(provenance, plane.values), plane
    except ValueError as error:
        raise ValueError(f"{where_from(provenance['source'])}: {error}") from error


def recorded_region(provenance: dict[str, Any]) -> Region | None:
    """Return the region of the source plane that was restored; None: all of it."""
    region = provenance.get("source", {}).get("region")
    if region is None:
        return None
    (top, bottom), (left, right) = region
    return (top, bottom), (left, right)


def result_plane(viewer: ViewerModel, result: Image | None) -> Plane:
    """Return the plane or volume of a result; for stacks the displayed plane.

    Raises
    ------
    ValueError
        If the layer is no result, or the viewer shows no plane of it.
    """
    if result is None:
        raise ValueError("choose a result layer first.")
    provenance = provenance_of(result)
    channels = _channels(provenance)
    if "stack" in provenance:
        return displayed_plane(viewer, result, channels)
    depth = provenance.get("source", {}).get("depth")
    index = (None if axis in (channels.axis, depth) else 0 for axis in range(result.ndim - 2))
    return plane_at(result, tuple(index), channels, depth=depth)


def input_plane(viewer: ViewerModel, result: Plane) -> Plane:
    """Return the source plane of a plane of a result.

    Raises
    ------
    ValueError
        If it is no longer in the viewer, or its pixels have changed.
    """
    if "stack" not in provenance_of(result.layer):
        return source_plane(viewer, result.layer)[1]
    steps, stack = source_stack(viewer, result.layer)
    steps.close()
    index = tuple(
        own if whole is None else whole
        for own, whole in zip(result.index, stack.index, strict=True)
    )
    return plane_at(stack.layer, index, result.channels, stack.region)


def truth_plane(viewer: ViewerModel, result: Plane, truth: Image) -> Plane:
    """Return the plane of a truth layer at the position of a result, with the same channels.

    Raises
    ------
    ValueError
        If there is none.
    """
    point = np.array(viewer.dims.point)
    at = to_world(viewer, result.layer, (*first_index(result.index), 0, 0))
    point[len(point) - len(at) : -2] = at[:-2]
    channels = _truth_channels(result, truth)
    plane = plane_at_point(viewer, truth, tuple(point), channels)
    region = recorded_region(provenance_of(result.layer))
    if region is None or plane.size == result.size:
        return plane
    # in pixels of the whole result, which are finer than the source's after super-resolution
    bounds = []
    for (first, last), size, limit in zip(region, result.size, plane.size, strict=True):
        finer = size / (last - first)
        start = round(first * finer)
        if start + size > limit:
            raise ValueError(
                f"truth '{truth.name}' is too small: it does not contain the part of the image "
                "that was restored. Choose a truth of the whole image, or of just this part."
            )
        bounds.append((start, start + size))
    return plane_at(truth, plane.index, channels, (bounds[0], bounds[1]))


def _truth_channels(result: Plane, truth: Image) -> Channels:
    """Return the channel axis of a truth that matches that of a result."""
    if result.channels.axis is None:
        return NO_CHANNELS
    axis = result.channels.axis + truth.ndim - result.layer.ndim
    if not 0 <= axis < truth.ndim - 2:
        raise ValueError(
            f"layer '{truth.name}' has no channel axis: choose a truth with the result's axes."
        )
    return Channels(axis)


def latest_result(viewer: ViewerModel) -> Layer:
    """Return the active layer if it is a result, else its top result, else the top result.

    Raises
    ------
    ValueError
        If there is no result.
    """
    active = viewer.layers.selection.active
    results = [layer for layer in reversed(viewer.layers) if METADATA in layer.metadata]
    if not results:
        raise ValueError("there is no finished result in this viewer yet.")
    of_active = [
        layer for layer in results if active is not None and _source_name(layer) == active.name
    ]
    return active if active in results else (of_active or results)[0]


def source_stack(viewer: ViewerModel, result: Layer | None) -> tuple[StackSteps, Plane]:
    """Return the steps that restore a stack again, and its source."""
    layer, provenance = source_layer(viewer, result), provenance_of(result)
    source = provenance["source"]
    channels = Channels(source.get("channel_axis"), source.get("channels", "jointly") == "jointly")
    try:
        stack = plane_at(layer, tuple(source["plane"]), channels, recorded_region(provenance))
        return repeated_stack(provenance, stack.values), stack
    except ValueError as error:
        raise ValueError(f"{where_from(source)}: {error}") from error


def _source_name(result: Layer) -> str | None:
    name: str | None = provenance_of(result).get("source", {}).get("layer")
    return name
