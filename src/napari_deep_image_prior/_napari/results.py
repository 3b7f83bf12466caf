"""The widget for what is done with a result: Results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, Label, PushButton, create_widget
from napari.layers import Image

from ..repetition import script
from .provenances import made, run_again
from .result_files import write_layer
from .widgets import _row, _wrapping_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

WARNING = (
    "A prior invents: filled or enlarged pixels are plausible, not measured, and faint detail may be smoothed away. "
    "Do not count, measure or diagnose on a result without a look at its source."
)


class ResultsWidget(Container[Any]):
    """Look into a result: how it was made, how far to trust it; make it again."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(labels=True)
        self._viewer = napari_viewer
        self.append(create_widget(annotation=Image, name="result", options={"tooltip": "A result of this plugin."}))
        self._made = _wrapping_label("made")
        self.append(self._made)
        self.run_again = self._button(
            "run_again", "Run again", "Restore its source once more, the same way.", self._again
        )
        self.copy = self._button(
            "copy", "Copy as Python", "Put a script that makes the same image on the clipboard.", self._copy
        )
        self.save = self._button("save", "Save …", "Save as OME-TIFF, with pixel size and how it was made.", self._save)
        self.append(_row("repeat", self.run_again, self.copy, self.save))
        self._status = _wrapping_label("status")
        self.append(self._status)
        self.append(_warning())
        self.native.layout().addStretch()
        self.native.setMinimumWidth(300)
        self._watched: Image | None = None
        self.result.changed.connect(lambda _layer: self._watch())
        self._watch()

    def _button(self, name: str, text: str, tooltip: str, act: Callable[[], str]) -> PushButton:
        """Make a button whose action tells its outcome, or what stands against it, in the panel."""
        button = PushButton(name=name, text=text, tooltip=tooltip)

        def press() -> None:
            try:
                message = act()
            except (ValueError, TypeError, RuntimeError, OSError) as error:
                message = str(error)
            self._say(message)

        button.changed.connect(lambda _value: press())
        return button

    def _say(self, message: str) -> None:
        self._status.value = message[:1].upper() + message[1:]

    def _watch(self) -> None:
        """Tell how the chosen layer was made, also when that comes later."""
        if self._watched is not None:
            self._watched.events.metadata.disconnect(self._show_made)
        self._watched = self.result.value
        if self._watched is not None:
            self._watched.events.metadata.connect(self._show_made)
        self._show_made()

    def _show_made(self, _event: object = None) -> None:
        try:
            self._made.value = _told(made(self.result.value))
        except ValueError as error:
            self._made.value = str(error)[:1].upper() + str(error)[1:]

    def _again(self) -> str:
        run = run_again(self._viewer, self.result.value)
        return f"restoring into '{run.layer.name}': its task's widget has the buttons to stop it."

    def _copy(self) -> str:
        from qtpy.QtWidgets import QApplication

        provenance = made(self.result.value)
        QApplication.clipboard().setText(script(provenance))
        if provenance.get("source", {}).get("path") is None:
            return "the script is on the clipboard; it says where to put the image, as that came from no file."
        return "the script is on the clipboard."

    def _save(self) -> str:
        from qtpy.QtWidgets import QFileDialog

        layer = self.result.value
        source = made(layer).get("source", {}).get("path") or ""
        name = re.sub(r"[^\w .-]", "_", layer.name)
        suggested = str(Path(source).parent / f"{name}.ome.tif")
        path, _ = QFileDialog.getSaveFileName(self.native, "Save the result", suggested, "OME-TIFF (*.ome.tif)")
        if not path:
            return "nothing was saved."
        if not path.lower().endswith((".tif", ".tiff")):
            path += ".ome.tif"
        write_layer(path, *layer.as_layer_data_tuple()[:2])
        return f"saved as {path}"


def _told(provenance: dict[str, Any]) -> str:
    how = f"preset {provenance['preset']}" if provenance["preset"] else provenance["settings"]["method"]
    steps = f"{provenance['iterations']} steps in {provenance['seconds']:.0f} s on {provenance['device_name']}"
    lines = [
        f"{provenance['task']['kind'].capitalize()}, {how}, seed {provenance['seed']}: {steps}.",
        provenance["found"],
        f"Ended: {provenance['stop_reason']}.",
    ]
    return "\n".join(filter(None, lines))


def _warning() -> Label:
    label = _wrapping_label("warning")
    label.value = WARNING
    return label
