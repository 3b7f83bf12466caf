"""Which processor a fit runs on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


def choose_device(device: str = "auto") -> torch.device:
    """Return the device called `device`; "auto" takes CUDA, else Apple's MPS, else the CPU.

    Raises
    ------
    ValueError
        If there is no such device here.
    """
    found = available_devices()
    if device == "auto":
        return torch.device(found[0])
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is unknown; choose auto or one of {', '.join(found)}."
        ) from error
    name = f"cuda:{chosen.index or 0}" if chosen.type == "cuda" else chosen.type
    if name not in found:
        raise ValueError(
            f"device={device!r} is not available here; choose auto or one of {', '.join(found)}."
        )
    return torch.device(name)


def available_devices() -> list[str]:
    """Return the devices of this machine, the fastest first."""
    cuda = (
        [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        if torch.cuda.is_available()
        else []
    )
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def device_name(device: torch.device, threads: int | None = None) -> str:
    """Return the name to show: the GPU's model, or the CPU with the threads it uses."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type != "cpu":
        return str(device)
    threads = threads or torch.get_num_threads()
    return f"cpu ({threads} thread{'s' if threads > 1 else ''})"


@contextmanager
def reproducible_convolutions() -> Iterator[None]:
    """Let CUDA's convolutions compute in full float32 (no TF32, as in 2018) and the same way each time."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield


@contextmanager
def cpu_threads(threads: int | None) -> Iterator[None]:
    """Let torch use so many threads for what this thread asks of it, None: as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
