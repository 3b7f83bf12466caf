"""Trials: settings tried on a part of an image, up to four of them on the same part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.layers import Image

from ..jobs.current import runs_of
from ..jobs.queue import queue_of
from ..layers.channels import chosen_channels
from ..layers.plane import displayed_index
from ..layers.region import region_of
from ..viewer.proxies import unwrap_proxy
from ..viewer.state import state_of
from .describe import WHERE, describe_options
from .restore import restore_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from ...arrays import Index
    from ..jobs.run import Run
    from ..layers.plane import Region
    from ..layers.region import AskedRegion

MOST = 4


@dataclass(frozen=True, eq=False)
class Trial:
    """What a trial layer was asked to show; it has no reference to the layer."""

    number: int
    """From 1."""
    source: Image
    plane: Index
    """None along the axis of its channels."""
    region: Region | None
    """None: the whole plane."""
    asked: dict[str, Any]
    """The arguments of `restore_layer`."""

    @property
    def settings(self) -> dict[str, Any]:
        """What was asked for, without where: by the names of the widgets' controls."""
        return {name: value for name, value in self.asked.items() if name not in WHERE}

    @property
    def words(self) -> str:
        """Its settings, as far as they are not the usual ones; the preset always."""
        return describe_options(
            self.asked, one_by_one=None in self.plane and self.asked["channels"] == "separately"
        )

    @property
    def place(self) -> str:
        """The plane that it shows."""
        index = ", ".join(str(i) for i in self.plane if i is not None)
        plane = f"plane {index} of " if index else ""
        return f"{'all channels of ' if None in self.plane else ''}{plane}'{self.source.name}'"


class _Trials:
    """The trials of a viewer."""

    def __init__(self) -> None:
        self.of: WeakKeyDictionary[Image, Trial] = WeakKeyDictionary()
        """By their result layers: who deletes the layer ends the trial."""


def trials_of(viewer: ViewerModel, kind: str) -> dict[Image, Trial]:
    """Return the trial layers of a task in `viewer`, those that wait for their turn included, in their order."""
    viewer = unwrap_proxy(viewer)
    layers = [*viewer.layers, *(run.layer for run in runs_of(viewer))]
    made = state_of(viewer).part(_Trials).of
    found = {
        layer: made[layer]
        for layer in layers
        if layer in made and made[layer].asked["task"] == kind
    }
    return dict(sorted(found.items(), key=lambda each: each[1].number))


def add_trial(
    viewer: ViewerModel, image: Image | None, region: AskedRegion, asked: dict[str, Any]
) -> Run:
    """Restore a part of the displayed plane of `image`; of later trials it is the part of the first.

    Parameters
    ----------
    viewer : napari.Viewer
    image : napari.layers.Image
    region : "visible", Shapes layer, or ((y0, y1), (x0, x1)) in pixels
    asked : dict
        The arguments of `restore_layer`.

    Raises
    ------
    ValueError, TypeError
        If there are four already, they are of another plane, or what is asked for does not fit.
    """
    viewer, image = unwrap_proxy(viewer), unwrap_proxy(image)
    if not isinstance(image, Image):
        raise TypeError("choose an image layer first.")
    there = list(trials_of(viewer, asked["task"]).values())
    if len(there) >= MOST:
        raise ValueError(
            f"there are {MOST} trials already: discard one first (delete its layer), or all of them."
        )
    channels = chosen_channels(
        image, asked.get("channel_axis", "auto"), asked.get("channels", "jointly")
    )
    plane = displayed_index(viewer, image, channels)
    if there:
        _check_comparable(there[0], image, plane)
        part = there[0].region
    else:
        part = region_of(viewer, image, unwrap_proxy(region))
    run = restore_layer(viewer, image, region=part, **{**asked, "planes": "displayed"})
    number = min(set(range(1, MOST + 1)) - {trial.number for trial in there})
    trial = state_of(viewer).part(_Trials).of[run.layer] = Trial(number, image, plane, part, asked)
    run.how = ""
    run.layer.name = (
        f"trial {number} ({trial.words}) of {image.name}"  # what differs first: long names are cut
    )
    queue_of(viewer).changed.emit()  # the lists show its name
    return run


def discard_trials(viewer: ViewerModel, kind: str) -> None:
    """Remove the trial layers of a task; those under way and waiting are cancelled."""
    viewer = unwrap_proxy(viewer)
    doomed = trials_of(viewer, kind)
    # the waiting ones first: else each would begin only to be cancelled
    for run in reversed(runs_of(viewer)):
        if run.layer in doomed:
            run.cancel()
    for layer in doomed:
        if layer in viewer.layers:
            viewer.layers.remove(layer)
        state_of(viewer).part(_Trials).of.pop(layer, None)


def _check_comparable(first: Trial, image: Image, plane: Index) -> None:
    if first.source is not image or first.plane != plane:
        raise ValueError(
            f"the trials that are there show {first.place}: go back to it, or discard them first."
        )
