"""The layout of a panel: it scrolls, and its labels share one width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from .docking import Docking

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_WIDTH, MIN_HEIGHT = 300, 60
FOOTER_MARGINS = (9, 0, 9, 6)
SPACING = 4
"""Pixels between two rows: the curve of a stack is in sight on a screen of 768 pixels."""


def finish_layout(panel: QWidget, fixed: Sequence[QWidget] = ()) -> None:
    """Push the widgets of a filled panel to its top, let them scroll and align their labels.

    The widgets in `fixed` are moved below the scroll area, so that they stay in sight.
    """
    panel.layout().addStretch()
    panel.layout().setSpacing(SPACING)
    content = _make_scrollable(panel)
    LabelColumn(content)
    footer = QWidget()
    layout = QVBoxLayout(footer)
    layout.setContentsMargins(*FOOTER_MARGINS)
    layout.setSpacing(2)
    for widget in fixed:
        _move_below(content, footer, widget)
    panel.layout().addWidget(footer)
    Docking(panel)


def _move_below(content: QWidget, footer: QWidget, widget: QWidget) -> None:
    """Move the row of a widget, without its label, from the scrolling part to the footer."""
    layout = content.layout()
    rows = [layout.itemAt(index).widget() for index in range(layout.count())]
    for row in rows:
        if row is not None and (row is widget or row.isAncestorOf(widget)):
            for label in _row_labels(content):
                if row.isAncestorOf(label):
                    label.hide()
            footer.layout().addWidget(row)
            return


def _make_scrollable(panel: QWidget) -> QWidget:
    """Move the layout of a panel into a scroll area, and return the widget that now contains it.

    The panel would otherwise make the window higher than the screen. Not
    `Container(scrollable=True)`: napari docks the container's `native`, which is inside
    magicgui's scroll area, so that nothing scrolls.
    """
    content = QWidget()
    content.setLayout(panel.layout())  # moves the widgets along
    area = _ScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    outer = QVBoxLayout(panel)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(area)
    return content


class _ScrollArea(QScrollArea):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """A scroll area that is never narrower than its content, so that nothing is cut off."""

    def sizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        return QSize(self.minimumSizeHint().width(), self.widget().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        width = max(MIN_WIDTH, self.widget().minimumSizeHint().width())
        return QSize(width + self.verticalScrollBar().sizeHint().width(), MIN_HEIGHT)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  (Qt's name)
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()  # the content may have become wider
        return bool(super().eventFilter(watched, event))


class LabelColumn(QObject):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """Sets the labels of a panel to the width of the widest one, in the font that is displayed.

    magicgui measures them in a different font, before the panel has napari's style.
    """

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        panel.installEventFilter(self)

    def eventFilter(self, panel: QWidget, event: QEvent) -> bool:  # noqa: N802  (Qt's name)
        """Measure the labels when the panel is shown."""
        if event.type() == QEvent.Type.Show:
            labels = _row_labels(panel)
            for label in labels:
                label.ensurePolished()
                label.setMinimumWidth(0)
            widest = max((label.sizeHint().width() for label in labels), default=0)
            for label in labels:
                label.setMinimumWidth(widest)
        return False


def _row_labels(panel: QWidget) -> list[QLabel]:
    """Return the labels at the start of a panel's rows."""
    layout = panel.layout()
    rows = [layout.itemAt(index).widget() for index in range(layout.count())]
    layouts = [row.layout() for row in rows if row is not None]
    first = [
        row.itemAt(0).widget()
        for row in layouts
        if isinstance(row, QHBoxLayout) and row.count() == 2
    ]
    return [widget for widget in first if isinstance(widget, QLabel)]
