"""Layers beside one another in the canvas, moved and zoomed together, until the view comes back as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from psygnal import Signal

from .canvas import camera, fit_view, grid
from .state import state_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

SHOWN = ("contrast_limits", "gamma", "colormap")
"""What the layers have in common while they are compared."""
COLUMNS, SPACING, FONT_SIZE = 2, 4, 8
"""Of the grid: wide enough for the names, which are long."""


class SideBySide:
    """A viewer whose canvas is a grid of some layers; all others are out of sight.

    Ends with `leave`, or when the user switches napari's grid off.
    """

    def __init__(self, viewer: ViewerModel, kind: str, layers: list[Image]) -> None:
        self.kind = kind
        self._viewer = ref(viewer)
        self._visible: WeakKeyDictionary[Layer, bool] = WeakKeyDictionary()
        self._named: WeakKeyDictionary[Layer, tuple[bool, float]] = WeakKeyDictionary()
        seen, laid_out = camera(viewer), grid(viewer)
        self._view = (tuple(seen.center), float(seen.zoom))
        self._grid = {
            name: getattr(laid_out, name) for name in ("enabled", "stride", "shape", "spacing")
        }
        for layer in viewer.layers:
            self._visible[layer] = layer.visible
            layer.visible = layer in layers
        laid_out.stride, laid_out.shape, laid_out.spacing, laid_out.enabled = (
            1,
            (-1, COLUMNS),
            SPACING,
            True,
        )
        laid_out.events.enabled.connect(self._grid_was_switched)
        self.take_in(layers)
        for layer in [layer for layer in layers[1:] if layer in viewer.layers][:1]:
            fit_view(viewer, layer)

    def take_in(self, layers: list[Image]) -> None:
        """Name those that are new, and show them as the first of `layers` is shown."""
        new = [layer for layer in layers if layer not in self._named]
        for layer in new:
            name = layer.name_overlay
            self._named[layer] = (name.visible, name.font_size)
            name.visible, name.font_size = True, FONT_SIZE
            if layer is not layers[0] and not layer.rgb:
                for shown in SHOWN:
                    setattr(layer, shown, getattr(layers[0], shown))
        if new:
            self._link(layers)

    def leave(self) -> None:
        """Bring the view back as it was; layers that came in the meantime stay visible."""
        viewer = self._viewer()
        if viewer is None or not comparison_in(viewer).forget():
            return
        seen, laid_out = camera(viewer), grid(viewer)
        laid_out.events.enabled.disconnect(self._grid_was_switched)
        self._link([])
        for layer, (is_named, font_size) in self._named.items():
            layer.name_overlay.visible, layer.name_overlay.font_size = is_named, font_size
        for layer in viewer.layers:
            layer.visible = self._visible.get(layer, True)
        for name, value in self._grid.items():
            setattr(laid_out, name, value)
        seen.center, seen.zoom = self._view
        comparison_in(viewer).changed.emit()

    def _link(self, layers: list[Image]) -> None:
        """Let the contrast of one be that of all; of color pictures there is none."""
        viewer: Any = self._viewer()
        if named := [layer for layer in self._named if not layer.rgb]:
            viewer.layers.unlink_layers(named, SHOWN)
        if len(others := [layer for layer in layers if not layer.rgb]) > 1:
            viewer.layers.link_layers(others, SHOWN)

    def _grid_was_switched(self, _event: object = None) -> None:
        viewer = self._viewer()
        if viewer is not None and not grid(viewer).enabled:
            self._grid["enabled"] = False
            self.leave()


class Comparison:
    """What is being compared in a viewer."""

    changed = Signal()
    """Emitted when one begins or ends."""

    def __init__(self) -> None:
        self._view: SideBySide | None = None

    def of(self, kind: str) -> SideBySide | None:
        """Return the view of the trials of a task, if they are being compared."""
        return self._view if self._view is not None and self._view.kind == kind else None

    def show(self, viewer: ViewerModel, kind: str, layers: list[Image]) -> None:
        """Show layers beside one another, the first as what they are compared with."""
        if self._view is not None:
            self._view.leave()
        self._view = SideBySide(viewer, kind, layers)
        self.changed.emit()

    def forget(self) -> bool:
        """Note that a view ends; tell whether there was one."""
        there, self._view = self._view is not None, None
        return there


def comparison_in(viewer: ViewerModel) -> Comparison:
    """Return what is being compared in a viewer."""
    return state_of(viewer).part(Comparison)
