"""Parts that the widgets are built of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakMethod

from magicgui.widgets import Container, Label, PushButton, create_widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QSizePolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from magicgui.widgets import ComboBox
    from magicgui.widgets.bases import Widget
    from napari.layers import Layer
    from psygnal import SignalInstance
    from qtpy.QtWidgets import QWidget


_farewells: set[Callable[[object], None]] = set()
"""What is called when a widget is destroyed: were it held by the widget alone, Python's garbage collection could
empty the function before it destroys the widget, and calling it would crash."""


def on_destroyed(widget: QWidget, method: Callable[[], object]) -> None:
    """Call `method` when Qt destroys the widget, unless its object is gone before."""
    reference = WeakMethod(method)

    def part(_object: object = None) -> None:
        _farewells.discard(part)
        if (left := reference()) is not None:
            left()

    _farewells.add(part)
    widget.destroyed.connect(part)


def listen(widget: QWidget, signal: SignalInstance, method: Callable[..., object]) -> None:
    """Call `method` at each signal until Qt destroys the widget; what is left of it in Python must not be called."""
    signal.connect(method)  # a weak reference
    reference = WeakMethod(method)

    def forget(_object: object = None) -> None:
        _farewells.discard(forget)
        if (left := reference()) is not None:
            signal.disconnect(left, missing_ok=True)

    _farewells.add(forget)
    widget.destroyed.connect(forget)


def row(name: str, *widgets: Widget, label: str = " ") -> Container[Any]:
    """Put widgets side by side."""
    made: Container[Any] = Container(
        widgets=widgets, layout="horizontal", labels=False, label=label, name=name
    )
    made.margins = (0, 0, 0, 0)
    return made


def layer_choice(annotation: Any, name: str, tooltip: str) -> ComboBox:  # noqa: ANN401  (a type, or an optional one)
    """Make a choice among layers; a long name is cut in the panel, rather than make that wide."""
    # napari registers this kind of widget for its layers
    choice = cast(
        "ComboBox", create_widget(annotation=annotation, name=name, options={"tooltip": tooltip})
    )
    combo = choice.native
    combo.setSizeAdjustPolicy(combo.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(12)
    combo.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
    return choice


def button(name: str, text: str, tooltip: str, pressed: Callable[[], object]) -> PushButton:
    """Make a button that calls `pressed`."""
    made = PushButton(name=name, text=text, tooltip=tooltip)
    made.changed.connect(lambda _value: pressed())
    return made


def wrapping_label(name: str, lines: int) -> Label:
    """Make a text of some lines that wraps, so that the panel does not change its width with it."""
    label = Label(name=name, label=" ")
    label.native.setWordWrap(True)
    label.native.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    label.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.native.setMinimumHeight(lines * label.native.fontMetrics().lineSpacing())
    return label


def ask_where_to_save(
    parent: QWidget, layer: Layer, folder: Path, kind: str, suffixes: tuple[str, ...]
) -> str:
    """Let the user choose a file, named after a layer at first, which ends in a suffix; empty if none was chosen."""
    name = re.sub(r"[^\w .-]", "_", layer.name)
    suggested = str(folder / f"{name}{suffixes[0]}")
    path: str = QFileDialog.getSaveFileName(
        parent, f"Save as {kind}", suggested, f"{kind} (*{suffixes[0]})"
    )[0]
    return path if not path or path.lower().endswith(suffixes) else path + suffixes[0]


class Folded(Container[Any]):
    """Options that are out of sight until a button is pressed."""

    def __init__(self, name: str, title: str, widgets: list[Widget]) -> None:
        super().__init__(name=name, labels=False, label=" ")
        self.margins = (0, 0, 0, 0)
        self._title, self._is_open = title, False
        self._toggle = button(f"{name}_toggle", "", "Show or hide them.", self._open_or_close)
        self._toggle.native.setFlat(True)
        self._toggle.native.setStyleSheet("text-align: left; background: transparent;")
        self._inside: Container[Any] = Container(
            widgets=widgets, labels=True, name=f"{name}_inside"
        )
        self._inside.margins = (0, 0, 0, 0)
        self.extend([self._toggle, self._inside])
        self._show_state()

    def _open_or_close(self) -> None:
        self._is_open = not self._is_open
        self._show_state()

    def _show_state(self) -> None:
        self._toggle.text = f"{'▾' if self._is_open else '▸'} {self._title}"
        self._inside.visible = self._is_open
