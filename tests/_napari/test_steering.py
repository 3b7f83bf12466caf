"""Buttons, layers and choices in random order."""

import gc
import random
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from magicgui.widgets import ComboBox, Container
from napari.layers import Image, Labels
from napari.utils.notifications import NotificationSeverity, notification_manager
from psygnal import Signal
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_deep_image_prior._napari.actions.before_after import SHORTCUT
from napari_deep_image_prior._napari.jobs.queue import queue_of
from napari_deep_image_prior._napari.jobs.uncertainty import active_uncertainty
from napari_deep_image_prior._napari.panels.controls import connect_until_destroyed, on_destroyed
from tests._napari.conftest import PLUGIN
from tests.conftest import QUICK, use_settings

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.usefixtures("_no_leftovers")]
NAMES = ("Denoise", "Inpaint", "Super-resolve", "Results")
STEERING = (
    *("run", "queue", "pause", "stop", "cancel", "keep", "run_on", "run_on", "gif", "estimate"),
    "more_toggle",
)
TRYING = (*("add_trial", "add_trial", "beside", "beside", "apply", "discard"), "trying_toggle")
MASKING = ("new_mask", "marking_toggle", "mark")
LOOKING = (
    "run_again",
    "copy",
    "save",
    "open",
    "compare",
    "residual",
    "measure",
    "uncertainty",
    "fit_brightness",
)
STEPS = 200


class User:
    """A user who does anything at any time."""

    def __init__(self, viewer: Any, seed: int, folder: Path) -> None:
        self.viewer, self.folder = viewer, folder
        self.chance = random.Random(seed)  # noqa: S311  (no secret)
        self.docks: dict[str, tuple[Any, Any]] = {}
        self.done: list[str] = []
        picture = np.add.outer(np.arange(24.0), 5 * np.sin(np.arange(28) / 4)) + 100
        stack = np.stack([picture, picture[::-1]])
        colors = np.stack([picture, picture[::-1], 255 - picture], axis=-1).astype(np.uint8)
        self._sources: dict[str, tuple[Any, dict[str, Any]]] = {
            "image": (picture, {}),
            "stack": (stack, {}),
            "channels": (stack, {"axis_labels": ("c", "y", "x"), "scale": (1, 0.5, 0.5)}),
            "colors": (colors, {"rgb": True}),
        }
        self._acts: list[Callable[[], str]] = [
            *[self._press] * 12,
            *[self._choose] * 3,
            *[
                self._open,
                self._close,
                self._scrub,
                self._paint,
                self._move_plane,
                self._reorder,
                self._limit,
            ],
            *[
                self._delete,
                self._add,
                self._change_theme,
                self._press_key,
                self._blink_eye,
                self._turn,
            ],
        ]
        for act in (*[self._add] * 6, *[self._open] * 4):
            act()

    def act(self) -> str:
        """Do something, and return a description of it."""
        self.done.append(self.chance.choice(self._acts)())
        return self.done[-1]

    def end(self) -> None:
        """Cancel all, delete all layers and close all widgets."""
        while queue_of(self.viewer).jobs:
            queue_of(self.viewer).jobs[-1].cancel()
        if (job := active_uncertainty(self.viewer)) is not None:
            job.cancel()
        for name in list(self.docks):
            self._remove(name)
        self.viewer.layers.clear()

    def _widget(self) -> tuple[str, Any]:
        if not self.docks:
            self._open()
        name = self.chance.choice(list(self.docks))
        return name, self.docks[name][1]

    def _press(self) -> str:
        name, widget = self._widget()
        kinds = {"Results": LOOKING, "Inpaint": STEERING + TRYING + MASKING}
        button = self.chance.choice(kinds.get(name, STEERING + TRYING))
        getattr(widget, button).native.click()  # does nothing where it is grayed out
        return f"press {button} of {name}"

    def _choose(self) -> str:
        name, widget = self._widget()
        combo = self.chance.choice(_combos(widget))
        if combo.choices:
            combo.value = self.chance.choice(combo.choices)
        return f"choose {combo.name} of {name}: {combo.value}"

    def _scrub(self) -> str:
        name, widget = self._widget()
        if name != "Results" and widget.history.enabled:
            widget.history.value = self.chance.randint(0, widget.history.max)
        return f"scrub in {name}"

    def _limit(self) -> str:
        name, widget = self._widget()
        if name != "Results":
            widget.snapshot_memory.value = self.chance.choice([0, 200])
        return f"limit the memory of {name}"

    def _turn(self) -> str:
        name, widget = self._widget()
        numbers = {
            "Denoise": ("strength", (0.25, 1, 1.4)),
            "Super-resolve": ("factor", (2, 3)),
            "Results": ("seeds", (2,)),
        }
        if name in numbers:
            member, values = numbers[name]
            getattr(widget, member).value = self.chance.choice(values)
        return f"turn a number of {name}"

    def _open(self) -> str:
        closed = [name for name in NAMES if name not in self.docks]
        if not closed:
            return "all is open"
        name = self.chance.choice(closed)
        self.docks[name] = self.viewer.window.add_plugin_dock_widget(PLUGIN, name)
        return f"open {name}"

    def _close(self) -> str:
        if not self.docks:
            return "all is closed"
        return self._remove(self.chance.choice(list(self.docks)))

    def _remove(self, name: str) -> str:
        dock, _ = self.docks.pop(name)
        self.viewer.window.remove_dock_widget(dock)
        return f"close {name}"

    def _add(self) -> str:
        lacking = [
            name for name in (*self._sources, "holes", "part") if name not in self.viewer.layers
        ]
        if not lacking:
            return "all is there"
        name = self.chance.choice(lacking)
        if name == "holes":
            holes = np.random.default_rng(1).random((24, 28)) < 0.2
            self.viewer.add_labels(holes.astype(int), name="holes")
        elif name == "part":
            self.viewer.add_shapes([[[2, 3], [2, 22], [20, 22], [20, 3]]], name="part")
        else:
            pixels, options = self._sources[name]
            self.viewer.add_image(pixels, name=name, **options)
        return f"add {name}"

    def _delete(self) -> str:
        if not len(self.viewer.layers):
            return "nothing to delete"
        layer = self.chance.choice(list(self.viewer.layers))
        self.viewer.layers.remove(layer)
        return f"delete {layer.name}"

    def _paint(self) -> str:
        masks = [layer for layer in self.viewer.layers if isinstance(layer, Labels)]
        for mask in masks:
            place = tuple(np.array([self.chance.randrange(size)]) for size in mask.data.shape)
            with suppress(IndexError):  # napari's own error: a hidden mask has an outdated view
                mask.data_setitem(place, self.chance.choice([0, 1, 1]))
        return f"paint on {len(masks)}"

    def _move_plane(self) -> str:
        if self.viewer.dims.ndim > 2:
            self.viewer.dims.set_current_step(0, self.chance.choice([0, 1]))
        return "move the slider"

    def _reorder(self) -> str:
        if queue_of(self.viewer).jobs:
            queue_of(self.viewer).move(
                self.chance.choice(queue_of(self.viewer).jobs), self.chance.choice([-1, 1])
            )
        _, widget = self._widget()
        if (listed := getattr(widget, "_queue", None)) is not None and listed.list.count():
            listed.list.setCurrentRow(self.chance.randrange(listed.list.count()))
            self.chance.choice([listed.up, listed.down, listed.remove]).click()
        return "reorder"

    def _change_theme(self) -> str:
        self.viewer.theme = "light" if self.viewer.theme == "dark" else "dark"
        return self.viewer.theme

    def _press_key(self) -> str:
        command = self.chance.choice(["quick_denoise", "stop", "compare", "H"])
        if self.viewer.layers:
            self.viewer.layers.selection.active = self.chance.choice(list(self.viewer.layers))
        if command == "H":
            self.viewer.window._qt_window._qt_viewer._key_map_handler.press_key(SHORTCUT)
            return command
        from napari_deep_image_prior._napari import commands

        {
            "quick_denoise": self._quick,
            "stop": commands.stop,
            "compare": commands.toggle_before_after,
        }[command](self.viewer)
        return command

    def _quick(self, viewer: Any) -> None:
        from napari_deep_image_prior._napari.commands import quick_denoise

        if "Denoise" in self.docks:  # otherwise it opens a panel unknown to this user
            quick_denoise(viewer)

    def _blink_eye(self) -> str:
        images = [layer for layer in self.viewer.layers if isinstance(layer, Image)]
        for layer in images[:1]:
            layer.visible = not layer.visible
        return "eye"

    def answer(self, *_asked: Any) -> tuple[str, str]:
        """Answer a file dialog with nothing or with a file."""
        return self.chance.choice(
            ["", str(self.folder / "a.dip.ome.tif"), str(self.folder / "b.gif")]
        ), ""


