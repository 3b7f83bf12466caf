"""The widgets as a user meets them, on a real viewer."""

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_deep_image_prior._napari.widgets import DenoiseWidget, InpaintWidget, SuperResolveWidget

pytestmark = [pytest.mark.usefixtures("_no_leftovers")]
PLUGIN = "napari-deep-image-prior"
MEMBERS = {"image", "preset", "device", "seed", "run", "pause", "stop", "cancel"}


@pytest.fixture
def viewer(make_napari_viewer: Any, npe2pm_: Any) -> Any:
    return make_napari_viewer()


@pytest.fixture
def npe2pm_() -> Any:
    """The plugin manager with this plugin found through its entry point, as for a user."""
    from npe2 import PluginManager

    manager = PluginManager.instance()
    manager.discover()
    return manager


def _press(button: Any) -> None:
    assert button.enabled, f"{button.name} is greyed out"
    button.native.click()


def _wait(qtbot: Any, condition: Any) -> None:
    qtbot.waitUntil(condition, timeout=30000)


@pytest.mark.parametrize(
    ("display_name", "own"), [("Denoise", {"noise"}), ("Inpaint", {"missing"}), ("Super-resolve", {"factor"})]
)
def test_a_widget_opens_from_the_menu_with_its_members(viewer: Any, display_name: str, own: set[str]) -> None:
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, display_name)
    for name in MEMBERS | own:
        assert getattr(widget, name).name == name
        assert widget[name].name == name
    assert widget.preset.choices == ("fast", "best", "paper")
    assert widget.preset.value == "fast"
    with pytest.raises(AttributeError, match="nonsense"):
        widget.nonsense  # noqa: B018


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize(
    ("make", "suffix"),
    [(DenoiseWidget, "denoised"), (InpaintWidget, "inpainted"), (SuperResolveWidget, "super-resolved")],
)
@pytest.mark.parametrize("docked", [True, False], ids=["raw viewer", "proxied viewer"])
def test_a_widget_runs_to_its_end(
    viewer: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any, make: Any, suffix: str, docked: bool
) -> None:
    viewer.add_image(picture, name="cells")
    viewer.add_labels(hole.astype(int), name="holes")
    if docked:
        widget = make(viewer)
        viewer.window.add_dock_widget(widget)
    else:
        names = {DenoiseWidget: "Denoise", InpaintWidget: "Inpaint", SuperResolveWidget: "Super-resolve"}
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, names[make])
    assert not widget.pause.enabled
    _press(widget.run)
    assert f"cells {suffix}" in viewer.layers, "the result layer is there at once"
    assert not widget.run.enabled
    _wait(qtbot, lambda: widget.run.enabled)
    assert widget.status.value.startswith("Done: ")
    assert widget.progress.value == widget.progress.max
    assert not any(button.enabled for button in (widget.pause, widget.stop, widget.cancel))
    assert "deep_image_prior" in viewer.layers[f"cells {suffix}"].metadata


@pytest.mark.usefixtures("endless_presets")
def test_the_buttons_pause_resume_stop_and_start_again(viewer: Any, picture: np.ndarray, qtbot: Any) -> None:
    viewer.add_image(picture, name="cells")
    widget = SuperResolveWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.factor.value = 2
    _press(widget.run)
    _wait(qtbot, lambda: "Step" in widget.status.value and "left" in widget.status.value)
    assert "cpu" in widget.status.value or "cuda" in widget.status.value
    _press(widget.pause)
    assert widget.pause.text == "Resume"
    assert widget.status.value.startswith("Paused")
    _press(widget.pause)
    assert widget.pause.text == "Pause"
    _press(widget.stop)
    _wait(qtbot, lambda: widget.run.enabled)
    assert "stopped by the user" in widget.status.value
    _press(widget.run)
    _press(widget.cancel)
    _wait(qtbot, lambda: widget.run.enabled)
    assert [layer.name for layer in viewer.layers] == ["cells", "cells super-resolved"]


