"""The user's defaults, from napari's Preferences."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import napari.settings
import numpy as np
import pytest

import napari_deep_image_prior as dip
from napari_deep_image_prior._napari.viewer.preferences import Preferences, preferences
from tests._napari.conftest import open_panel
from tests.conftest import QUICK

pytestmark = [pytest.mark.usefixtures("_no_leftovers")]
HAS_PLUGIN_SETTINGS = hasattr(napari.settings, "get_plugin_settings")  # napari 0.9


def test_without_plugin_settings_the_defaults_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("napari.settings.get_plugin_settings", raising=False)
    assert preferences() == Preferences()


def test_previews_are_no_more_frequent_than_requested(
    picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(
        "napari_deep_image_prior.restoration.consumer.time",
        SimpleNamespace(monotonic=lambda: next(seconds)),
    )
    counts = []
    for apart in (0, 20, 1e6):
        steps = dip.iter_restore(
            dip.SuperResolve(picture, factor=2), settings=QUICK["super-resolve"]
        )
        steps.wants_image = lambda steps=steps, apart=apart: steps.image_is_due(apart)
        counts.append(sum(step.image is not None for step in steps))
    assert counts[0] > counts[1] > counts[2] == 2, "the first and the last"


if HAS_PLUGIN_SETTINGS:

    @pytest.fixture
    def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugins: Any) -> Any:
        """The folder of napari's settings, which are reread for this test."""
        monkeypatch.setattr(napari.settings, "_CFG_PATH", str(tmp_path / "settings.yaml"))
        napari.settings._clear_plugin_settings_cache()
        yield tmp_path
        napari.settings._clear_plugin_settings_cache()

    def _store(folder: Path, text: str) -> None:
        (folder / "napari-deep-image-prior.yaml").write_text(text)

    def test_unchanged_preferences_are_the_defaults(folder: Path) -> None:
        assert preferences() == Preferences()

    @pytest.mark.usefixtures("quick_presets")
    def test_a_widget_opened_afterwards_starts_with_them_and_its_run_follows_them(
        make_napari_viewer: Any, picture: np.ndarray, folder: Path, qtbot: Any
    ) -> None:
        viewer = make_napari_viewer()
        viewer.add_image(picture, name="cells")
        settings = napari.settings.get_plugin_settings("napari-deep-image-prior").restoring
        settings.device, settings.threads, settings.snapshot_megabytes = "cpu", 1, 50
        settings.preview_rate = 20
        widget = open_panel(viewer, "Denoise")
        assert (widget.device.value, widget.snapshot_memory.value) == ("cpu", 50)
        widget.run.native.click()
        assert widget._run.device == "cpu (1 thread)"
        assert widget._run.history.limit == 50 * 10**6
        assert widget._run._preview_seconds == pytest.approx(0.05)
        qtbot.waitUntil(lambda: widget.run.enabled, timeout=30000)
        assert widget._run.result.provenance["threads"] == 1
        settings.threads = 0
        assert (
            dip.restore_layer(
                viewer, viewer.layers["cells"], threads=2, block=True
            ).result.provenance["threads"]
            == 2
        )

    @pytest.mark.parametrize(
        ("stored", "words"),
        [
            (
                "restoring: {device: mps, threads: 1}",
                "Preferred device 'mps' is not available; using auto.",
            ),
            (
                "restoring: {device: abacus, threads: 1}",
                "Open an image to begin.",
            ),  # napari drops and logs it
            ("[no, settings]", "Preferences could not be read"),
        ],
    )
    def test_unusable_preferences_are_reported_in_one_line(
        make_napari_viewer: Any, folder: Path, stored: str, words: str
    ) -> None:
        _store(folder, stored)
        widget = open_panel(make_napari_viewer(), "Super-resolve")
        assert widget.device.value == "auto"
        assert widget.status.value.startswith(words)
        assert "\n" not in widget.status.value
