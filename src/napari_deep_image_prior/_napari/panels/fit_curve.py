"""A small plot of the misfit, painted by Qt: no plotting library is needed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QPainter, QPainterPath, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPaintEvent

MARGIN = 6
POINTS = 60
"""Largest number of points of the curve; each is a mean over steps, as single steps are noisy."""


class FitCurve(QWidget):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """The misfit of each step on a logarithmic axis, with the latest step on the right."""

    def __init__(self) -> None:
        super().__init__()
        self._misfits: Sequence[float] = ()
        self.setFixedHeight(70)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Misfit at each step, on a logarithmic scale. It decreases as the image is fitted."
        )

    def show_misfits(self, misfits: Sequence[float]) -> None:
        """Draw these values."""
        self._misfits = misfits
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  (Qt's name)
        """Paint the frame and the curve."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        faint = self.palette().color(QPalette.ColorRole.WindowText)
        faint.setAlpha(60)
        painter.setPen(QPen(faint, 1))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        values = _smoothed(
            [math.log10(misfit) for misfit in self._misfits if misfit > 0 and math.isfinite(misfit)]
        )
        if len(values) < 2:
            painter.setPen(QPen(ink, 1))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "The misfit is plotted here"
            )
            return
        painter.setPen(QPen(ink, 1.5))
        painter.drawPath(self._path(values))

    def _path(self, values: list[float]) -> QPainterPath:
        low, high = min(values), max(values)
        width, height = self.width() - 2 * MARGIN, self.height() - 2 * MARGIN
        path = QPainterPath()
        for index, value in enumerate(values):
            x = MARGIN + width * index / (len(values) - 1)
            y = MARGIN + height * (high - value) / ((high - low) or 1)
            if index == 0:
                path.moveTo(QPointF(x, y))
            else:
                path.lineTo(QPointF(x, y))
        return path


def _smoothed(values: list[float]) -> list[float]:
    stride = max(1, len(values) // POINTS)
    return [
        sum(values[i : i + stride]) / stride for i in range(0, len(values) - stride + 1, stride)
    ]
