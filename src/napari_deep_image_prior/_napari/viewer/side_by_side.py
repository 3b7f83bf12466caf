"""Layers side by side in a grid with linked camera and contrast, until the view is restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from psygnal import Signal

from .canvas import camera, fit_view, grid
from .state import state_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

LINKED = ("contrast_limits", "gamma", "colormap")
"""Attributes that the compared layers share."""
COLUMNS, SPACING, FONT_SIZE = 2, 4, 8
"""Grid layout: two columns are wide enough for the long names."""


class SideBySide:
    """A grid of some layers on the canvas; all other layers are hidden.

    Ends with `close`, or when the user switches napari's grid off.
    """

    def __init__(self, viewer: ViewerModel, kind: str, layers: list[Image]) -> None:
        self.kind = kind
        self._viewer = ref(viewer)
        self._visible: WeakKeyDictionary[Layer, bool] = WeakKeyDictionary()
        self._overlays: WeakKeyDictionary[Layer, tuple[bool, float]] = WeakKeyDictionary()
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
        laid_out.events.enabled.connect(self._grid_toggled)
        self.add(layers)
        for layer in [layer for layer in layers[1:] if layer in viewer.layers][:1]:
            fit_view(viewer, layer)

    def add(self, layers: list[Image]) -> None:
        """Add the new ones of `layers`, named and displayed with the contrast of the first."""
        new = [layer for layer in layers if layer not in self._overlays]
        for layer in new:
            name = layer.name_overlay
            self._overlays[layer] = (name.visible, name.font_size)
            name.visible, name.font_size = True, FONT_SIZE
            if layer is not layers[0] and not layer.rgb:
                for attribute in LINKED:
                    setattr(layer, attribute, getattr(layers[0], attribute))
        if new:
            self._link(layers)

    def close(self) -> None:
        """Restore the earlier view; layers added in the meantime stay visible."""
        viewer = self._viewer()
        if viewer is None or not comparison_in(viewer).forget():
            return
        seen, laid_out = camera(viewer), grid(viewer)
        laid_out.events.enabled.disconnect(self._grid_toggled)
        self._link([])
        for layer, (is_named, font_size) in self._overlays.items():
            layer.name_overlay.visible, layer.name_overlay.font_size = is_named, font_size
        for layer in viewer.layers:
            layer.visible = self._visible.get(layer, True)
        for name, value in self._grid.items():
            setattr(laid_out, name, value)
        seen.center, seen.zoom = self._view
        comparison_in(viewer).changed.emit()

    def _link(self, layers: list[Image]) -> None:
        """Link the contrast of the layers; RGB layers have none."""
        viewer: Any = self._viewer()
        if linked := [layer for layer in self._overlays if not layer.rgb]:
            viewer.layers.unlink_layers(linked, LINKED)
        if len(linked := [layer for layer in layers if not layer.rgb]) > 1:
            viewer.layers.link_layers(linked, LINKED)

    def _grid_toggled(self, _event: object = None) -> None:
        viewer = self._viewer()
        if viewer is not None and not grid(viewer).enabled:
            self._grid["enabled"] = False
            self.close()


class Comparison:
    """The comparison that a viewer shows, if any."""

    changed = Signal()
    """Emitted when a comparison begins or ends."""

    def __init__(self) -> None:
        self._view: SideBySide | None = None

    def of(self, kind: str) -> SideBySide | None:
        """Return the comparison of the trials of a task, if it is shown."""
        return self._view if self._view is not None and self._view.kind == kind else None

    def show(self, viewer: ViewerModel, kind: str, layers: list[Image]) -> None:
        """Show layers side by side; the first is the reference."""
        if self._view is not None:
            self._view.close()
        self._view = SideBySide(viewer, kind, layers)
        self.changed.emit()

    def forget(self) -> bool:
        """Record that the comparison ends, and return whether there was one."""
        was_shown, self._view = self._view is not None, None
        return was_shown


def comparison_in(viewer: ViewerModel) -> Comparison:
    """Return the comparison part of a viewer's state."""
    return state_of(viewer).part(Comparison)
