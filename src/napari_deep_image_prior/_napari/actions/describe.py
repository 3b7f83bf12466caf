"""A summary of the options of a restoration, short enough for a layer name."""

from __future__ import annotations

from typing import Any

from ...methods.registry import method_of

SELECTION = ("task", "planes", "missing", "channel_axis", "channels", "fit_contrast")
"""Options that select what to restore and how it is shown, not how it is restored."""
DEFAULTS = {
    "device": "auto",
    "seed": 0,
    "noise": "auto",
    "strength": 1,
    "outliers": "keep",
    "settings": None,
}
"""Values that are left out."""
MINOR = ("seed", "device", "dtype", "threads")
"""Options that come last."""


def describe_options(arguments: dict[str, Any], *, one_by_one: bool = False) -> str:
    """Return the preset and all arguments of `restore_layer` that are not the default.

    Examples
    --------
    >>> describe_options({"preset": "best", "seed": 3, "strength": 0.5, "planes": "all"})
    'best, strength 0.5, seed 3'
    """
    masks = method_of(arguments.get("task", "denoise")).task.pixelwise
    selection = (*SELECTION, *masks)
    settings = arguments.get("settings")
    factor = arguments.get("factor")
    first = [arguments.get("preset", "fast") if settings is None else type(settings).__name__]
    first += ["channels one by one"] if one_by_one else []
    first += [] if factor is None else [f"{factor}x"]
    others = [
        name for name in arguments if name not in (*selection, "preset", "settings", "factor")
    ]
    others.sort(key=lambda name: name in MINOR)
    return ", ".join(
        first
        + [f"{name} {arguments[name]}" for name in others if arguments[name] != DEFAULTS.get(name)]
    )
