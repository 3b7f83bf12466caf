"""A warning about holes that are too wide, while the mask is painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from superqt.utils import QSignalThrottler

from ..layers.holes import FILLABLE, widest_hole
from ..layers.plane import displayed_plane
from .controls import on_destroyed, wrapping_label

if TYPE_CHECKING:
    from magicgui.widgets import Label
    from napari.components import ViewerModel
    from napari.layers import Labels

THROTTLE_MS = 300


class HoleWidth:
    """A label that reports holes on the displayed plane of a mask that are too wide to fill."""

    def __init__(self, viewer: ViewerModel, name: str) -> None:
        self.label: Label = wrapping_label(name, 2)
        self.label.visible = False
        self._viewer = viewer
        self._mask: Labels | None = None
        self._throttler = QSignalThrottler(
            QSignalThrottler.EmissionPolicy.Trailing, parent=self.label.native
        )
        self._throttler.setTimeout(THROTTLE_MS)
        self._throttler.triggered.connect(self._measure)
        viewer.dims.events.current_step.connect(self._changed)  # weak references
        on_destroyed(self.label.native, self._disconnect)

    def watch(self, mask: Labels | None) -> None:
        """Measure a mask, now and whenever it is painted."""
        self._unwatch()
        self._mask = mask
        if mask is not None:
            for event in (mask.events.labels_update, mask.events.data, mask.events.set_data):
                event.connect(self._changed)
        self._measure()

    def _unwatch(self) -> None:
        if self._mask is not None:
            events = self._mask.events
            for event in (events.labels_update, events.data, events.set_data):
                event.disconnect(self._changed)
            self._mask = None

    def _disconnect(self) -> None:
        self._unwatch()
        self._viewer.dims.events.current_step.disconnect(self._changed)

    def _changed(self, _event: Any = None) -> None:  # noqa: ANN401  (napari's event)
        self._throttler.throttle()

    def _measure(self) -> None:
        try:
            painted = np.zeros((1, 1))
            if self._mask is not None:
                painted = displayed_plane(self._viewer, self._mask).values
        except ValueError:
            painted = np.zeros((1, 1))  # it is not on display
        width = widest_hole(painted)
        self.label.visible = width > FILLABLE
        self.label.value = (
            f"The widest hole is about {width:.0f} pixels wide. Beyond about {FILLABLE} pixels the "
            "middle is filled smoothly, without structure."
        )
