"""Building blocks of the panels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakMethod, ref

from magicgui.widgets import ComboBox, Container, Label, PushButton, create_widget
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QSizePolicy

from ..viewer.proxies import unwrap_proxy
from .long_names import shorten_long_names
from .panel_layout import LabelColumn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from magicgui.widgets.bases import Widget
    from napari.components import ViewerModel
    from napari.layers import Layer
    from psygnal import SignalInstance
    from qtpy.QtWidgets import QWidget


_destroyed_callbacks: set[Callable[[object], None]] = set()
"""Functions connected to the destruction of a widget. If only the widget held such a function,
Python's garbage collector could empty it before destroying the widget, and calling it would
crash."""


def on_destroyed(widget: QWidget, method: Callable[[], object]) -> None:
    """Call `method` when Qt destroys the widget, unless its object no longer exists."""
    reference = WeakMethod(method)

    def callback(_object: object = None) -> None:
        _destroyed_callbacks.discard(callback)
        if (alive := reference()) is not None:
            alive()

    _destroyed_callbacks.add(callback)
    widget.destroyed.connect(callback)


def connect_until_destroyed(
    widget: QWidget, signal: SignalInstance, method: Callable[..., object]
) -> None:
    """Connect `method` to a signal until Qt destroys the widget.

    The Python object may outlive the Qt widget, and must not be called then.
    """
    signal.connect(method)  # a weak reference
    reference = WeakMethod(method)

    def disconnect(_object: object = None) -> None:
        _destroyed_callbacks.discard(disconnect)
        if (alive := reference()) is not None:
            signal.disconnect(alive, missing_ok=True)

    _destroyed_callbacks.add(disconnect)
    widget.destroyed.connect(disconnect)


def row(name: str, *widgets: Widget, label: str = " ") -> Container[Any]:
    """Return a container with widgets side by side."""
    container: Container[Any] = Container(
        widgets=widgets, layout="horizontal", labels=False, label=label, name=name
    )
    container.margins = (0, 0, 0, 0)
    return container


def layer_choice(annotation: Any, name: str, tooltip: str) -> ComboBox:  # noqa: ANN401  (a type, or an optional one)
    """Return a combo box of layers; long layer names are shortened and do not widen the panel."""
    # napari registers this kind of widget for its layers
    choice = cast(
        "ComboBox", create_widget(annotation=annotation, name=name, options={"tooltip": tooltip})
    )
    shorten_long_names(choice)
    _emit_when_emptied(choice)
    return choice


def image_choice(
    viewer: ViewerModel, name: str, tooltip: str, accepts: Callable[[Image], bool]
) -> ComboBox:
    """Return a combo box of the image layers that `accepts` returns True for."""
    layers = unwrap_proxy(viewer).layers

    def choices(_combo: object) -> list[Image]:
        return [layer for layer in layers if isinstance(layer, Image) and accepts(layer)]

    choice = ComboBox(name=name, choices=choices, tooltip=tooltip)
    shorten_long_names(choice)
    _emit_when_emptied(choice)
    return choice


def _emit_when_emptied(choice: ComboBox) -> None:
    """Report None as well, when the last layer is deleted; magicgui reports only choices."""
    reference = ref(choice)

    def emit(index: int) -> None:
        if index < 0 and (alive := reference()) is not None:
            alive.changed.emit(None)

    choice.native.currentIndexChanged.connect(emit)


def button(name: str, text: str, tooltip: str, on_click: Callable[[], object]) -> PushButton:
    """Return a button that calls `on_click`."""
    push_button = PushButton(name=name, text=text, tooltip=tooltip)
    push_button.changed.connect(lambda _value: on_click())
    return push_button


def wrapping_label(name: str, lines: int) -> Label:
    """Return a label at least `lines` high whose text wraps, so it does not widen the panel."""
    label = Label(name=name, label=" ")
    label.native.setWordWrap(True)
    label.native.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    label.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.native.setMinimumHeight(lines * label.native.fontMetrics().lineSpacing())
    return label


def ask_where_to_save(
    parent: QWidget, layer: Layer, folder: Path, kind: str, suffixes: tuple[str, ...]
) -> str:
    """Let the user choose a file, and return its path with one of the suffixes.

    The layer's name is suggested as the file's. Empty if no file was chosen.
    """
    name = re.sub(r"[^\w .-]", "_", layer.name)
    suggested = str(folder / f"{name}{suffixes[0]}")
    path: str = QFileDialog.getSaveFileName(
        parent, f"Save as {kind}", suggested, f"{kind} (*{suffixes[0]})"
    )[0]
    return path if not path or path.lower().endswith(suffixes) else path + suffixes[0]


class Collapsible(Container[Any]):
    """Options that are hidden until their title is clicked.

    Not `superqt.QCollapsible`: its collapsed controls stay in the tab order, and its arrow has the
    system's text color, which is black on napari's dark theme.
    """

    def __init__(self, name: str, title: str, widgets: list[Widget]) -> None:
        super().__init__(name=name, labels=False, label=" ")
        self.margins = (0, 0, 0, 0)
        self._title, self._is_open = title, False
        self._toggle = button(f"{name}_toggle", "", "Show or hide these options.", self._flip)
        self._toggle.native.setFlat(True)
        self._toggle.native.setStyleSheet("text-align: left; background: transparent;")
        self._content: Container[Any] = Container(
            widgets=widgets, labels=True, name=f"{name}_inside"
        )
        self._content.margins = (0, 0, 0, 0)
        LabelColumn(self._content.native)
        self.extend([self._toggle, self._content])
        self._show_state()

    def _flip(self) -> None:
        self._is_open = not self._is_open
        self._show_state()

    def _show_state(self) -> None:
        self._toggle.text = f"{'▾' if self._is_open else '▸'} {self._title}"
        self._content.visible = self._is_open


def named(container: Container[Any], name: str) -> Any:  # noqa: ANN401  (a widget of any kind)
    """Return the control of this name, also from rows and collapsible options, or None."""
    for widget in container:
        if widget.name == name:
            return widget
        if isinstance(widget, Container) and (found := named(widget, name)) is not None:
            return found
    return None
