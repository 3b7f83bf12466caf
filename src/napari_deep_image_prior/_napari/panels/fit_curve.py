"""A small plot of the misfit, painted by Qt: no plotting library is needed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QPainter, QPainterPath, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from ...fitting.settings import SelfSupervisedFit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPaintEvent

    from ..jobs.run import Run

POINTS = 60
"""Largest number of points of the curve; each is a mean over steps, as single steps are noisy."""
HELD_OUT = "held-out error (first estimate = 1)"
MISFIT = "mean squared misfit (full range = 1)"


class FitCurve(QWidget):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """The misfit of each step on a logarithmic axis, with a mark at the step on display."""

    def __init__(self) -> None:
        super().__init__()
        self._points: list[tuple[float, float]] = []
        self.label = ""
        """What is plotted, and its unit; empty without a curve."""
        self.marked: int | None = None
        """The step on display."""
        self.setFixedHeight(6 * self.fontMetrics().lineSpacing())
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Misfit at each step, on a logarithmic scale. It decreases as the image is fitted. "
            "The line marks the step on display."
        )

    def show_run(self, run: Run | None) -> None:
        """Draw the misfits of a run; None clears the plot."""
        misfits = [] if run is None else run.misfits
        if run is not None and run.state == "done" and run.result is not None:
            misfits = list(enumerate(run.result.history, 1))  # not every step is reported
        valid = [(step, misfit) for step, misfit in misfits if 0 < misfit < math.inf]
        self._points, self.label, self.marked = _smoothed(valid), "", None
        if run is not None and len(self._points) > 1:
            self.label = HELD_OUT if isinstance(run.settings, SelfSupervisedFit) else MISFIT
            shown = run.shown
            self.marked = shown.iteration or None if shown is not None else None
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802  (Qt's name)
        """Paint the axes and the curve."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        faint = self.palette().color(QPalette.ColorRole.WindowText)
        faint.setAlpha(60)
        painter.setPen(QPen(faint, 1))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.setPen(QPen(ink, 1))
        if len(self._points) < 2:
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "The misfit is plotted here"
            )
            return
        plot = self._axes(painter)
        painter.setPen(QPen(ink, 1.5))
        painter.drawPath(self._path(plot))
        if self.marked is not None:
            painter.setPen(QPen(ink, 1, Qt.PenStyle.DashLine))
            x = self._x(self.marked, plot)
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def _axes(self, painter: QPainter) -> QRectF:
        """Write the label and the ends of the axes, and return the rectangle of the plot."""
        line = self.fontMetrics().lineSpacing()
        low, high = end_labels([value for _, value in self._points])
        left = max(map(self.fontMetrics().horizontalAdvance, (high, low))) + 10
        plot = QRectF(left, line + 6, self.width() - left - 8, self.height() - 2 * line - 14)
        center, right = Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(0, 3, self.width(), line), center, self.label)
        painter.drawText(QRectF(0, plot.top() - line / 2, left - 5, line), right, high)
        painter.drawText(QRectF(0, plot.bottom() - line / 2, left - 5, line), right, low)
        below = QRectF(plot.left(), plot.bottom() + 4, plot.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"{self._points[0][0]:.0f}")
        painter.drawText(below, center, "step")
        painter.drawText(below, right, f"{self._points[-1][0]:.0f}")
        return plot

    def _x(self, step: float, plot: QRectF) -> float:
        first, last = self._points[0][0], self._points[-1][0]
        share = (step - first) / ((last - first) or 1)
        return float(plot.left() + plot.width() * min(max(share, 0.0), 1.0))

    def _path(self, plot: QRectF) -> QPainterPath:
        logarithms = [math.log10(value) for _, value in self._points]
        low, high = min(logarithms), max(logarithms)
        path = QPainterPath()
        for (step, _), value in zip(self._points, logarithms, strict=True):
            y = plot.top() + plot.height() * (high - value) / ((high - low) or 1)
            point = QPointF(self._x(step, plot), y)
            if path.elementCount():
                path.lineTo(point)
            else:
                path.moveTo(point)
        return path


def end_labels(values: Sequence[float]) -> tuple[str, str]:
    """Return the smallest and the largest value as text, with digits enough to differ."""
    low, high = min(values), max(values)
    labels = [(f"{low:.{digits}g}", f"{high:.{digits}g}") for digits in range(2, 7)]
    return next((each for each in labels if each[0] != each[1]), labels[0])


def _smoothed(misfits: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return means over equally many steps; those of the misfits are geometric."""
    stride = max(1, len(misfits) // POINTS)
    return [
        (
            sum(step for step, _ in part) / stride,
            10 ** (sum(math.log10(value) for _, value in part) / stride),
        )
        for part in (misfits[i : i + stride] for i in range(0, len(misfits) - stride + 1, stride))
    ]
