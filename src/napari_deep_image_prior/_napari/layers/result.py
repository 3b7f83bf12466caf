"""The layer that shows a restoration as it goes on, and layers made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from ...io.animation import write_animation
from .plane import picture, result_options, seen_channel, source_of, whole_range
from .provenance import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ...methods.task import Task
    from .plane import Plane


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The image at one step of a fit."""

    image: NDArray[Any]
    iteration: int
    """Steps done, from 1."""
    fitted: int
    """Steps of the network's fit among them."""
    made: dict[str, Any] | None = None
    """The provenance of the image, if the fit ended with it: then it is the result."""


class ResultLayer:
    """An image layer that lies on its source and shows snapshots of a restoration.

    Parameters
    ----------
    plane : Plane
        What is restored.
    task : Task
        What is done with it.
    first : array
        What is shown before the first snapshot.
    """

    def __init__(self, plane: Plane, task: Task, first: NDArray[Any]) -> None:
        self._plane, self._task = plane, task
        self.image = Image(picture(plane, first), **result_options(plane, task))
        """napari's layer."""
        self.shown: Snapshot | None = None
        """What it shows; None before the first snapshot."""

    @property
    def source(self) -> Any:  # noqa: ANN401  (an Image or Labels layer)
        """The layer that is restored."""
        return self._plane.layer

    def show(self, snapshot: Snapshot, made: dict[str, Any] | None = None) -> None:
        """Show a snapshot; where `made` is left out, the layer does not say how it was made."""
        self.shown = snapshot
        self.image.data = picture(self._plane, snapshot.image)
        others = {name: value for name, value in self.image.metadata.items() if name != METADATA}
        # assigned: its event tells others
        self.image.metadata = (
            others if made is None else others | {METADATA: self._described(snapshot, made)}
        )

    def copy(self, made: dict[str, Any]) -> Image:
        """Return what it shows as a layer of its own, and how that was `made`.

        Raises
        ------
        RuntimeError
            If it shows nothing yet.
        """
        if self.shown is None:
            raise RuntimeError("there is nothing to keep yet: wait for the first picture.")
        options = result_options(self._plane, self._task)
        if not self._plane.is_rgb:
            options |= {
                name: getattr(self.image, name) for name in ("colormap", "contrast_limits", "gamma")
            }
        options["name"] = f"{self.image.name}, step {self.shown.iteration}"
        kept = Image(picture(self._plane, self.shown.image.copy()), **options)
        kept.metadata[METADATA] = self._described(self.shown, made)
        return kept

    def write_animation(
        self, path: str | Path, snapshots: Iterable[Snapshot], viewer: ViewerModel
    ) -> None:
        """Write snapshots as an animated GIF, as bright as the layer is shown.

        Raises
        ------
        FileError, ValueError
            If it cannot be written, or there is no snapshot.
        """
        # a color picture is shown as it is
        limits = (
            whole_range(np.dtype(self.image.dtype))
            if self._plane.is_rgb
            else self.image.contrast_limits
        )
        images = [seen_channel(viewer, self._plane, snapshot.image) for snapshot in snapshots]
        write_animation(
            path, images, contrast_limits=limits, channel_axis=-1 if self._plane.is_rgb else None
        )

    def _described(self, snapshot: Snapshot, made: dict[str, Any]) -> dict[str, Any]:
        return {**made, "step": snapshot.iteration, "source": source_of(self._plane)}
