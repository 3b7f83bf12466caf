"""The proxies with only public attributes in which napari passes objects to plugins."""

from __future__ import annotations

from typing import Any


def unwrap_proxy(proxied: Any) -> Any:  # noqa: ANN401  (viewers, layers and arrays)
    """Return the object inside napari's PublicOnlyProxy, which is never identical to it."""
    return getattr(proxied, "__wrapped__", proxied)
