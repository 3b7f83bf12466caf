"""The page of the documentation on a panel, in a window of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, QUrl
from qtpy.QtGui import QImage, QPalette, QTextDocument
from qtpy.QtWidgets import QLabel, QTextBrowser

from ..viewer.messages import sentence

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

INSTALLED = Path(__file__).parents[2] / "help"
"""The documentation in an installed package: `pyproject.toml` puts it there."""
SOURCES = Path(__file__).parents[4] / "docs"
"""The documentation in a development install."""
SIZE, MARGIN = (760, 640), 90


def page_path(page: str) -> Path:
    """Return the file of a page of the tutorials, such as "denoise"."""
    folder = next((each for each in (INSTALLED, SOURCES) if each.is_dir()), INSTALLED)
    return folder / "tutorials" / f"{page}.md"


def help_link(panel: QWidget, page: str, report: Callable[[object], object]) -> QLabel:
    """Return a link that opens a page of the tutorials; no network is needed."""
    link = _Link(page, "Help: what this panel does and how to use it")
    link.setToolTip("Open the page of the documentation on this panel.")
    link.linkActivated.connect(lambda name: open_page(panel, name, report))
    return link


class _Link(QLabel):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """A link in the color of the text: Qt's dark blue is illegible on napari's dark theme."""

    def __init__(self, target: str, text: str) -> None:
        super().__init__()
        self._target, self._text = target, text
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self._color_text()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  (Qt's name)
        """Follow napari's theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._color_text()

    def _color_text(self) -> None:
        color = self.palette().color(QPalette.ColorRole.WindowText).name()
        self.setText(f'<a href="{self._target}" style="color: {color}">{self._text}</a>')


class _Page(QTextBrowser):  # type: ignore[misc]  # Any to mypy, as qtpy is skipped
    """A page whose images are no wider than its text."""

    def loadResource(self, kind: int, url: QUrl) -> Any:  # noqa: ANN401, N802  (Qt's)
        """Load a page or an image."""
        if kind == QTextDocument.ResourceType.ImageResource:
            image = QImage(self.source().resolved(url).toLocalFile())
            return image.scaledToWidth(
                min(image.width(), SIZE[0] - MARGIN), Qt.TransformationMode.SmoothTransformation
            )
        return super().loadResource(kind, url)


def open_page(
    panel: QWidget, page: str, report: Callable[[object], object] = lambda _message: None
) -> QTextBrowser | None:
    """Open a page in a window above the panel's; None if the documentation is not installed."""
    path = page_path(page)
    if not path.is_file():
        report(sentence(f"the documentation is not installed: {path} does not exist."))
        return None
    browser = _Page(panel)
    browser.setWindowFlag(Qt.WindowType.Window)
    browser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    browser.setOpenExternalLinks(True)
    browser.setSource(QUrl.fromLocalFile(str(path)))
    browser.setWindowTitle(browser.documentTitle() or page.capitalize())
    browser.resize(*SIZE)
    browser.show()
    return browser
