"""The user's own defaults, from napari's Preferences where it has them (napari 0.9)."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import napari.settings

from ...restoration.devices import available_devices

PLUGIN = "napari-deep-image-prior"
DEFAULT_LIMIT = 200 * 10**6
"""Memory for looking back at a fit, in bytes."""


@dataclass(frozen=True)
class Preferences:
    """What a widget starts with, and how a run shows itself."""

    device: str = "auto"
    """One that is there, or auto."""
    threads: int = max(1, (os.cpu_count() or 2) - 1)  # the window needs a core of its own
    """CPU threads of a fit."""
    preview_seconds: float = 1 / 3
    """Time between two pictures of a running fit."""
    snapshot_megabytes: int = DEFAULT_LIMIT // 10**6
    """Memory for looking back at a fit."""
    complaint: str = ""
    """One line on what is wrong with the preferences, empty if nothing is."""


def preferences() -> Preferences:
    """Return the defaults as they are set now; what cannot be used is left out, and told in `complaint`."""
    default = Preferences()
    if not hasattr(napari.settings, "get_plugin_settings"):  # napari before 0.9
        return default
    try:
        stored = napari.settings.get_plugin_settings(PLUGIN).restoring
    except Exception as error:  # noqa: BLE001  (whatever a broken file, of any plugin, makes napari raise)
        told = " ".join(str(error).split())[:100] or type(error).__name__
        return replace(
            default,
            complaint=f"the preferences cannot be read ({told}): the usual defaults are taken.",
        )
    chosen = Preferences(
        threads=min(stored.threads, os.cpu_count() or 1) or default.threads,
        preview_seconds=1 / stored.preview_rate,
        snapshot_megabytes=stored.snapshot_megabytes,
    )
    device = next((name for name in available_devices() if name.startswith(stored.device)), None)
    if stored.device != "auto" and device is None:
        return replace(
            chosen,
            complaint=f"the device '{stored.device}' of the preferences is not here: auto is taken.",
        )
    return replace(chosen, device=device or "auto")
