"""Units of length and time, as OME-XML spells them."""

from __future__ import annotations

LENGTHS = {
    "Ym": 1e24,
    "Zm": 1e21,
    "Em": 1e18,
    "Pm": 1e15,
    "Tm": 1e12,
    "Gm": 1e9,
    "Mm": 1e6,
    "km": 1e3,
    "hm": 1e2,
    "dam": 10.0,
    "m": 1.0,
    "dm": 0.1,
    "cm": 1e-2,
    "mm": 1e-3,
    "µm": 1e-6,
    "nm": 1e-9,
    "pm": 1e-12,
    "fm": 1e-15,
    "am": 1e-18,
    "zm": 1e-21,
    "ym": 1e-24,
    "Å": 1e-10,
    "thou": 2.54e-5,
    "li": 2.54e-2 / 12,
    "in": 2.54e-2,
    "ft": 0.3048,
    "yd": 0.9144,
    "mi": 1609.344,
    "pt": 2.54e-2 / 72,
    "ua": 1.495978707e11,
    "ly": 9.4607304725808e15,
    "pc": 3.0856775814913673e16,
}
"""Units of length in OME-XML, in meters."""
TIMES = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
"""Units of time in OME-XML, in seconds."""
_WORDS = {
    **dict.fromkeys(("um", "micron", "micrometer", "micrometre"), "µm"),
    **dict.fromkeys(("nanometer", "nanometre"), "nm"),
    **dict.fromkeys(("picometer", "picometre"), "pm"),
    **dict.fromkeys(("millimeter", "millimetre"), "mm"),
    **dict.fromkeys(("centimeter", "centimetre"), "cm"),
    **dict.fromkeys(("meter", "metre"), "m"),
    **dict.fromkeys(("kilometer", "kilometre"), "km"),
    **dict.fromkeys(("inch", "inche", '"'), "in"),
    **dict.fromkeys(("a", "ang", "angstrom", "ångström", "ångstrom"), "Å"),
    **dict.fromkeys(("foot", "feet"), "ft"),
    **dict.fromkeys(("sec", "second"), "s"),
    **dict.fromkeys(("msec", "millisecond"), "ms"),
    **dict.fromkeys(("usec", "us", "microsecond"), "µs"),
    **dict.fromkeys(("nsec", "nanosecond"), "ns"),
    **dict.fromkeys(("minute",), "min"),
    **dict.fromkeys(("hr", "hour"), "h"),
    "day": "d",
}


def ome_unit(written: object) -> str:
    """Return a unit of length or time as in OME-XML; empty if it is none, such as "pixel"."""
    word = str(written).replace("\\u00B5", "µ").replace("\u03bc", "µ").replace("\u212b", "Å")
    word = word.strip().strip("\0")
    if word in LENGTHS or word in TIMES:  # before the case is dropped: mm and Mm differ
        return word
    small = word.lower()
    for one in (small, small.removesuffix("s")):
        if one in _WORDS:
            return _WORDS[one]
        if one in ("nm", "µm", "mm", "cm", "km", "ms", "µs", "ns"):
            return one
    return ""


def in_unit(size: float, unit: str, wanted: str) -> float | None:
    """Convert a size to another unit of its kind; None if they are of different kinds."""
    for units in (LENGTHS, TIMES):
        if unit in units and wanted in units:
            return size if unit == wanted else size * units[unit] / units[wanted]
    return None
