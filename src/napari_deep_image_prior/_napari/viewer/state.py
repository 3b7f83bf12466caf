"""The state that the plugin keeps for a viewer: one object, freed with the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from .proxies import unwrap_proxy

if TYPE_CHECKING:
    from napari.components import ViewerModel

Part = TypeVar("Part")


class ViewerState:
    """The parts that actions and jobs keep for one viewer, one of each class.

    A part may hold the viewer only by a weak reference: otherwise the viewer is never freed.
    """

    def __init__(self) -> None:
        self._parts: dict[type, Any] = {}

    def part(self, kind: type[Part]) -> Part:
        """Return the part of this class, created without arguments when it is first needed."""
        if kind not in self._parts:
            self._parts[kind] = kind()
        part: Part = self._parts[kind]
        return part


_states: WeakKeyDictionary[ViewerModel, ViewerState] = WeakKeyDictionary()


def state_of(viewer: ViewerModel) -> ViewerState:
    """Return the state of a viewer or of its proxy."""
    return _states.setdefault(unwrap_proxy(viewer), ViewerState())


def all_states() -> list[ViewerState]:
    """Return the states of all existing viewers."""
    return list(_states.values())
