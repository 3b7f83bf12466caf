"""The list of running and waiting restorations of a viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QLabel, QListWidget, QPushButton, QVBoxLayout, QWidget

from ..jobs.current import runs_of
from ..jobs.queue import queue_of
from ..viewer.proxies import unwrap_proxy
from .controls import connect_until_destroyed

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from ..jobs.run import Run

LINES = 4


class QueueList(QWidget):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """The queue in order, with buttons that move and cancel the selected restoration."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = unwrap_proxy(viewer)
        self.list = QListWidget()
        self.list.setFixedHeight(LINES * self.list.fontMetrics().lineSpacing() + 14)
        self.list.currentRowChanged.connect(self._enable_buttons)
        self.up = QPushButton("Up")
        self.down = QPushButton("Down")
        self.remove = QPushButton("Cancel this")
        self.up.setToolTip("Run the selected restoration earlier.")
        self.down.setToolTip("Run the selected restoration later.")
        self.remove.setToolTip("Cancel the selected restoration.")
        self.up.clicked.connect(self._move_up)
        self.down.clicked.connect(self._move_down)
        self.remove.clicked.connect(self._cancel)
        buttons = QHBoxLayout()
        for each in (self.up, self.down, self.remove):
            buttons.addWidget(each)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Queue:"))
        layout.addWidget(self.list)
        layout.addLayout(buttons)
        connect_until_destroyed(self, queue_of(viewer).changed, self.show_queue)
        self.show_queue()

    def show_queue(self) -> None:
        """List the queue as it is now; hidden while no restoration waits."""
        runs = runs_of(self._viewer)
        selected = self._selected()
        self._runs = runs
        self.list.blockSignals(True)
        self.list.clear()
        self.list.addItems(
            [f"{run.state}: {run.layer.name}{run.summary and f' ({run.summary})'}" for run in runs]
        )
        for row in range(len(runs)):
            self.list.item(row).setToolTip(self.list.item(row).text())  # long ones are elided
        self.list.setCurrentRow(runs.index(selected) if selected in runs else -1)
        self.list.blockSignals(False)
        self.setVisible(len(runs) > 1)
        self._enable_buttons()

    def _selected(self) -> Run | None:
        row = self.list.currentRow()
        return self._runs[row] if 0 <= row < self.list.count() else None

    def _enable_buttons(self) -> None:
        run = self._selected()
        waiting = [each for each in self._runs if each.state == "waiting"]
        self.up.setEnabled(run in waiting and run is not waiting[0])
        self.down.setEnabled(run in waiting and run is not waiting[-1])
        self.remove.setEnabled(run is not None)

    def _move_up(self) -> None:
        self._move(-1)

    def _move_down(self) -> None:
        self._move(1)

    def _move(self, places: int) -> None:
        if (run := self._selected()) is not None:
            queue_of(self._viewer).move(run, places)

    def _cancel(self) -> None:
        if (run := self._selected()) is not None:
            run.cancel()
