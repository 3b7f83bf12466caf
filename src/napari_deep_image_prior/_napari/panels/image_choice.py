"""The menu of the image to restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image

from ..jobs.current import runs_of
from ..layers.maps import is_map
from ..layers.provenance import METADATA
from ..viewer.proxies import unwrap_proxy
from .long_names import shorten_long_names

if TYPE_CHECKING:
    from napari.components import ViewerModel


class ImageChoice(ComboBox):
    """The image layers; when the selected one is deleted, a result does not take its place."""

    def __init__(self, viewer: ViewerModel, name: str, tooltip: str) -> None:
        self._viewer = unwrap_proxy(viewer)
        self._had_image = False
        super().__init__(name=name, choices=self._images, tooltip=tooltip)
        shorten_long_names(self)
        self.native.setPlaceholderText("choose an image")

    def reset_choices(self, *_: object) -> None:
        """List the image layers again; napari calls this when the layers change."""
        before = self.value
        with self.changed.blocked():
            super().reset_choices()
            stays = before is not None and before in self.choices
            # magicgui selects the first choice, also when a layer is renamed; None is no choice
            self._widget._mgui_set_value(before if stays else self._next())  # noqa: SLF001
        self._had_image = self._had_image or self.value is not None
        if self.value is not before:
            self.changed.emit(self.value)

    def _images(self, _combo: object = None) -> list[tuple[str, Image]]:
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        return [(layer.name, layer) for layer in images if not is_map(layer)]

    def _next(self) -> Any:  # noqa: ANN401  (a layer or None)
        """Return the image to select; None if only results are left of several images."""
        images = [layer for _, layer in self._images()]
        unfinished = [run.layer for run in runs_of(self._viewer)]
        given = [each for each in images if METADATA not in each.metadata]
        given = [each for each in given if each not in unfinished]
        return next(iter(given if self._had_image else [*given, *images]), None)
