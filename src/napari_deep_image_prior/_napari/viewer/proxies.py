"""What napari hands to plugins: the viewer in a proxy that shows its public side only."""

from __future__ import annotations

from typing import Any


def unwrap_proxy(thing: Any) -> Any:  # noqa: ANN401  (viewers, layers and arrays)
    """Return the object inside napari's PublicOnlyProxy, which is never identical to it."""
    return getattr(thing, "__wrapped__", thing)
