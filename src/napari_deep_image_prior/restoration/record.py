"""The schema of a provenance record, checked once when a record comes from outside.

A record may have been read from a file that anybody wrote. After `checked_record`, every value that
the package uses has the type and the range it is documented to have.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

MAX_THREADS = 256
"""CPU threads that a fit may be asked to use."""
MAX_ITERATIONS = 10**8
MAX_TEXT = 10_000
"""Characters of a text."""
MAX_QUOTED = 100
"""Characters of a value that a message may quote."""
MAX_AXES = 16
MAX_SIZE = 2**40
"""Pixels of an image."""
MAX_PLANES = 10**7

Check = Callable[[Any], str | None]
"""Returns what a value should have been, None if it is that."""


def text(limit: int = MAX_TEXT) -> Check:
    """Accept a text of at most `limit` characters."""
    return lambda value: None if isinstance(value, str) and len(value) <= limit else "a text"


def whole(low: int, high: int) -> Check:
    """Accept a whole number of a range."""

    def check(value: Any) -> str | None:  # noqa: ANN401  (from a file)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return None if is_whole and low <= value <= high else f"a whole number from {low} to {high}"

    return check


def number(value: Any) -> str | None:  # noqa: ANN401
    """Accept a finite number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # an integer beyond the range of floats would raise OverflowError
    return None if is_number and abs(value) <= sys.float_info.max else "a finite number"


def short(value: Any) -> str | None:  # noqa: ANN401
    """Accept any value that is short as text: a message may quote it."""
    return None if len(repr(value)) <= MAX_QUOTED else "a short value"


def boolean(value: Any) -> str | None:  # noqa: ANN401
    """Accept true and false."""
    return None if isinstance(value, bool) else "true or false"


def optional(check: Check) -> Check:
    """Accept nothing (None) as well."""

    def may_be_none(value: Any) -> str | None:  # noqa: ANN401
        expected = None if value is None else check(value)
        return None if expected is None else f"{expected}, or nothing"

    return may_be_none


def list_of(check: Check, limit: int) -> Check:
    """Accept a list of at most `limit` such values."""

    def each(value: Any) -> str | None:  # noqa: ANN401
        if not isinstance(value, list | tuple) or len(value) > limit:
            return f"a list of at most {limit}"
        wrong = next((expected for entry in value if (expected := check(entry)) is not None), None)
        return None if wrong is None else f"a list in which each is {wrong}"

    return each


def mapping_of(**checks: Check) -> Check:
    """Accept a mapping that has such values."""

    def each(value: Any) -> str | None:  # noqa: ANN401
        if not isinstance(value, Mapping) or not checks.keys() <= value.keys():
            return f"a mapping with {', '.join(checks)}"
        wrong = ((name, check(value[name])) for name, check in checks.items())
        return next((f"a mapping whose {name} is {what}" for name, what in wrong if what), None)

    return each


def dtype(value: Any) -> str | None:  # noqa: ANN401
    """Accept the name of a numeric dtype, as numpy spells it."""
    try:
        known = isinstance(value, str) and len(value) < 20 and np.dtype(value).kind in "uif"
    except (TypeError, ValueError):
        known = False
    return None if known else "the name of a numeric dtype, such as uint16"


def fingerprint_text(value: Any) -> str | None:  # noqa: ANN401
    """Accept 16 hexadecimal digits."""
    is_one = isinstance(value, str) and re.fullmatch("[0-9a-f]{16}", value) is not None
    return None if is_one else "16 hexadecimal digits"


def digest(value: Any) -> str | None:  # noqa: ANN401
    """Accept the SHA-256 of a file, as 64 hexadecimal digits."""
    is_one = isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None
    return None if is_one else "64 hexadecimal digits"


def shape(value: Any) -> str | None:  # noqa: ANN401
    """Accept the shape of an image."""
    lengths = list_of(whole(1, MAX_SIZE), MAX_AXES)(value)
    if lengths is None and value and math.prod(value) <= MAX_SIZE:
        return None
    return "the shape of an image: a list of lengths"


def region(value: Any) -> str | None:  # noqa: ANN401
    """Accept rows and columns, [[first, last], [first, last]]."""
    bounds = list_of(list_of(whole(0, MAX_SIZE), 2), 2)(value)
    complete = bounds is None and len(value) == 2 and all(len(pair) == 2 for pair in value)
    return None if complete else "rows and columns as [[first, last], [first, last]]"


INDEX = list_of(optional(whole(0, MAX_SIZE)), MAX_AXES)
AXIS = optional(whole(-MAX_AXES, MAX_AXES))

Schema = Mapping[str, "Check | Schema"]

REQUIRED: Schema = {
    "task": {
        "kind": text(100),
        "shape": shape,
        "image_dtype": dtype,
        "image_sha256": fingerprint_text,
    },
    "settings": {"method": text(100)},
    "versions": {"napari-deep-image-prior": text(100)},
    "preset": optional(text(100)),
    "seed": whole(0, 2**31 - 1),
    "device": text(100),
    "device_name": text(1000),
    "threads": whole(1, MAX_THREADS),
    "dtype": dtype,
    "found": text(),
    "seconds": number,
    "iterations": whole(0, MAX_ITERATIONS * 1000),
    "stop_reason": text(),
    "stopped_after": optional(whole(1, MAX_ITERATIONS)),
}
"""What a record has at least."""

