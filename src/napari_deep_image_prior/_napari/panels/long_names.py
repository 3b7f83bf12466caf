"""Menus of layers: long names are shortened in the middle, and shown in full in a tooltip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QStyle, QStyleOptionComboBox, QStylePainter, QToolTip

if TYPE_CHECKING:
    from magicgui.widgets import ComboBox
    from qtpy.QtWidgets import QComboBox

MIN_CHARACTERS = 12


def shorten_long_names(choice: ComboBox) -> None:
    """Shorten the long names in a menu, so that they do not widen the panel."""
    combo = choice.native
    combo.setSizeAdjustPolicy(combo.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(MIN_CHARACTERS)
    combo.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
    _Shortening(combo)


def shown_text(combo: QComboBox) -> str:
    """Return the selected text as it is painted: Qt would cut it off without an ellipsis."""
    option = QStyleOptionComboBox()
    combo.initStyleOption(option)
    field = combo.style().subControlRect(
        QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, combo
    )
    metrics, mode = combo.fontMetrics(), Qt.TextElideMode.ElideMiddle
    return str(metrics.elidedText(option.currentText, mode, field.width() - 4))


class _Shortening(QObject):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """Paints the selected name of a menu shortened, and shows full names in tooltips."""

    def __init__(self, combo: QComboBox) -> None:
        super().__init__(combo)
        combo.installEventFilter(self)
        combo.view().viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  (Qt's name)
        """Handle the painting of the menu, and the tooltips of the menu and its list."""
        combo = self.parent()
        if event.type() == QEvent.Type.Paint and watched is combo:
            _paint(combo)
            return True
        if event.type() == QEvent.Type.ToolTip:
            names = combo.currentText() if watched is combo else _name_at(combo, event)
            about = combo.toolTip() if watched is combo else ""
            is_cut = watched is not combo or shown_text(combo) != names
            QToolTip.showText(event.globalPos(), f"{names}\n{about}".strip() if is_cut else about)
            return True
        return False


def _paint(combo: QComboBox) -> None:
    option = QStyleOptionComboBox()
    combo.initStyleOption(option)
    option.currentText = shown_text(combo) or combo.placeholderText()
    painter = QStylePainter(combo)
    painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
    painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


def _name_at(combo: QComboBox, event: QEvent) -> str:
    index = combo.view().indexAt(event.pos())
    return str(index.data()) if index.isValid() else ""