@pytest.mark.usefixtures("endless_presets")
def test_a_reopened_widget_takes_up_the_run(viewer: Any, picture: np.ndarray, qtbot: Any) -> None:
    viewer.add_image(picture)
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise")
    _press(widget.run)
    viewer.window.remove_dock_widget(dock)
    _, again = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise")
    _wait(qtbot, lambda: "Step" in again.status.value)
    _press(again.cancel)
    _wait(qtbot, lambda: again.run.enabled)


@pytest.mark.usefixtures("endless_presets")
def test_another_widget_says_that_a_run_is_on(viewer: Any, picture: np.ndarray) -> None:
    viewer.add_image(picture)
    first, second = DenoiseWidget(viewer), SuperResolveWidget(viewer)
    for widget in (first, second):
        viewer.window.add_dock_widget(widget)
    _press(first.run)
    _press(second.run)
    assert second.status.value.endswith("stop or cancel it first.")
    _press(first.cancel)


def test_run_without_an_image_says_what_to_do(viewer: Any) -> None:
    widget = DenoiseWidget(viewer)
    viewer.window.add_dock_widget(widget)
    _press(widget.run)
    assert widget.status.value == "Choose an image layer first, not nothing."
    assert widget.run.enabled


def test_a_new_mask_fits_its_image_and_is_ready_to_paint(viewer: Any, picture: np.ndarray) -> None:
    image = viewer.add_image(np.stack([picture] * 3), scale=(4, 0.5, 0.5), translate=(1, 2, 3))
    viewer.dims.set_current_step(0, 1)
    widget = InpaintWidget(viewer)
    viewer.window.add_dock_widget(widget)
    _press(widget.new_mask)
    mask = viewer.layers.selection.active
    assert isinstance(mask, Labels)
    assert widget.missing.value is mask
    assert mask.mode == "paint"
    assert mask.data.shape == (1, 24, 28)
    np.testing.assert_allclose(mask.data_to_world((0, 2, 3)), image.data_to_world((1, 2, 3)))
    _press(widget.run)
    assert "paint the pixels" in widget.status.value


@pytest.mark.usefixtures("quick_presets")
def test_what_was_painted_on_the_new_mask_is_filled(viewer: Any, picture: np.ndarray, qtbot: Any) -> None:
    viewer.add_image(np.stack([picture] * 3), scale=(4, 0.5, 0.5))
    viewer.dims.set_current_step(0, 1)
    widget = InpaintWidget(viewer)
    viewer.window.add_dock_widget(widget)
    _press(widget.new_mask)
    widget.missing.value.paint((0, 10, 10), 1)
    _press(widget.run)
    _wait(qtbot, lambda: widget.run.enabled)
    assert widget.status.value.startswith("Done: ")


@pytest.mark.parametrize(("key", "kinds"), [("noisy", [Image]), ("scratched", [Image, Labels]), ("small", [Image])])
def test_samples_open_without_a_network(
    viewer: Any, key: str, kinds: list[type], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    viewer.open_sample(PLUGIN, key)
    assert [type(layer) for layer in viewer.layers] == kinds


def test_the_manifest_offers_the_widgets_where_users_look(npe2pm_: Any) -> None:
    manifest = npe2pm_.get_manifest(PLUGIN)
    assert manifest.display_name == "Deep Image Prior"
    assert [widget.display_name for widget in manifest.contributions.widgets] == [
        "Denoise",
        "Inpaint",
        "Super-resolve",
        "Results",
    ]
    menus = {menu: [item.command for item in items] for menu, items in manifest.contributions.menus.items()}
    assert menus == {
        "napari/layers/filter": [f"{PLUGIN}.denoise", f"{PLUGIN}.inpaint"],
        "napari/layers/transform": [f"{PLUGIN}.super_resolve"],
        "napari/layers/measure": [f"{PLUGIN}.results"],
    }
    for command in manifest.contributions.commands:
        assert npe2pm_.commands.get(command.id) is not None