KNOWN: Schema = {
    "task": {
        "channel_axis": AXIS,
        **dict.fromkeys(("noise", "noise_std", "strength", "outliers", "factor", "spacing"), short),
    },
    "history": list_of(number, MAX_ITERATIONS),
    "step": whole(0, MAX_ITERATIONS * 1000),
    "snapshot": boolean,
    "warm_start": text(100),
    "fitted": digest,
    "repainted": list_of(whole(0, MAX_ITERATIONS), MAX_PLANES),
    "stack_shape": shape,
    "stack_stopped": boolean,
    "source": {
        "channel_axis": AXIS,
        "channels": text(100),
        "region": optional(region),
        "depth": AXIS,
    },
}
"""What it may have besides; what else it has is carried along, and not used."""

SOURCE: Schema = {
    "layer": text(1000),
    "plane": INDEX,
    "rgb": boolean,
    "path": optional(text()),
}
"""What is said of the layer that a result was made of, where a record says anything of it."""

STACK: Schema = {"called": text(100), "warm_start": boolean, "channel_axis": AXIS}
"""What is said of a stack."""

PLANE: Schema = {"index": INDEX, "image_sha256": fingerprint_text}
"""What each plane of a stack has."""


NUMBERS = list_of(number, MAX_AXES)
WORDS = list_of(text(100), MAX_AXES)

PLACEMENT: Schema = {
    "scale": NUMBERS,
    "translate": NUMBERS,
    "rotate": list_of(NUMBERS, MAX_AXES),
    "shear": NUMBERS,
    "affine": list_of(NUMBERS, MAX_AXES),
    "contrast_limits": NUMBERS,
    "units": WORDS,
    "axis_labels": WORDS,
    "name": text(1000),
    "rgb": boolean,
    "leading": list_of(whole(1, MAX_SIZE), MAX_AXES),
}
"""The position and the looks of a layer that was saved; nothing else is set."""


LEARNED: Schema = {
    "kind": text(100),
    "settings": {"method": text(100)},
    "channels": whole(1, 1000),
    "neighbors": whole(0, 10),
    "adds_nothing": boolean,
    "stop_reason": text(),
    "seed": whole(0, 2**31 - 1),
    "version": text(100),
    "learned_from": list_of(mapping_of(image_sha256=fingerprint_text, found=text()), 1000),
}
"""What is said of a network in its file."""


NETWORK = "the description of a fitted network"


def checked_network(described: object) -> dict[str, Any]:
    """Return the description of a fitted network; ValueError if it is none."""
    if not isinstance(described, Mapping):
        raise _refused(f"it is {_shown(described)}.", NETWORK)
    _check(described, LEARNED, "", required=True, called=NETWORK)
    return {name: described[name] for name in LEARNED}


def checked_placement(placement: object) -> dict[str, Any]:
    """Return the placement of a saved layer; ValueError if it is none."""
    if not isinstance(placement, Mapping) or not {"rgb", "scale"} <= set(placement):
        raise _refused(f"its placement is {_shown(placement)}.")
    _check(placement, PLACEMENT, "placement.", required=False)
    return {name: value for name, value in placement.items() if name in PLACEMENT}


def checked_record(record: object) -> dict[str, Any]:
    """Return a provenance record if it is one.

    Raises
    ------
    ValueError
        If it lacks something, or a value is of another type or out of range; says which.
    """
    if not isinstance(record, Mapping):
        raise _refused(f"it is {_shown(record)}.")
    made = dict(record)
    _check(made, REQUIRED, "", required=True)
    _check(made, KNOWN, "", required=False)
    if "source" in made:
        _check(made, {"source": SOURCE}, "", required=True)
    if "stack" in made:
        _check_planes(made)
    return made


def _check_planes(made: Mapping[str, Any]) -> None:
    """Check what is said of each plane of a stack."""
    _check(made, {"stack_shape": shape, "stack": STACK}, "", required=True)
    planes = made.get("planes")
    if not isinstance(planes, list) or len(planes) > MAX_PLANES:
        raise _refused("planes is not a list of planes.")
    for number_, plane in enumerate(planes):
        where = f"planes[{number_}]"
        if not isinstance(plane, Mapping):
            raise _refused(f"{where} is {_shown(plane)}.")
        _check(plane, PLANE, f"{where}.", required=True)
        if len(plane["index"]) != len(planes[0]["index"]):
            raise _refused(f"{where} has other axes.")
        axis = made["stack"]["channel_axis"]
        if axis is not None and not -len(plane["index"]) <= axis < len(plane["index"]):
            raise _refused(f"{where} has no axis {axis}.")


def _check(
    values: Mapping[str, Any],
    schema: Schema,
    prefix: str,
    *,
    required: bool,
    called: str = "a provenance record",
) -> None:
    for name, check in schema.items():
        if name not in values:
            if required:
                raise _refused(f"it lacks {prefix}{name}.", called)
            continue
        value = values[name]
        if isinstance(check, Mapping):
            if not isinstance(value, Mapping):
                raise _refused(f"{prefix}{name} is {_shown(value)}.", called)
            _check(value, check, f"{prefix}{name}.", required=required, called=called)
        elif (expected := check(value)) is not None:
            raise _refused(f"{prefix}{name} is {_shown(value)}, but must be {expected}.", called)


def _refused(reason: str, called: str = "a provenance record") -> ValueError:
    return ValueError(f"this is not {called}: {reason}")


def _shown(value: object) -> str:
    """Return a value in at most 40 characters, on one line."""
    whole_text = ascii(value)
    return whole_text if len(whole_text) <= 40 else f"{whole_text[:37]}..."
