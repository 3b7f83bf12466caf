"""The layer that shows a restoration while it runs, and copies of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from ...io.animation import write_animation
from .contrast import fitted_limits
from .noise import NAMES, channel_names
from .plane import describe_source, displayed_channel, full_range, in_layer_axes, result_options
from .provenance import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ...methods.task import Task
    from .contrast import Limits
    from .plane import Plane


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The image at one step of a fit."""

    image: NDArray[Any]
    iteration: int
    """Steps of the network's fit; 0: the first estimate."""
    provenance: dict[str, Any] | None = None
    """The provenance if it is the result of the fit."""

    @property
    def place(self) -> str:
        """The step, as text."""
        return f"step {self.iteration}" if self.iteration else "first estimate"


class ResultLayer:
    """An image layer, aligned with its source, that shows snapshots of a restoration.

    Parameters
    ----------
    plane : Plane
        The restored plane or stack.
    task : Task
        The kind of restoration and its options.
    first : array
        The image shown before the first snapshot.
    """

    def __init__(self, plane: Plane, task: Task, first: NDArray[Any]) -> None:
        self._plane, self._task = plane, task
        self.image = Image(in_layer_axes(plane, first), **result_options(plane, task))
        """napari's layer."""
        self.image.metadata.update(self._channel_names())
        low, high = self.image.contrast_limits
        self._given: Limits = (low, high)
        self._limits = self._given
        self.shown: Snapshot | None = None
        """The snapshot on display; None before the first."""

    @property
    def source(self) -> Any:  # noqa: ANN401  (an Image or Labels layer)
        """The layer that is restored."""
        return self._plane.layer

    def show(self, snapshot: Snapshot, provenance: dict[str, Any] | None = None) -> None:
        """Show a snapshot, and record its provenance in the metadata or, if None, remove it."""
        self.shown = snapshot
        self.image.data = in_layer_axes(self._plane, snapshot.image)
        others = {name: value for name, value in self.image.metadata.items() if name != METADATA}
        if provenance is not None:
            others[METADATA] = self._with_source(snapshot, provenance)
        self.image.metadata = others  # assigned, so that napari emits an event

    def fit_contrast(self) -> str:
        """Fit the contrast limits to the image, if the noise widened those of the source.

        Returns a line about it; empty if the limits stay, as those chosen by the user do.
        """
        if self._plane.is_rgb or tuple(self.image.contrast_limits) != self._limits:
            return ""
        fitted = fitted_limits(
            self._given,
            self._plane.values,
            np.asarray(self.image.data),
            part_of_stack=self._plane.layer.ndim > self._plane.values.ndim,
        )
        if fitted is None:
            return ""
        self._limits = self.image.contrast_limits = fitted
        low, high = (f"{limit:.4g}" for limit in fitted)
        return f"Contrast limits fitted to the result: {low} to {high}."

    def copy(self, provenance: dict[str, Any]) -> Image:
        """Return the snapshot on display as a new layer, with its provenance.

        Raises
        ------
        RuntimeError
            If it shows no snapshot yet.
        """
        if self.shown is None:
            raise RuntimeError("there is nothing to keep yet: wait for the first preview.")
        options = result_options(self._plane, self._task)
        if not self._plane.is_rgb:
            options |= {
                name: getattr(self.image, name) for name in ("colormap", "contrast_limits", "gamma")
            }
        options["name"] = f"{self.image.name}, {self.shown.place}"
        kept = Image(in_layer_axes(self._plane, self.shown.image.copy()), **options)
        kept.metadata.update(self._channel_names())
        kept.metadata[METADATA] = self._with_source(self.shown, provenance)
        return kept

    def _channel_names(self) -> dict[str, list[str]]:
        """Return the names of the channels as metadata; empty if they have none."""
        names = () if self._plane.is_rgb else channel_names(self.source)
        return {NAMES[0]: list(names)} if names else {}

    def write_animation(
        self, path: str | Path, snapshots: Iterable[Snapshot], viewer: ViewerModel
    ) -> None:
        """Write snapshots as an animated GIF, with the contrast limits of the layer.

        Raises
        ------
        FileError, ValueError
            If it cannot be written, or there is no snapshot.
        """
        # RGB images have no contrast limits
        limits = (
            full_range(np.dtype(self.image.dtype))
            if self._plane.is_rgb
            else self.image.contrast_limits
        )
        images = [displayed_channel(viewer, self._plane, snapshot.image) for snapshot in snapshots]
        write_animation(
            path, images, contrast_limits=limits, channel_axis=-1 if self._plane.is_rgb else None
        )

    def _with_source(self, snapshot: Snapshot, provenance: dict[str, Any]) -> dict[str, Any]:
        return {
            **provenance,
            "step": snapshot.iteration,
            "source": describe_source(self._plane),
        }
