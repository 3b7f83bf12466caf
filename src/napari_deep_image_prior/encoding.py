"""Arrays as text for JSON: fingerprints, packed masks and encoded arrays."""

from __future__ import annotations

import base64
import hashlib
import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


LARGEST = 2**28
"""Largest array read from a record, in bytes."""


def fingerprint(array: NDArray[Any]) -> str:
    """Return 16 hexadecimal digits of a hash of an array's values (SHA-256)."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def packed(mask: NDArray[np.bool_]) -> str:
    """Return a mask as text: its compressed bits (zlib, Base64)."""
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes())).decode()


def unpacked(text: str, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Invert `packed`, for a mask of a given shape."""
    pixels = math.prod(shape)
    bits = np.frombuffer(_decompressed(text, (pixels + 7) // 8), dtype=np.uint8)
    return np.unpackbits(bits, count=pixels).astype(bool).reshape(shape)


def encoded(value: Any) -> Any:  # noqa: ANN401  (an option of a task)
    """Return a JSON-able option: an array becomes a dict of dtype, shape and compressed values."""
    if isinstance(value, tuple):
        return list(value)
    if not isinstance(value, np.ndarray):
        return value
    plain = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    values = base64.b64encode(zlib.compress(plain.tobytes())).decode()
    return {"array_dtype": plain.dtype.str, "array_shape": list(value.shape), "array_zlib": values}


def decoded(value: Any) -> Any:  # noqa: ANN401  (an option of a task)
    """Invert `encoded`."""
    if not isinstance(value, dict) or "array_zlib" not in value:
        return value
    dtype = np.dtype(value["array_dtype"])
    if dtype.kind not in "buif":
        raise ValueError(f"an array of a record has dtype {dtype}: only numbers are read.")
    size = math.prod(value["array_shape"]) * dtype.itemsize
    if not 0 <= size <= LARGEST:
        raise ValueError(f"an array of a record claims {size} bytes: at most {LARGEST} are read.")
    values = np.frombuffer(_decompressed(value["array_zlib"], size), dtype=dtype)
    return values.reshape(value["array_shape"]).copy()


def _decompressed(text: str, size: int) -> bytes:
    """Return exactly `size` bytes; never makes more of a text that would grow beyond that.

    Raises
    ------
    ValueError
        If the text is damaged, or holds fewer or more bytes.
    """
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(base64.b64decode(text, validate=True), size + 1)
    except (zlib.error, ValueError, TypeError) as error:
        raise ValueError("an array of a record is damaged: it cannot be unpacked.") from error
    if len(found) != size:
        raise ValueError(f"an array of a record does not have the {size} bytes that it should.")
    return found
