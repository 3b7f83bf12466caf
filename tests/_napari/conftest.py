"""Fixtures and functions for tests on a real viewer."""

from typing import Any

import pytest
import torch  # noqa: F401  (loaded, as after the first run)
from npe2 import PluginManager

PLUGIN = "napari-deep-image-prior"


@pytest.fixture
def plugins() -> PluginManager:
    """The plugin manager with this plugin found through its entry point, as for a user."""
    manager = PluginManager.instance()
    manager.discover()
    return manager


@pytest.fixture
def viewer(make_napari_viewer: Any, plugins: PluginManager) -> Any:
    return make_napari_viewer()


def open_panel(viewer: Any, name: str, *, proxied: bool = True) -> Any:
    """Open a panel as the menu does, or unproxied with the viewer itself."""
    if proxied:
        return viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    (panel,) = [each for each in manifest.contributions.widgets if each.display_name == name]
    widget = panel.get_callable()(viewer)
    viewer.window.add_dock_widget(widget)
    return widget


def press(button: Any) -> None:
    assert button.enabled, f"{button.name} is grayed out"
    button.native.click()
