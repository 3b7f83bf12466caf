"""The user's defaults, from napari's Preferences (napari 0.9 and later)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import napari.settings

from ...restoration.devices import available_devices
from ...restoration.threads import spare_one, usable_cores
from .loading import is_loaded

PLUGIN = "napari-deep-image-prior"
DEFAULT_LIMIT = 200 * 10**6
"""Memory for the snapshots of a fit, in bytes."""


@dataclass(frozen=True)
class Preferences:
    """The initial state of a panel, and the preview rate and threads of a run."""

    device: str = "auto"
    """An available device, or auto."""
    threads: int = field(default_factory=spare_one)  # one core is left to the window
    """CPU threads of a fit."""
    preview_seconds: float = 1 / 3
    """Shortest time between two previews of a running fit."""
    snapshot_megabytes: int = DEFAULT_LIMIT // 10**6
    """Memory for the snapshots of a fit."""
    problem: str = ""
    """One line on preferences that could not be used; empty if all could be."""


def preferences() -> Preferences:
    """Return the current preferences; those that cannot be used are reported in `problem`.

    Until torch is loaded, the device is auto or cpu.
    """
    default = Preferences()
    if not hasattr(napari.settings, "get_plugin_settings"):  # napari before 0.9
        return default
    try:
        stored = napari.settings.get_plugin_settings(PLUGIN).restoring
    except Exception as error:  # noqa: BLE001  (any error from a broken settings file)
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        return replace(
            default, problem=f"preferences could not be read ({reason}); using defaults."
        )
    chosen = Preferences(
        threads=min(stored.threads, usable_cores()) or default.threads,
        preview_seconds=1 / stored.preview_rate,
        snapshot_megabytes=stored.snapshot_megabytes,
    )
    if stored.device in ("auto", "cpu") or not is_loaded():
        return replace(chosen, device="cpu" if stored.device == "cpu" else "auto")
    device = next((name for name in available_devices() if name.startswith(stored.device)), None)
    if stored.device != "auto" and device is None:
        return replace(
            chosen, problem=f"preferred device '{stored.device}' is not available; using auto."
        )
    return replace(chosen, device=device or "auto")