def _combos(container: Any) -> list[ComboBox]:
    found = []
    for widget in container:
        if isinstance(widget, ComboBox):
            found.append(widget)
        elif isinstance(widget, Container):
            found += _combos(widget)
    return found


def _networks() -> int:
    gc.collect()
    return sum(isinstance(thing, torch.nn.Module) for thing in gc.get_objects())


@pytest.fixture
def all_presets_quick(monkeypatch: pytest.MonkeyPatch, quick_presets: None) -> None:
    for kind, quick in QUICK.items():
        use_settings(monkeypatch, kind, quick, "best")


@pytest.mark.usefixtures("all_presets_quick", "plugins")
@pytest.mark.parametrize("seed", [0, 3])
def test_two_hundred_random_actions_leave_nothing_behind(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    notification_manager.records.clear()
    before = _networks()
    viewer = make_napari_viewer()
    user = User(viewer, seed, tmp_path)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", user.answer)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", user.answer)
    for _ in range(STEPS):
        user.act()
        qtbot.wait(user.chance.choice([0, 0, 5, 100]))
        assert sum(run.state != "waiting" for run in queue_of(viewer).jobs) <= 1, user.done
        assert len(queue_of(viewer).at_work) <= 1, "one fit at a time"
    user.end()
    qtbot.waitUntil(
        lambda: (
            not queue_of(viewer).at_work and QThreadPool.globalInstance().activeThreadCount() == 0
        ),
        timeout=30000,
    )
    errors = [
        record
        for record in notification_manager.records
        if record.severity >= NotificationSeverity.ERROR
    ]
    assert not errors, (errors, user.done)
    qtbot.waitUntil(lambda: _networks() <= before, timeout=30000)


def test_python_may_collect_a_closed_widget_before_qt_does(qtbot: Any) -> None:
    ear = Ear()

    def open_and_drop() -> None:
        window = QWidget()
        panel = QWidget(window)
        window.itself, panel.itself = window, panel  # only the garbage collector removes them
        connect_until_destroyed(panel, ear.heard, ear.hear)
        on_destroyed(panel, ear.leave)

    open_and_drop()
    assert len(ear.heard) == 1
    gc.collect()
    assert len(ear.heard) == 0, "the remains of a widget must not be called"
    assert ear.has_left


class Ear:
    """Something connected to a signal."""

    heard = Signal()
    has_left = False

    def hear(self) -> None: ...

    def leave(self) -> None:
        self.has_left = True
