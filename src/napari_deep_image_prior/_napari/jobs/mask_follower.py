"""What is painted on the mask while an inpainting runs is handed to its fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer

from ..layers.mask import MaskLayer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from ...restoration.steps import Steps
    from ..layers.plane import Plane

SETTLE_MS = 200
"""A brush stroke is many events: they are looked at together."""


class MaskFollower:
    """Watches the plane of a Labels layer that an inpainting took its mask from."""

    def __init__(self, viewer: ViewerModel, labels: Labels, plane: Plane, steps: Steps) -> None:
        self._mask, self._steps = MaskLayer(viewer, labels, plane), steps
        self._missing = self._mask.missing()
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._hand_over)
        # the first while a stroke is drawn, the last by undo and redo as well
        for event in (
            labels.events.labels_update,
            labels.events.paint,
            labels.events.data,
            labels.events.set_data,
        ):
            event.connect(self._look_soon)

    def _look_soon(self, _event: Any) -> None:  # noqa: ANN401  (napari's event)
        if not self._timer.isActive():
            self._timer.start(SETTLE_MS)

    def _hand_over(self) -> None:
        try:
            missing = self._mask.missing()
        except IndexError:
            return  # the layer was given smaller data
        if np.array_equal(missing, self._missing):
            return
        try:
            self._steps.repaint(missing)
        except ValueError:
            return  # nothing, or everything, is marked just now: the fit keeps the mask that it has
        self._missing = missing
