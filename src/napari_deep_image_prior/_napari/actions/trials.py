"""Trials: restorations of the same part of an image with up to four sets of options."""

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
from .describe import SELECTION, describe_options
from .restore import restore_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from ...arrays import Index
    from ..jobs.run import Run
    from ..layers.plane import Region
    from ..layers.region import RegionLike

MAX_TRIALS = 4


@dataclass(frozen=True, eq=False)
class Trial:
    """The options and the part of a trial; holds no reference to its layer."""

    number: int
    """From 1."""
    source: Image
    plane: Index
    """None along the channel axis."""
    region: Region | None
    """None: the whole plane."""
    arguments: dict[str, Any]
    """The arguments of `restore_layer`."""

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments except those that select the part, by the names of the panel's controls."""
        return {name: value for name, value in self.arguments.items() if name not in SELECTION}

    @property
    def summary(self) -> str:
        """The preset and all options that are not the default."""
        return describe_options(
            self.arguments,
            one_by_one=None in self.plane and self.arguments["channels"] == "separately",
        )

    @property
    def location(self) -> str:
        """The plane that it shows."""
        index = ", ".join(str(i) for i in self.plane if i is not None)
        plane = f"plane {index} of " if index else ""
        return f"{'all channels of ' if None in self.plane else ''}{plane}'{self.source.name}'"


class _Trials:
    """The trials of a viewer."""

    def __init__(self) -> None:
        self.of: WeakKeyDictionary[Image, Trial] = WeakKeyDictionary()
        """By result layer: deleting the layer ends the trial."""


def trials_of(viewer: ViewerModel, kind: str) -> dict[Image, Trial]:
    """Return the trial layers of a task in order, including those of waiting runs."""
    viewer = unwrap_proxy(viewer)
    layers = [*viewer.layers, *(run.layer for run in runs_of(viewer))]
    trials = state_of(viewer).part(_Trials).of
    of_kind = {
        layer: trials[layer]
        for layer in layers
        if layer in trials and trials[layer].arguments["task"] == kind
    }
    return dict(sorted(of_kind.items(), key=lambda each: each[1].number))


def add_trial(
    viewer: ViewerModel, image: Image | None, region: RegionLike, arguments: dict[str, Any]
) -> Run:
    """Restore a part of the displayed plane of `image`; later trials use the part of the first.

    Parameters
    ----------
    viewer : napari.Viewer
    image : napari.layers.Image
    region : "visible", Shapes layer, or ((y0, y1), (x0, x1)) in pixels
    arguments : dict
        The arguments of `restore_layer`.

    Raises
    ------
    ValueError, TypeError
        If there are four already, they show another plane, or an argument does not fit.
    """
    viewer, image = unwrap_proxy(viewer), unwrap_proxy(image)
    if not isinstance(image, Image):
        raise TypeError("choose an image layer first.")
    existing = list(trials_of(viewer, arguments["task"]).values())
    if len(existing) >= MAX_TRIALS:
        raise ValueError(
            f"there are {MAX_TRIALS} trials already: delete the layer of one, or discard all."
        )
    channels = chosen_channels(
        image, arguments.get("channel_axis", "auto"), arguments.get("channels", "jointly")
    )
    plane = displayed_index(viewer, image, channels)
    if existing:
        _check_comparable(existing[0], image, plane)
        part = existing[0].region
    else:
        part = region_of(viewer, image, unwrap_proxy(region))
    # of a volume the part of all its planes, else that of the displayed plane
    planes = "volume" if arguments.get("planes") == "volume" else "displayed"
    run = restore_layer(viewer, image, region=part, **{**arguments, "planes": planes})
    number = min(set(range(1, MAX_TRIALS + 1)) - {trial.number for trial in existing})
    trial = Trial(number, image, plane, part, arguments)
    state_of(viewer).part(_Trials).of[run.layer] = trial
    run.summary, run.fits_contrast = "", False  # side by side they share the image's limits
    # the options first, because long names are elided
    run.layer.name = f"trial {number} ({trial.summary}) of {image.name}"
    queue_of(viewer).changed.emit()  # the queue lists show its name
    return run


def discard_trials(viewer: ViewerModel, kind: str) -> None:
    """Remove the trial layers of a task; running and waiting trials are cancelled."""
    viewer = unwrap_proxy(viewer)
    trials = trials_of(viewer, kind)
    # waiting runs first: otherwise each would start before it is cancelled
    for run in reversed(runs_of(viewer)):
        if run.layer in trials:
            run.cancel()
    for layer in trials:
        if layer in viewer.layers:
            viewer.layers.remove(layer)
        state_of(viewer).part(_Trials).of.pop(layer, None)


def _check_comparable(first: Trial, image: Image, plane: Index) -> None:
    if first.source is not image or first.plane != plane:
        raise ValueError(
            f"the existing trials show {first.location}: go back to it, or discard them first."
        )
