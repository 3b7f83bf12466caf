"""A panel that scrolls where the window is too low for it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

LEAST_WIDTH, LEAST_HEIGHT = 300, 160


class _ScrollArea(QScrollArea):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """As narrow as what is in it allows, so that nothing is cut off at the side."""

    def sizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        return QSize(self.minimumSizeHint().width(), self.widget().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        width = max(LEAST_WIDTH, self.widget().minimumSizeHint().width())
        return QSize(width + self.verticalScrollBar().sizeHint().width(), LEAST_HEIGHT)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  (Qt's name)
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()  # what is in it may need more width than when it was first asked
        return bool(super().eventFilter(watched, event))


def let_scroll(panel: QWidget) -> QWidget:
    """Let what is laid out in a panel scroll; the panel would else make the whole window higher than the screen.

    Returns the widget that has the layout now.
    """
    inside = QWidget()
    inside.setLayout(panel.layout())  # moves the widgets along
    area = _ScrollArea()
    area.setWidget(inside)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    around = QVBoxLayout(panel)
    around.setContentsMargins(0, 0, 0, 0)
    around.addWidget(area)
    return inside
