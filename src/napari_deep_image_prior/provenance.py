"""How a result was made, as a JSON-able dict: enough to make it again."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from . import __version__
from .devices import device_name
from .settings import settings_to_dict
from .tasks import Inpaint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .settings import Settings
    from .tasks import Task


@dataclass(frozen=True, eq=False)
class Order:
    """All that a result depends on."""

    task: Task
    settings: Settings
    preset: str | None
    """The preset the settings come from, None for settings of the caller's own."""
    device: torch.device
    seed: int
    dtype: np.dtype[Any]
    threads: int | None
    """CPU threads, None for as many as torch is set to."""
    stop_after: int | None = None
    """Steps after which it is stopped, None for none."""


def provenance(
    order: Order, found: str, history: list[float], *, reason: str, seconds: float, stopped_after: int | None
) -> dict[str, Any]:
    """Describe a finished restoration; `found` is what was measured in the image, such as its noise."""
    return {
        "task": _task_to_dict(order.task),
        "preset": order.preset,
        "settings": settings_to_dict(order.settings),
        "seed": order.seed,
        "device": str(order.device),
        "device_name": device_name(order.device, order.threads),
        "threads": order.threads or torch.get_num_threads(),
        "dtype": str(order.dtype),
        "versions": {"napari-deep-image-prior": __version__, "torch": torch.__version__, "numpy": np.__version__},
        "found": found,
        "seconds": round(seconds, 2),
        "iterations": len(history),
        "stop_reason": reason,
        "stopped_after": stopped_after,
        "history": [float(f"{misfit:.4g}") for misfit in history],
    }


def packed(mask: NDArray[np.bool_]) -> str:
    """Return a mask as text: its bits, compressed."""
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes())).decode()


def unpacked(text: str, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Undo `packed`."""
    bits = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)
    return np.unpackbits(bits, count=math.prod(shape)).astype(bool).reshape(shape)


def _task_to_dict(task: Task) -> dict[str, Any]:
    """Describe a task; of its arrays what is needed to recognise them."""
    fields = {f.name: getattr(task, f.name) for f in dataclasses.fields(task) if f.name not in ("image", "missing")}
    image = np.asarray(task.image)
    described = {"kind": task.kind, "shape": list(image.shape), "image_dtype": str(image.dtype), **fields}
    described["image_sha256"] = fingerprint(image)
    if isinstance(task, Inpaint):
        missing = np.asarray(task.missing)
        # the mask itself: a painted one is in no file
        described |= {"missing_pixels": int(missing.sum()), "missing_zlib": packed(missing)}
    return described


def fingerprint(array: NDArray[Any]) -> str:
    """Return 16 digits by which an array's values can be recognised."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
