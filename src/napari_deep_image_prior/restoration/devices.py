"""Devices of a fit: choice, names, threads and reproducibility."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


def choose_device(device: str = "auto") -> torch.device:
    """Return the device of a name; "auto" is CUDA, else Apple's MPS, else the CPU.

    Raises
    ------
    ValueError
        If the device is unknown or not available.
    """
    available = available_devices()
    if device == "auto":
        return torch.device(available[0])
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is unknown; choose auto or one of {', '.join(available)}."
        ) from error
    name = f"cuda:{chosen.index or 0}" if chosen.type == "cuda" else chosen.type
    if name not in available:
        raise ValueError(
            f"device={device!r} is not available; choose auto or one of {', '.join(available)}."
        )
    return torch.device(name)


def available_devices() -> list[str]:
    """Return the names of this computer's devices, fastest first."""
    cuda = (
        [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        if torch.cuda.is_available()
        else []
    )
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def device_name(device: torch.device, threads: int | None = None) -> str:
    """Return a name for users, with the GPU's model or the number of CPU threads."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type != "cpu":
        return str(device)
    threads = threads or torch.get_num_threads()
    return f"cpu ({threads} thread{'s' if threads > 1 else ''})"


@contextmanager
def reproducible_convolutions() -> Iterator[None]:
    """Make CUDA's convolutions deterministic, in full float32 (no TF32, as in 2018)."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield


@contextmanager
def cpu_threads(threads: int | None) -> Iterator[None]:
    """Limit torch to a number of CPU threads; None: no change."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
