"""The panels in a window of an ordinary laptop."""

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QApplication, QLabel, QMainWindow, QScrollArea, QToolTip

from napari_deep_image_prior._napari.panels.fit_curve import end_labels
from napari_deep_image_prior._napari.panels.long_names import shown_text
from tests._napari.conftest import PLUGIN

NAMES = ("Denoise", "Inpaint", "Super-resolve", "Deconvolve", "Results")
CONTROLS = ("run", "pause", "stop", "cancel", "progress", "status")


@pytest.fixture
def window(make_napari_viewer: Any, plugins: Any) -> Any:
    """A viewer with a window of 1366x768 pixels on the screen."""
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros((24, 28)))
    viewer.window.resize(1366, 740)
    return viewer


def _open(viewer: Any, name: str, qtbot: Any) -> tuple[Any, Any]:
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    qtbot.waitUntil(lambda: dock.isVisible() and widget.native.isVisible(), timeout=5000)
    qtbot.wait(50)
    return dock, widget


def test_panels_share_a_tab_in_place_of_the_height(window: Any, qtbot: Any) -> None:
    docks = [_open(window, name, qtbot)[0] for name in NAMES]
    main = docks[0].parent()
    assert isinstance(main, QMainWindow)
    qtbot.waitUntil(lambda: len(main.tabifiedDockWidgets(docks[0])) == len(NAMES) - 1, timeout=5000)
    docks[2].raise_()
    qtbot.waitUntil(lambda: not docks[2].visibleRegion().isEmpty(), timeout=5000)
    assert docks[2].height() > 600


def test_panels_opened_in_one_go_share_a_tab_too(window: Any, qtbot: Any) -> None:
    docks = [window.window.add_plugin_dock_widget(PLUGIN, name)[0] for name in NAMES]
    main = docks[0].parent()
    qtbot.waitUntil(lambda: len(main.tabifiedDockWidgets(docks[0])) == len(NAMES) - 1, timeout=5000)


@pytest.mark.parametrize("panel", ["Denoise", "Results"])
def test_a_long_name_in_a_menu_is_shortened_and_shown_in_full_in_a_tooltip(
    window: Any, qtbot: Any, panel: str
) -> None:
    long = "control sample 3, well B07, position 12, nuclei of 28 November"
    window.layers[0].name = long
    _, widget = _open(window, panel, qtbot)
    menu = widget.image if panel == "Denoise" else widget.truth
    menu.value = window.layers[0]
    combo = menu.native
    assert "…" in shown_text(combo)
    assert shown_text(combo).startswith("control")
    place = QPoint(9, 9)
    QApplication.sendEvent(combo, QHelpEvent(QEvent.Type.ToolTip, place, combo.mapToGlobal(place)))
    assert QToolTip.text().startswith(f"{long}\n")
    painted = combo.grab().toImage()
    combo.setItemText(combo.currentIndex(), shown_text(combo))
    assert combo.grab().toImage() == painted, "what is painted is the shortened name"


def test_a_panel_moved_away_by_the_user_is_no_tab(window: Any, qtbot: Any) -> None:
    first, _ = _open(window, "Denoise", qtbot)
    first.setFloating(True)
    second, _ = _open(window, "Inpaint", qtbot)
    assert second.parent().tabifiedDockWidgets(second) == []
    assert first.isFloating()


@pytest.mark.parametrize("name", NAMES)
def test_buttons_and_progress_stay_in_sight_when_a_panel_is_low(
    window: Any, qtbot: Any, name: str
) -> None:
    dock, widget = _open(window, name, qtbot)
    for toggle in ("more_toggle", "trying_toggle", "marking_toggle"):
        if hasattr(widget, toggle):
            getattr(widget, toggle).native.click()
    dock.setFloating(True)
    dock.resize(400, 300)
    qtbot.waitUntil(lambda: dock.height() == 300, timeout=5000)
    area = widget.native.findChild(QScrollArea)
    for control in CONTROLS if name != "Results" else CONTROLS[4:]:
        native = getattr(widget, control).native
        assert not area.isAncestorOf(native)
        assert not native.visibleRegion().isEmpty(), f"{control} is hidden"
        right = native.mapTo(widget.native, native.rect().topRight()).x()
        assert right < widget.native.width(), f"{control} is cut off"


def test_a_floating_panel_opens_at_a_useful_size(window: Any, qtbot: Any) -> None:
    dock, _ = _open(window, "Denoise", qtbot)
    dock.resize(200, 200)
    dock.setFloating(True)
    qtbot.waitUntil(lambda: dock.height() > 400, timeout=5000)
    assert dock.width() >= 380
    assert dock.height() <= dock.screen().availableSize().height()
    screen = dock.screen().availableGeometry()
    qtbot.waitUntil(lambda: screen.contains(dock.geometry()), timeout=5000)


@pytest.mark.usefixtures("endless_presets", "_no_leftovers")
@pytest.mark.parametrize("planes", [1, 3])
def test_the_curve_is_in_sight_during_a_fit(
    window: Any, picture: Any, qtbot: Any, planes: int
) -> None:
    window.layers.clear()
    window.add_image(picture if planes == 1 else np.stack([picture] * planes))
    _, widget = _open(window, "Denoise", qtbot)
    warning = widget._warning.native
    assert warning.visibleRegion().boundingRect() == warning.rect()
    widget.planes.value = "all"
    widget.run.native.click()
    qtbot.waitUntil(lambda: len(widget._curve._points) > 1, timeout=30000)
    qtbot.waitUntil(lambda: "held-out error" in widget.status.value.lower(), timeout=30000)
    qtbot.wait(50)
    assert widget._curve.visibleRegion().boundingRect() == widget._curve.rect()
    widget.cancel.native.click()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_help_link_has_the_color_of_the_text(window: Any, qtbot: Any, theme: str) -> None:
    _, widget = _open(window, "Denoise", qtbot)
    window.theme = theme
    (link,) = [each for each in widget.native.findChildren(QLabel) if "Help: " in each.text()]
    color = link.palette().color(link.foregroundRole())
    qtbot.waitUntil(lambda: color.name() in link.text(), timeout=5000)
    assert (color.lightness() > 128) == (theme == "dark")


def test_the_ends_of_the_axis_of_the_curve_differ() -> None:
    assert end_labels([0.12, 0.014, 0.05]) == ("0.014", "0.12")
    assert end_labels([1.0004, 0.9991]) == ("0.999", "1")
    assert end_labels([1.0004, 1.0001]) == ("1.0001", "1.0004")
    assert end_labels([0.5, 0.5]) == ("0.5", "0.5")
