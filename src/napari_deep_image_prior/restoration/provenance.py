"""Provenance of a result: a JSON-able dict from which it can be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from ..methods.registry import settings_to_dict
from .devices import device_name

if TYPE_CHECKING:
    import torch

    from ..fitting.settings import Settings
    from ..methods.task import Task
    from .network import FittedNetwork


@dataclass(frozen=True, eq=False)
class RestorationSpec:
    """Everything that a result depends on; the fields are as of `restore`."""

    task: Task
    settings: Settings
    preset: str | None
    """The preset of the settings; None for custom settings."""
    device: torch.device
    seed: int
    dtype: np.dtype[Any]
    threads: int
    """CPU threads."""
    workers: int
    """CPU threads of nonlocal estimates, which do not wait for one another."""
    stop_after: int | None = None
    """Steps after which the fit is stopped; None: not stopped."""
    fitted: FittedNetwork | None = None
    """A network fitted to other images, in place of an own fit."""


def provenance(
    spec: RestorationSpec,
    noise_summary: str,
    history: list[float],
    *,
    reason: str,
    seconds: float,
    stopped_after: int | None,
) -> dict[str, Any]:
    """Return the provenance of a restoration; `noise_summary` was estimated from the image."""
    import torch

    made = {
        "task": spec.task.describe(),
        "preset": spec.preset,
        "settings": settings_to_dict(spec.settings),
        "seed": spec.seed,
        "device": str(spec.device),
        "device_name": device_name(spec.device, spec.threads),
        "threads": spec.threads,
        "dtype": str(spec.dtype),
        "versions": {
            "napari-deep-image-prior": version("napari-deep-image-prior"),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "found": "; ".join(filter(None, [noise_summary, spec.task.detected])),
        "seconds": round(seconds, 2),
        "iterations": len(history),
        "stop_reason": reason,
        "stopped_after": stopped_after,
        "history": [float(f"{misfit:.4g}") for misfit in history],
    }
    return made if spec.fitted is None else made | {"fitted": spec.fitted.sha256}
