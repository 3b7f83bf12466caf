"""Where a panel is docked: panels of the plugin share a tab, and float at a useful size."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QRect, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

MARK = "deep_image_prior_panel"
"""Property of the panels of this plugin that are arranged."""
MIN_FLOATING_WIDTH = 380
MAX_SCREEN = 0.85
"""Largest part of the screen's height that a panel takes when it starts to float."""


class Docking(QObject):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """Arranges the dock of a panel when the panel is shown for the first time."""

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        self._panel = panel
        panel.installEventFilter(self)

    def eventFilter(self, panel: QWidget, event: QEvent) -> bool:  # noqa: N802  (Qt's name)
        """Wait until napari has added the dock to the window."""
        if event.type() == QEvent.Type.Show:
            panel.removeEventFilter(self)
            QTimer.singleShot(0, self._arrange)
        return False

    def _arrange(self) -> None:
        dock = _dock_of(self._panel)
        window = None if dock is None else dock.parent()
        if dock is None or not isinstance(window, QMainWindow):
            return
        self._panel.setProperty(MARK, True)
        dock.topLevelChanged.connect(self._resize_floating)
        area = window.dockWidgetArea(dock)
        for other in window.findChildren(QDockWidget):
            if (
                other is not dock
                and _holds_panel(other)
                and not other.isFloating()
                and not other.isHidden()
                and window.dockWidgetArea(other) == area
            ):
                window.tabifyDockWidget(other, dock)
                dock.show()
                dock.raise_()
                return

    def _resize_floating(self, floats: bool) -> None:  # noqa: FBT001  (Qt's signal)
        dock = _dock_of(self._panel)
        if not floats or dock is None:
            return
        hint = dock.sizeHint()
        height = min(hint.height(), round(MAX_SCREEN * dock.screen().availableSize().height()))
        dock.resize(max(dock.width(), hint.width(), MIN_FLOATING_WIDTH), max(dock.height(), height))
        _move_into(dock, dock.screen().availableGeometry())


def _move_into(dock: QDockWidget, screen: QRect) -> None:
    """Move a floating panel, which may be wider than its place in the window, into the screen."""
    right, bottom = screen.right() + 1 - dock.width(), screen.bottom() + 1 - dock.height()
    dock.move(max(screen.left(), min(dock.x(), right)), max(screen.top(), min(dock.y(), bottom)))


def _dock_of(panel: QWidget) -> QDockWidget | None:
    parent = panel.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def _holds_panel(dock: QDockWidget) -> bool:
    inner = [dock.widget(), *dock.findChildren(QWidget)]
    return any(widget is not None and widget.property(MARK) for widget in inner)
