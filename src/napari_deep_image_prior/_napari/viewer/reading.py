"""Reading lazy pixels, such as those of dask, while the window is repainted."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QEventLoop, QObject, QThread, QTimer
from qtpy.QtWidgets import QApplication, QMainWindow

from ...arrays import unmasked

if TYPE_CHECKING:
    from numpy.typing import NDArray

POLL_MS = 20
"""Time after which it is asked whether the pixels are read."""


class _ClosingLater(QObject):  # type: ignore[misc]  # qtpy is untyped
    """Lets no window close before the pixels are read: what asked for them would run without it."""

    def __init__(self) -> None:
        super().__init__()
        self.windows: list[Any] = []

    def eventFilter(self, receiver: QObject, event: QEvent) -> bool:  # noqa: N802  (Qt's name)
        """Keep a window open, and remember it."""
        if event.type() == QEvent.Type.Close:
            self.windows.append(receiver)
            event.ignore()
            return True
        return False


def read(pixels: Any) -> NDArray[Any]:  # noqa: ANN401  (whatever napari accepts)
    """Return pixels as an array; lazy ones are read in a thread if this is the main thread.

    Until they are read, the window is repainted but takes no clicks and keys, and does not close:
    these come later. An error of the source is raised here.
    """
    app: Any = QApplication.instance()
    is_lazy = not isinstance(pixels, np.ndarray)
    if not is_lazy or app is None or QThread.currentThread() is not app.thread():
        return unmasked(pixels)
    found: list[NDArray[Any]] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            found.append(unmasked(pixels))
        except BaseException as error:  # noqa: BLE001  (raised in the main thread)
            failed.append(error)

    thread = Thread(target=work, name="reading pixels", daemon=True)
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: thread.is_alive() or loop.quit())
    timer.start(POLL_MS)
    thread.start()
    closing = _ClosingLater()
    windows = [each for each in app.topLevelWidgets() if isinstance(each, QMainWindow)]
    for window in windows:
        window.installEventFilter(closing)
    try:
        while thread.is_alive():
            loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    finally:
        for window in windows:
            window.removeEventFilter(closing)
        timer.stop()
    for window in closing.windows[:1]:
        QTimer.singleShot(0, window.close)
    if failed:
        raise failed[0]
    return found[0]
