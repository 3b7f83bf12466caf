"""Before and after by a key, and the commands of the palette, on a real viewer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QFileDialog

from napari_deep_image_prior import restore_layer
from napari_deep_image_prior._napari.actions.before_after import SHORTCUT, compare
from napari_deep_image_prior._napari.jobs.current import active_run
from napari_deep_image_prior._napari.jobs.queue import queue_of
from tests._napari.conftest import open_panel

pytestmark = [pytest.mark.usefixtures("_no_leftovers", "quick_presets")]


def _press_key(viewer: Any) -> None:
    assert viewer.window._qt_window._qt_viewer._key_map_handler.press_key(SHORTCUT)


def _command(name: str) -> None:
    get_app_model().commands.execute_command(f"napari-deep-image-prior.{name}").result()


def _last_notification() -> str:
    return notification_manager.records[-1].message


def _visible(viewer: Any) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


@pytest.mark.parametrize("panel", ["Results", "Denoise"])
def test_the_key_shows_the_source_and_then_the_result_again(
    viewer: Any, picture: np.ndarray, panel: str
) -> None:
    open_panel(viewer, panel)
    source = viewer.add_image(picture, name="cells")
    restore_layer(viewer, source, block=True)
    viewer.add_labels(np.zeros((9, 9), dtype=int), name="mask")
    viewer.add_image(picture, name="map")
    viewer.add_image(picture, name="off", visible=False)
    _press_key(viewer)
    assert _visible(viewer) == ["cells", "mask"]
    assert "'cells' is shown" in viewer.status
    _press_key(viewer)
    assert _visible(viewer) == ["cells", "cells denoised", "mask"], "the map would cover the result"
    source.visible = False
    _press_key(viewer)
    assert _visible(viewer) == ["cells", "mask"]
    _press_key(viewer)
    assert _visible(viewer) == ["cells denoised", "mask"], "the source was not visible"


def test_a_source_above_its_result_is_compared_too(viewer: Any, picture: np.ndarray) -> None:
    restore_layer(viewer, viewer.add_image(picture, name="cells"), block=True)
    viewer.layers.move(0, 2)
    compare(viewer)
    assert _visible(viewer) == ["cells denoised", "cells"]
    compare(viewer)
    assert _visible(viewer) == ["cells denoised"]


def test_layers_deleted_during_a_comparison_do_no_harm(viewer: Any, picture: np.ndarray) -> None:
    open_panel(viewer, "Results")
    source = viewer.add_image(picture, name="cells")
    result = restore_layer(viewer, source, block=True).layer
    _press_key(viewer)
    viewer.layers.remove(source)
    _press_key(viewer)
    assert _visible(viewer) == ["cells denoised"]
    _press_key(viewer)
    assert "'cells' is not in the viewer" in _last_notification()
    viewer.layers.remove(result)
    _press_key(viewer)
    assert "no finished result" in _last_notification()
    with pytest.raises(ValueError, match="is not in the viewer"):
        compare(viewer, result)


def test_the_result_of_the_active_layer_is_compared(viewer: Any, picture: np.ndarray) -> None:
    first = viewer.add_image(picture, name="first")
    second = viewer.add_image(picture, name="second")
    for source in (first, second):
        restore_layer(viewer, source, block=True)
    viewer.layers.selection.active = first
    assert "'first'" in compare(viewer)
    compare(viewer)
    viewer.layers.selection.active = viewer.layers["second denoised"]
    assert "'second'" in compare(viewer)


def test_the_palette_denoises_the_active_layer_and_compares(
    viewer: Any, picture: np.ndarray
) -> None:
    _command("quick_denoise")
    assert "Select an image layer" in _last_notification()
    viewer.add_image(picture, name="other")
    cells = viewer.add_image(picture, name="cells")
    viewer.add_labels(np.zeros((9, 9), dtype=int))
    _command("quick_denoise")
    assert active_run(viewer) is None
    viewer.layers.selection.active = cells
    _command("quick_denoise")
    run = active_run(viewer)
    _command("quick_denoise")
    assert "'cells denoised' is still being restored" in _last_notification()
    viewer.layers.selection.active = cells
    _command("quick_denoise")
    waiting = queue_of(viewer).jobs[1:]
    assert [each.layer.name for each in waiting] == ["cells denoised"], "it waits in the queue"
    waiting[0].cancel()
    run.wait(timeout=60)
    assert run.layer.name == "cells denoised"
    _command("compare")
    assert not run.layer.visible
    _press_key(viewer)
    assert run.layer.visible, "the command has bound the key"


@pytest.mark.usefixtures("endless_presets")
def test_the_palette_stops_a_run_and_keeps_its_result(
    viewer: Any, picture: np.ndarray, qtbot: Any
) -> None:
    _command("stop")
    assert "No restoration is running" in _last_notification()
    run = restore_layer(viewer, viewer.add_image(picture), task="super-resolve", factor=2)
    qtbot.waitUntil(lambda: run.step is not None, timeout=30000)
    _command("stop")
    assert run.wait(timeout=30).stop_reason.startswith("stopped by the user")


def test_the_palette_saves_and_opens_a_result(
    viewer: Any, picture: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = str(tmp_path / "saved.dip.ome.tif")
    for ask in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, ask, lambda *_: (chosen, ""))
    _command("write")
    panel = open_panel(viewer, "Results")
    assert "layer" in panel.status.value  # the panel reports that there is nothing to save
    source = viewer.add_image(picture)
    run = restore_layer(viewer, source, block=True)
    restored = np.array(run.layer.data)
    viewer.layers.selection.active = run.layer
    _command("write")
    assert "Saved as" in panel.status.value
    viewer.layers.clear()
    _command("read")
    np.testing.assert_array_equal(viewer.layers[0].data, restored)
    Path(chosen).write_bytes(b"broken")
    _command("read")
    assert "cannot be read" in panel.status.value
    assert len(viewer.layers) == 1
