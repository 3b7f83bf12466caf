"""Buttons in orders that nobody planned."""

import random
from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior._napari.queue import QUEUE
from napari_deep_image_prior._napari.widgets import DenoiseWidget, InpaintWidget, SuperResolveWidget

pytestmark = [pytest.mark.usefixtures("_no_leftovers")]
BUTTONS = ("run", "run", "queue", "pause", "stop", "cancel", "keep", "run_on", "run_on", "estimate")
TRYING = ("add_trial", "add_trial", "beside", "beside", "apply", "discard")


def _results(viewer: Any) -> list[Any]:
    return [layer for layer in viewer.layers if layer.name not in ("image", "holes")]


def _act(action: str, viewer: Any, widget: Any, chance: random.Random) -> None:
    if action in (*BUTTONS, *TRYING):
        getattr(widget, action).native.click()  # does nothing where it is greyed out
    elif action == "scrub" and widget.history.enabled:
        widget.history.value = chance.randint(0, widget.history.max)
    elif action == "paint":
        viewer.layers["holes"].data_setitem((np.array([chance.randrange(24)]), np.array([chance.randrange(28)])), 1)
    elif action == "delete" and _results(viewer):
        viewer.layers.remove(chance.choice(_results(viewer)))
    elif action == "move" and QUEUE.runs:
        QUEUE.move(chance.choice(QUEUE.runs), chance.choice([-1, 1]))
    elif action == "choose" and widget.trial.choices:
        widget.trial.value = chance.choice(widget.trial.choices)
    elif action == "limit":
        widget.snapshot_memory.value = chance.choice([0, 200])


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("seed", [0, 1])
def test_a_hundred_random_actions_leave_nothing_behind(
    make_napari_viewer: Any, picture: np.ndarray, hole: np.ndarray, qtbot: Any, seed: int
) -> None:
    viewer = make_napari_viewer()
    viewer.add_image(picture, name="image")
    viewer.add_labels(hole.astype(int), name="holes")
    widgets = [make(viewer) for make in (DenoiseWidget, InpaintWidget, SuperResolveWidget)]
    for widget in widgets:
        viewer.window.add_dock_widget(widget)
        widget.image.value = viewer.layers["image"]
    widgets[2].factor.value = 2
    chance = random.Random(seed)  # noqa: S311  (no secret)
    for _ in range(100):
        widget = chance.choice(widgets)
        action = chance.choice(
            [*BUTTONS, *TRYING, "choose", "scrub", "paint", "delete", "move", "limit", "wait", "wait"]
        )
        _act(action, viewer, widget, chance)
        qtbot.wait(chance.choice([0, 5, 200]))
        assert sum(run.state != "waiting" for run in QUEUE.of(viewer)) <= 1
        assert len(QUEUE._at_work) <= 1, "one fit at a time"
    while QUEUE.runs:
        QUEUE.runs[-1].cancel()
    qtbot.waitUntil(lambda: not QUEUE._at_work, timeout=30000)
    for widget in widgets:
        assert widget.run.enabled
        assert not widget.pause.enabled
    widgets[0].run.native.click()
    qtbot.waitUntil(lambda: not QUEUE.runs, timeout=60000)
    assert widgets[0].status.value.startswith("Done")
