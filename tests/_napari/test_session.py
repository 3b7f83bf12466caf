"""Settings that a panel remembers, and its help."""

from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel, QTextBrowser

from napari_deep_image_prior._napari.panels import help as help_module
from tests._napari.conftest import PLUGIN, open_panel

CHANGED = {
    "Denoise": {"noise": "poisson", "strength": 0.5, "preset": "best", "seed": 7, "planes": "all"},
    "Inpaint": {"marked": "above", "mark_value": 12.5, "fit_contrast": False},
    "Super-resolve": {"factor": 3, "snapshot_memory": 50},
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_reopened_panel_has_the_settings_of_the_session(
    make_napari_viewer: Any, plugins: Any, name: str
) -> None:
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((3, 24, 28)))
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    default = {setting: getattr(widget, setting).value for setting in CHANGED[name]}
    for setting, value in CHANGED[name].items():
        getattr(widget, setting).value = value
    viewer.window.remove_dock_widget(dock)
    again = open_panel(viewer, name)
    assert {each: getattr(again, each).value for each in CHANGED[name]} == CHANGED[name]
    other = make_napari_viewer()
    fresh = open_panel(other, name)
    assert {each: getattr(fresh, each).value for each in CHANGED[name]} == default


def test_a_remembered_preset_grays_out_the_strength(viewer: Any) -> None:
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise")
    widget.preset.value = "paper"
    viewer.window.remove_dock_widget(dock)
    assert not open_panel(viewer, "Denoise").strength.enabled


@pytest.mark.parametrize("name", ["Denoise", "Inpaint", "Super-resolve", "Results"])
def test_each_panel_links_to_its_page(viewer: Any, name: str, qtbot: Any) -> None:
    widget = open_panel(viewer, name)
    (link,) = [each for each in widget.native.findChildren(QLabel) if "<a href" in each.text()]
    assert link.isVisibleTo(widget.native)
    link.linkActivated.emit(name.lower())
    (page,) = widget.native.findChildren(QTextBrowser)
    text = page.toPlainText()
    assert "In napari" in text or name == "Results"
    assert len(text) > 1000
    page.close()


def test_the_images_of_a_page_fit_its_window(viewer: Any, qtbot: Any) -> None:
    widget = open_panel(viewer, "Inpaint")
    page = help_module.open_page(widget.native, "inpaint")
    assert page.document().idealWidth() <= help_module.SIZE[0]
    page.close()


def test_a_page_that_is_not_installed_is_reported(
    viewer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(help_module, "INSTALLED", tmp_path)
    widget = open_panel(viewer, "Denoise")
    (link,) = [each for each in widget.native.findChildren(QLabel) if "<a href" in each.text()]
    link.linkActivated.emit("denoise")
    assert widget.status.value.startswith("The documentation is not installed")
