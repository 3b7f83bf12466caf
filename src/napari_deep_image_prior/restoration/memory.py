"""Memory of the computer: images that cannot fit are refused before anything is allocated."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..fitting.settings import SelfSupervisedFit

if TYPE_CHECKING:
    from ..fitting.settings import Settings
    from ..methods.task import Task

BYTES_PER_PIXEL = 24
"""Least memory for each pixel and channel of the result: 20000x20000 take 9 GB before a step."""


def available_memory() -> int | None:
    """Return the memory that can be allocated, in bytes; None if the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration, ValueError):
        return None


def check_memory(task: Task, settings: Settings) -> None:
    """Raise ValueError if an image, or a step of its fit, is certainly too large for this computer.

    The features of the finest scale of a batch are a lower bound of the memory of a step.
    """
    size = task.result_spatial_shape
    image = np.asarray(task.image)
    channels = image.size // max(1, math.prod(task.spatial_shape))
    needed, free = BYTES_PER_PIXEL * math.prod(size) * channels, available_memory()
    if free is not None and needed > free:
        pixels = "x".join(map(str, size))
        raise ValueError(
            f"an image of {pixels} pixels needs at least {needed / 1e9:.0f} GB of memory, "
            f"and {free / 1e9:.0f} GB are free: crop it, or restore one part after another."
        )
    if not isinstance(settings, SelfSupervisedFit):
        return
    edges = (min(settings.crop, edge) // 2 for edge in size[-2:])
    step = 4 * settings.batch * math.prod(edges) * settings.network.widths[0]
    if free is not None and step > free:
        raise ValueError(
            f"a step with batch={settings.batch} and crop={settings.crop} needs at least "
            f"{step / 1e9:.0f} GB of memory, and {free / 1e9:.0f} GB are free: choose smaller "
            "settings."
        )
