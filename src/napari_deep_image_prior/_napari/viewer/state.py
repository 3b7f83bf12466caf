"""What the plugin keeps for a viewer: one object, gone with the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from .proxies import unwrap_proxy

if TYPE_CHECKING:
    from napari.components import ViewerModel

Part = TypeVar("Part")


class ViewerState:
    """The parts that actions and jobs keep for one viewer, one of each class.

    None of them may hold the viewer, or it would never be freed: they have a weak reference to it, or none.
    """

    def __init__(self) -> None:
        self._parts: dict[type, Any] = {}

    def part(self, kind: type[Part]) -> Part:
        """Return the part of this class; it is made, without arguments, when it is first asked for."""
        if kind not in self._parts:
            self._parts[kind] = kind()
        made: Part = self._parts[kind]
        return made


_states: WeakKeyDictionary[ViewerModel, ViewerState] = WeakKeyDictionary()


def state_of(viewer: ViewerModel) -> ViewerState:
    """Return the state of a viewer, which may come in a proxy."""
    return _states.setdefault(unwrap_proxy(viewer), ViewerState())


def all_states() -> list[ViewerState]:
    """Return the states of all viewers that are alive."""
    return list(_states.values())
