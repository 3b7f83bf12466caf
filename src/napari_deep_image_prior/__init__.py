"""Restore one image with an untrained network (Deep Image Prior).

Importing this package loads neither napari, Qt nor torch: every public name is
fetched from its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._napari.run import restore_layer
    from .restoration import Restoration, RestorationError, Steps, iter_restore, restore
    from .settings import NetworkSettings, Settings, preset_settings, published_settings
    from .tasks import Denoise, Inpaint, SuperResolve

_HOME = {
    "Denoise": "tasks",
    "Inpaint": "tasks",
    "NetworkSettings": "settings",
    "Restoration": "restoration",
    "RestorationError": "restoration",
    "Settings": "settings",
    "Steps": "restoration",
    "SuperResolve": "tasks",
    "iter_restore": "restoration",
    "preset_settings": "settings",
    "published_settings": "settings",
    "restore": "restoration",
    "restore_layer": "_napari.run",
}

__all__ = [
    "Denoise",
    "Inpaint",
    "NetworkSettings",
    "Restoration",
    "RestorationError",
    "Settings",
    "Steps",
    "SuperResolve",
    "iter_restore",
    "preset_settings",
    "published_settings",
    "restore",
    "restore_layer",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (a module attribute can be anything)
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-deep-image-prior")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
