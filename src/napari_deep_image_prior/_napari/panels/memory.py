"""The settings of the panels, remembered while a viewer is open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..viewer.state import state_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from magicgui.widgets.bases import ValueWidget
    from napari.components import ViewerModel


class _Settings:
    """The changed settings of a viewer's panels, by panel and name."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, Any]] = {}


def remember(viewer: ViewerModel, panel: str, controls: Iterable[ValueWidget[Any]]) -> None:
    """Set controls as they were when the panel was closed, and record their changes."""
    settings = state_of(viewer).part(_Settings).of.setdefault(panel, {})
    for control in controls:
        if control.name in settings:
            control.value = settings[control.name]
        # not a method of the panel, which could not be freed
        control.changed.connect(partial(settings.__setitem__, control.name))
