"""How a restoration was asked for, in a few words that set it apart from others."""

from __future__ import annotations

from typing import Any

WHERE = ("task", "planes", "missing", "channel_axis", "channels")
"""What tells where to restore, not how."""
USUAL = {"device": "auto", "seed": 0, "noise": "auto", "strength": 1, "settings": None}
"""What goes without saying."""
LAST = ("seed", "device", "dtype", "threads")
"""What matters less than the rest."""


def describe_options(asked: dict[str, Any], *, one_by_one: bool = False) -> str:
    """Say which arguments of `restore_layer` are not the usual ones; the preset always.

    Examples
    --------
    >>> describe_options({"preset": "best", "seed": 3, "strength": 0.5, "planes": "all"})
    'best, strength 0.5, seed 3'
    """
    settings = asked.get("settings")
    factor = asked.get("factor")
    told = [asked.get("preset", "fast") if settings is None else type(settings).__name__]
    told += ["channels one by one"] if one_by_one else []
    told += [] if factor is None else [f"{factor}x"]
    others = [name for name in asked if name not in (*WHERE, "preset", "settings", "factor")]
    others.sort(key=lambda name: name in LAST)
    return ", ".join(
        told + [f"{name} {asked[name]}" for name in others if asked[name] != USUAL.get(name)]
    )
