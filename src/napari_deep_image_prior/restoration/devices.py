"""Devices of a fit: choice, names, threads and reproducibility. Imports torch only if called."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch


def choose_device(device: str = "auto") -> torch.device:
    """Return the device of a name; "auto" is CUDA, else Apple's MPS, else the CPU.

    Raises
    ------
    ValueError
        If the device is unknown or not available.
    """
    import torch

    available = available_devices()
    if device == "auto":
        return torch.device(available[0])
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device {device!r} is unknown; choose auto or one of {', '.join(available)}."
        ) from error
    name = f"cuda:{chosen.index or 0}" if chosen.type == "cuda" else chosen.type
    if name not in available:
        raise ValueError(
            f"device {device!r} is not available; choose auto or one of {', '.join(available)}."
        )
    return torch.device(name)


def available_devices() -> list[str]:
    """Return the names of this computer's devices, fastest first."""
    import torch

    cuda = (
        [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        if torch.cuda.is_available()
        else []
    )
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def device_name(device: torch.device, threads: int | None = None) -> str:
    """Return a name for users, with the GPU's model or the number of CPU threads."""
    import torch

    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type != "cpu":
        return str(device)
    threads = threads or torch.get_num_threads()
    return f"cpu ({threads} thread{'s' if threads > 1 else ''})"


class _Environment:
    """torch's process-wide settings, shared by restorations in several threads.

    The first to enter saves them and the last to leave restores them. If each one did both, one
    would restore what another had set.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._threads = 1
        self._flags = ExitStack()

    @contextmanager
    def of_a_fit(self, threads: int | None, workers: int) -> Iterator[None]:
        """Set the number of threads (None: no change) and make CUDA's convolutions deterministic.

        Convolutions and matrix products use full float32 (no TF32, as in 2018), which is also the
        dtype of new tensors. Gradients are computed, whatever the calling thread has set.
        """
        import torch

        from ..patches.passes import WORKERS

        with self._lock:
            _load_triton()
            if self._inside == 0:
                self._threads = torch.get_num_threads()
                flags = torch.backends.cudnn.flags(
                    enabled=True, benchmark=False, deterministic=True, allow_tf32=False
                )
                self._flags.enter_context(flags)
                self._flags.callback(torch.set_default_dtype, torch.get_default_dtype())
                torch.set_default_dtype(torch.float32)
                precision = torch.get_float32_matmul_precision()
                self._flags.callback(torch.set_float32_matmul_precision, precision)
                torch.set_float32_matmul_precision("highest")
            self._inside += 1
        torch.set_num_threads(threads or self._threads)
        token = WORKERS.set(workers)
        try:
            with torch.inference_mode(mode=False), torch.enable_grad():
                yield
        finally:
            WORKERS.reset(token)
            with self._lock:
                self._inside -= 1
                torch.set_num_threads(self._threads)
                if self._inside == 0:
                    self._flags.close()


_environment = _Environment()


def _load_triton() -> None:
    """Load triton with symbols of its own, if it is installed; torch's optimizers will import it.

    Its library and that of Mesa's software OpenGL both contain LLVM, in different versions. On
    Linux, triton would use the symbols of the one that napari's canvas has loaded, and crash.
    """
    if sys.platform != "linux" or "triton" in sys.modules or find_spec("triton") is None:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)
    try:
        import_module("triton")
    except Exception:  # noqa: BLE001, S110  (torch reports it where it is needed)
        pass
    finally:
        sys.setdlopenflags(flags)


def fit_environment(threads: int | None, workers: int = 1) -> AbstractContextManager[None]:
    """Return the context of a fit: torch's CPU threads, those of nonlocal estimates, and flags."""
    return _environment.of_a_fit(threads, workers)
