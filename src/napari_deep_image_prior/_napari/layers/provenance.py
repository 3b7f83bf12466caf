"""Between a result layer and what it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from ...restoration.repeat import checked, repeated_stack, repeated_task
from ...restoration.script import where_from
from .channels import NO_CHANNELS, Channels
from .plane import displayed_plane, first_index, plane_at, plane_at_point

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from ...methods.task import Task
    from ...restoration.stack import StackSteps
    from .plane import Plane, Region


METADATA = "deep_image_prior"
"""Where a layer keeps how it was made."""


def made(result: Layer | None) -> dict[str, Any]:
    """Return how a layer was made.

    Raises
    ------
    ValueError
        If it is no result of this plugin.
    """
    if result is None:
        raise ValueError("choose a result layer first.")
    if METADATA not in result.metadata:
        raise ValueError(
            f"layer '{result.name}' does not say how it was made: choose a finished result of this plugin."
        )
    return checked(result.metadata[METADATA])


def source_layer(viewer: ViewerModel, result: Layer | None) -> Image:
    """Return the layer that a result was made of.

    Raises
    ------
    ValueError
        If it is not in the viewer.
    """
    source = made(result).get("source")
    if source is None:
        raise ValueError("this result was not made in napari: its source layer is unknown.")
    images = (layer for layer in viewer.layers if isinstance(layer, Image))
    found = next((layer for layer in images if layer.name == source["layer"]), None)
    if found is None:
        raise ValueError(
            f"image layer '{source['layer']}' is not in the viewer: open it, or give it this name again."
        )
    return found


def _of_one_plane(result: Layer | None) -> dict[str, Any]:
    provenance = made(result)
    if "stack" in provenance:
        raise ValueError(
            "this result is a stack restored one by one: restore the plane in question alone to look into it."
        )
    return provenance


def _channels(provenance: dict[str, Any]) -> Channels:
    """Return which axis of the layers holds the channels; a result of a file may not say it."""
    axis = provenance.get("source", {}).get("channel_axis")
    return Channels(axis if isinstance(axis, int) else None)


def source_plane(viewer: ViewerModel, result: Layer | None) -> tuple[Task, Plane]:
    """Return what was asked for, and the plane that the result was made of.

    Raises
    ------
    ValueError
        If the plane is not in the viewer any more, or its pixels have changed.
    """
    layer, provenance = source_layer(viewer, result), _of_one_plane(result)
    try:
        index = tuple(provenance["source"]["plane"])
        plane = plane_at(layer, index, _channels(provenance), region_taken(provenance))
        return repeated_task(provenance, plane.values), plane
    except ValueError as error:
        raise ValueError(f"{where_from(provenance['source'])}: {error}") from error


def region_taken(provenance: dict[str, Any]) -> Region | None:
    """Return which part of its source's plane a result was made of; None: all of it."""
    region = provenance.get("source", {}).get("region")
    if region is None:
        return None
    (top, bottom), (left, right) = region
    return (top, bottom), (left, right)


def result_plane(viewer: ViewerModel, result: Image | None) -> Plane:
    """Return the pixels of a result: of its only plane, or of a stack of that on display.

    Raises
    ------
    ValueError
        If it is none, or the viewer shows no plane of it.
    """
    if result is None:
        raise ValueError("choose a result layer first.")
    provenance = made(result)
    channels = _channels(provenance)
    if "stack" in provenance:
        return displayed_plane(viewer, result, channels)
    index = (None if axis == channels.axis else 0 for axis in range(result.ndim - 2))
    return plane_at(result, tuple(index), channels)


def given_plane(viewer: ViewerModel, result: Plane) -> Plane:
    """Return the plane that the plane of a result was made of.

    Raises
    ------
    ValueError
        If it is not in the viewer any more, or its pixels have changed.
    """
    if "stack" not in made(result.layer):
        return source_plane(viewer, result.layer)[1]
    steps, stack = source_stack(viewer, result.layer)
    steps.close()
    index = tuple(
        own if whole is None else whole
        for own, whole in zip(result.index, stack.index, strict=True)
    )
    return plane_at(stack.layer, index, result.channels, stack.region)


def truth_plane(viewer: ViewerModel, result: Plane, truth: Image) -> Plane:
    """Return the plane of a layer with the truth that lies where a result does, with its channels.

    Raises
    ------
    ValueError
        If there is none.
    """
    point = np.array(viewer.dims.point)
    at = result.layer.data_to_world((*first_index(result.index), 0, 0))
    point[len(point) - len(at) : -2] = at[:-2]
    channels = _truth_channels(result, truth)
    plane = plane_at_point(truth, tuple(point), channels)
    region = region_taken(made(result.layer))
    if region is None or plane.size == result.size:
        return plane
    # on the pixels of the whole result, which are finer than the source's after enlarging
    bounds = []
    for (first, last), size, limit in zip(region, result.size, plane.size, strict=True):
        finer = size / (last - first)
        start = round(first * finer)
        if start + size > limit:
            raise ValueError(
                f"truth '{truth.name}' is too small: the result is a part of an image, and its place is not on it. "
                "Choose the truth of the whole image, or of just this part."
            )
        bounds.append((start, start + size))
    return plane_at(truth, plane.index, channels, (bounds[0], bounds[1]))


def _truth_channels(result: Plane, truth: Image) -> Channels:
    """Return which axis of the truth holds the channels of a result."""
    if result.channels.axis is None:
        return NO_CHANNELS
    axis = result.channels.axis + truth.ndim - result.layer.ndim
    if not 0 <= axis < truth.ndim - 2:
        raise ValueError(
            f"layer '{truth.name}' has no axis for the channels: choose a truth with the result's axes."
        )
    return Channels(axis)


def latest_result(viewer: ViewerModel) -> Layer:
    """Return the active layer if it is a result, or the uppermost result of it, or the uppermost of all.

    Raises
    ------
    ValueError
        If there is no result.
    """
    active = viewer.layers.selection.active
    found = [layer for layer in reversed(viewer.layers) if METADATA in layer.metadata]
    if not found:
        raise ValueError("there is no finished result in this viewer yet.")
    of_active = [
        layer for layer in found if active is not None and _source_name(layer) == active.name
    ]
    return active if active in found else (of_active or found)[0]


def source_stack(viewer: ViewerModel, result: Layer | None) -> tuple[StackSteps, Plane]:
    """Return the steps that make a stack again, and what it was made of, if that has not changed."""
    layer, provenance = source_layer(viewer, result), made(result)
    source = provenance["source"]
    channels = Channels(source.get("channel_axis"), source.get("channels", "jointly") == "jointly")
    try:
        stack = plane_at(layer, tuple(source["plane"]), channels, region_taken(provenance))
        return repeated_stack(provenance, stack.values), stack
    except ValueError as error:
        raise ValueError(f"{where_from(source)}: {error}") from error


def _source_name(result: Layer) -> str | None:
    name: str | None = made(result).get("source", {}).get("layer")
    return name
