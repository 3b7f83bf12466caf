"""The labels of a panel, equally wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QHBoxLayout, QLabel

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


class LabelColumn(QObject):  # type: ignore[misc]  # qtpy is not followed
    """Gives the labels before a panel's widgets the width of the widest, in the font that they are shown in.

    magicgui measures them in another font, before the panel has napari's style.
    """

    def __init__(self, panel: QWidget) -> None:
        super().__init__(panel)
        panel.installEventFilter(self)

    def eventFilter(self, panel: QWidget, event: QEvent) -> bool:  # noqa: N802  (Qt's name)
        """Measure when the panel is shown."""
        if event.type() == QEvent.Type.Show:
            labels = _labels(panel)
            for label in labels:
                label.ensurePolished()
                label.setMinimumWidth(0)
            widest = max((label.sizeHint().width() for label in labels), default=0)
            for label in labels:
                label.setMinimumWidth(widest)
        return False


def _labels(panel: QWidget) -> list[QLabel]:
    """Return what stands first in each row of a panel that begins with a label."""
    layout = panel.layout()
    rows = [layout.itemAt(index).widget() for index in range(layout.count())]
    inside = [row.layout() for row in rows if row is not None]
    first = [
        row.itemAt(0).widget()
        for row in inside
        if isinstance(row, QHBoxLayout) and row.count() == 2
    ]
    return [widget for widget in first if isinstance(widget, QLabel)]
