"""What a TIFF file says of its channels and planes, and its description: kept with a result."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from math import isfinite, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .units import ome_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .image_file import ImageFile

OF_CHANNELS = (
    "Color",
    "EmissionWavelength",
    "EmissionWavelengthUnit",
    "ExcitationWavelength",
    "ExcitationWavelengthUnit",
    "Fluor",
    "ContrastMethod",
    "AcquisitionMode",
    "IlluminationType",
    "PinholeSize",
    "PinholeSizeUnit",
)
"""OME attributes of a channel that a result keeps, if each channel has them."""
OF_PLANES = (
    "DeltaT",
    "DeltaTUnit",
    "ExposureTime",
    "ExposureTimeUnit",
    "PositionX",
    "PositionXUnit",
    "PositionY",
    "PositionYUnit",
    "PositionZ",
    "PositionZUnit",
)
"""OME attributes of a plane that a result keeps, if each plane has them."""
INDICES = {"T": "TheT", "Z": "TheZ", "C": "TheC"}
"""OME attributes with the index of a plane along each axis."""
LONGEST = 100_000
"""Characters of a description that are kept."""


def channels_of(tiff: Any) -> tuple[tuple[str, ...], dict[str, list[str]]]:  # noqa: ANN401  (tifffile is untyped)
    """Return the names of the channels, and the OME attributes that are kept with them."""
    if not tiff.is_ome:
        notes = tiff.imagej_metadata or {}
        labels, count = notes.get("Labels") or [], int(notes.get("channels", 1))
        is_named = isinstance(labels, list | tuple) and 1 < count <= len(labels)
        # one label for each plane, the channels first
        names = tuple(str(label).split("\n")[0] for label in labels[:count]) if is_named else ()
        return names, _imagej_colors(notes, count)
    image = ET.fromstring(tiff.ome_metadata).find(".//{*}Image")  # noqa: S314
    channels = [] if image is None else image.findall("./{*}Pixels/{*}Channel")
    names = tuple(channel.attrib.get("Name", "") for channel in channels)
    details = {
        name: [channel.attrib[name] for channel in channels]
        for name in OF_CHANNELS
        if channels and all(_is_valid(name, channel.attrib.get(name)) for channel in channels)
    }
    return names if any(names) else (), details


def _imagej_colors(notes: Mapping[str, Any], count: int) -> dict[str, list[str]]:
    """Return the brightest colors of ImageJ's lookup tables as OME's colors, RGBA in 32 bits."""
    tables = notes.get("LUTs")
    if not isinstance(tables, list | tuple) or len(tables) != count:
        return {}
    if any(np.shape(table) != (3, 256) for table in tables):
        return {}
    codes = [
        int.from_bytes(bytes([*(int(level) for level in table[:, -1]), 255]), "big", signed=True)
        for table in map(np.asarray, tables)
    ]
    return {"Color": [str(code) for code in codes]}


def _is_valid(name: str, value: str | None) -> bool:
    """Return whether an attribute has a value of its type; others are not copied to a result."""
    if value is None:
        return False
    if name.endswith("Unit"):
        is_reference = name.startswith("Position") and value in ("reference frame", "pixel")
        return is_reference or ome_unit(value) == value
    if name == "Color":
        return re.fullmatch("-?[0-9]{1,10}", value) is not None
    if name in ("Fluor", "ContrastMethod", "AcquisitionMode", "IlluminationType"):
        return True
    try:
        return isfinite(float(value))
    except ValueError:
        return False


def planes_of(tiff: Any) -> tuple[dict[str, str], ...]:  # noqa: ANN401
    """Return the OME attributes of each plane of the first image, with its indices."""
    if not tiff.is_ome:
        return ()
    image = ET.fromstring(tiff.ome_metadata).find(".//{*}Image")  # noqa: S314
    planes = [] if image is None else image.findall("./{*}Pixels/{*}Plane")
    kept = (*OF_PLANES, *INDICES.values())
    return tuple(
        {
            name: value
            for name, value in plane.attrib.items()
            if name in kept and _is_valid(name, value)
        }
        for plane in planes
    )


def description_of(tiff: Any) -> str:  # noqa: ANN401
    """Return the user's description of the image, without what programs write there."""
    if tiff.is_ome:
        root = ET.fromstring(tiff.ome_metadata)  # noqa: S314
        texts = [
            root.findtext(".//{*}CommentAnnotation/{*}Value"),
            root.findtext(".//{*}Image/{*}Description"),
        ]
    elif tiff.is_imagej:
        texts = [(tiff.imagej_metadata or {}).get("Info")]
    elif tiff.shaped_metadata:
        note = tiff.shaped_metadata[0].get("CommentAnnotation")
        texts = [note.get("Value") if isinstance(note, dict) else None]
    else:
        texts = [tiff.pages[0].description]
    return next((text for text in map(_cleaned, texts) if text and not _is_json(text)), "")


def _cleaned(text: object) -> str:
    """Return a text without characters that XML does not allow."""
    letters = (each for each in str(text or "")[:LONGEST] if each.isprintable() or each in "\n\t")
    return "".join(letters).strip()


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def carried_over(result: ImageFile, lengths: Mapping[str, int]) -> dict[str, Any]:
    """Return OME metadata of the source that apply to a result with these lengths of its axes."""
    metadata: dict[str, Any] = {}
    named = {"Name": list(result.channel_names), **result.channel_details}
    channels = lengths.get("C", 1)
    named = {name: values for name, values in named.items() if len(values) == channels}
    if named and "S" not in lengths:  # else they belong to other channels
        metadata["Channel"] = named
    if planes := _planes(result, lengths):
        metadata["Plane"] = planes
    if result.description:
        metadata["CommentAnnotation"] = {"Value": result.description}
    return metadata


def _planes(result: ImageFile, lengths: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the attributes of all planes in the order of writing; none if planes are missing."""
    axes = {letter: length for letter, length in lengths.items() if letter not in "YXS"}
    if not set(axes) <= set(INDICES) or len(result.plane_details) != prod(axes.values()):
        return {}
    found = {
        tuple(plane.get(INDICES[letter], "0") for letter in axes): plane
        for plane in result.plane_details
    }
    ordered = [found.get(tuple(map(str, index)), {}) for index in np.ndindex(*axes.values())]
    return {
        name: [plane[name] for plane in ordered]
        for name in OF_PLANES
        if all(name in plane for plane in ordered)
    }
