"""Restore one image with an untrained network (Deep Image Prior).

Importing this package loads neither napari, Qt nor torch: every public name is
fetched from its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._napari.scripting import restore_layer
    from .animation import write_animation
    from .quality import Quality, measure_quality, residual
    from .repetition import repeat
    from .restoration import Restoration, RestorationError, Step, Steps, iter_restore, restore
    from .seeds import SeedStep, Uncertainty, iter_uncertainty, uncertainty
    from .settings import (
        CrossScaleFit,
        GuidedFit,
        LeanSettings,
        MaskedFit,
        NetworkSettings,
        PriorFit,
        Settings,
        preset_settings,
        published_settings,
        settings_from_dict,
        settings_to_dict,
    )
    from .tasks import Denoise, Inpaint, SuperResolve

_HOME = {
    "CrossScaleFit": "settings",
    "Denoise": "tasks",
    "GuidedFit": "settings",
    "Inpaint": "tasks",
    "LeanSettings": "settings",
    "MaskedFit": "settings",
    "NetworkSettings": "settings",
    "PriorFit": "settings",
    "Quality": "quality",
    "Restoration": "restoration",
    "RestorationError": "restoration",
    "SeedStep": "seeds",
    "Settings": "settings",
    "Step": "restoration",
    "Steps": "restoration",
    "SuperResolve": "tasks",
    "Uncertainty": "seeds",
    "iter_restore": "restoration",
    "iter_uncertainty": "seeds",
    "measure_quality": "quality",
    "preset_settings": "settings",
    "published_settings": "settings",
    "repeat": "repetition",
    "residual": "quality",
    "restore": "restoration",
    "restore_layer": "_napari.scripting",
    "settings_from_dict": "settings",
    "settings_to_dict": "settings",
    "uncertainty": "seeds",
    "write_animation": "animation",
}

__all__ = [
    "CrossScaleFit",
    "Denoise",
    "GuidedFit",
    "Inpaint",
    "LeanSettings",
    "MaskedFit",
    "NetworkSettings",
    "PriorFit",
    "Quality",
    "Restoration",
    "RestorationError",
    "SeedStep",
    "Settings",
    "Step",
    "Steps",
    "SuperResolve",
    "Uncertainty",
    "iter_restore",
    "iter_uncertainty",
    "measure_quality",
    "preset_settings",
    "published_settings",
    "repeat",
    "residual",
    "restore",
    "restore_layer",
    "settings_from_dict",
    "settings_to_dict",
    "uncertainty",
    "write_animation",
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
