"""Pass changes of a painted mask on to the fit of a running inpainting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from superqt.utils import QSignalThrottler

from ..layers.mask import MaskLayer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from ...restoration.steps import Steps
    from ..layers.plane import Plane

THROTTLE_MS = 200
"""A brush stroke emits many events: the mask is read at most once in this time."""

OUTLINE = 400
"""Size of an image relative to the width of the mask's outline."""


class MaskFollower:
    """Follows the plane of a Labels layer that is the mask of an inpainting."""

    def __init__(self, viewer: ViewerModel, labels: Labels, plane: Plane, steps: Steps) -> None:
        self._mask, self._steps = MaskLayer(viewer, labels, plane), steps
        self._missing = self._mask.missing()
        # not @qthrottled: napari would hold its callable for as long as the layer exists
        self._throttler = QSignalThrottler(QSignalThrottler.EmissionPolicy.Trailing)
        self._throttler.setTimeout(THROTTLE_MS)
        self._throttler.triggered.connect(self._update_fit)
        # labels_update is emitted during a stroke, set_data also by undo and redo
        for event in (
            labels.events.labels_update,
            labels.events.paint,
            labels.events.data,
            labels.events.set_data,
        ):
            event.connect(self._mask_changed)  # a weak reference

    def keep_in_front(self, viewer: ViewerModel) -> None:
        """Show the outline of the mask over the result, ready to be painted on as before."""
        labels = self._mask.labels
        if labels not in viewer.layers or not labels.visible:
            return
        viewer.layers.move(viewer.layers.index(labels), len(viewer.layers))
        labels.contour = labels.contour or max(1, round(max(self._missing.shape) / OUTLINE))
        viewer.layers.selection.active = labels

    def _mask_changed(self, _event: Any) -> None:  # noqa: ANN401  (napari's event)
        self._throttler.throttle()

    def _update_fit(self) -> None:
        try:
            missing = self._mask.missing()
        except IndexError:
            return  # the layer was given smaller data
        if np.array_equal(missing, self._missing):
            return
        try:
            self._steps.repaint(missing)
        except ValueError:
            return  # nothing, or everything, is marked at the moment: the fit keeps its mask
        self._missing = missing
