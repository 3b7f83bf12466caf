"""TIFF files, preferably OME-TIFF: channels, planes, pixel size and provenance."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import numpy as np

from .image_file import FileError, ImageFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY = "deep_image_prior"
"""Key of the provenance in a file."""
NAMELESS = "ZTHEVA"
"""Letters for unnamed axes of planes; the first two are in OME."""

# unit names of other programs as in OME; a pixel is not a unit of length
_UNITS = {
    **dict.fromkeys(("um", "\\u00B5m", "micron", "microns"), "µm"),
    **dict.fromkeys(("pixel", "pixels", "reference frame"), ""),
    "inch": "in",
}
# OME attributes of the distance between planes, and their default units
_SPACING = {"Z": ("PhysicalSizeZ", "µm"), "T": ("TimeIncrement", "s")}


def read_tiff(path: Path) -> ImageFile:
    """Read the first image, or stack of images, of a TIFF file."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        if not tiff.series:
            raise FileError(f"{path}: the file holds no image.")
        series = tiff.series[0]
        image, axes = series.asarray(), series.axes.upper()
        size, unit = _pixel_size(tiff)
        names = _channel_names(tiff)
        made, spacing = tiff_provenance(tiff), _spacing(tiff)
    for axis in reversed(range(image.ndim)):  # drop axes of length 1
        if image.shape[axis] == 1 and axes[axis] not in "YX":
            image, axes = image.take(0, axis), axes[:axis] + axes[axis + 1 :]
    if axes.removesuffix("S").removesuffix("C")[-2:] != "YX":
        raise FileError(f"{path}: its axes ({axes}, shape {image.shape}) do not end with Y and X.")
    channel_axis = next((axes.index(letter) for letter in "SC" if letter in axes), None)
    planes = "".join(
        letter for axis, letter in enumerate(axes) if letter not in "YX" and axis != channel_axis
    )
    spacing = {letter: step for letter, step in spacing.items() if letter in planes}
    return ImageFile(image, channel_axis, size, unit, names, made, planes, spacing)


def write_tiff(path: Path, result: ImageFile, provenance: Mapping[str, Any] | None) -> None:
    """Write an OME-TIFF, or a plain TIFF if OME does not support the dtype or the axes."""
    import tifffile

    image, channel_axis = result.image, result.channel_axis
    rgb = (
        channel_axis == image.ndim - 1
        and image.shape[-1] in (3, 4)
        and image.dtype in (np.uint8, np.uint16)
    )
    if channel_axis == image.ndim - 1 and not rgb:
        channel_axis = image.ndim - 3
        image = np.moveaxis(image, -1, channel_axis)
    axes = [*_letters(result.planes), "Y", "X"]
    if channel_axis is not None:
        axes.insert(channel_axis, "S" if rgb else "C")
    metadata: dict[str, Any] = {"axes": "".join(axes)}
    if result.pixel_size is not None:
        metadata |= {
            "PhysicalSizeY": result.pixel_size[0],
            "PhysicalSizeX": result.pixel_size[1],
            "PhysicalSizeYUnit": result.unit or "µm",
            "PhysicalSizeXUnit": result.unit or "µm",
        }
    for letter, (step, unit) in result.spacing.items():
        if letter in _SPACING and letter in axes:
            name, usual = _SPACING[letter]
            metadata |= {name: step, f"{name}Unit": unit or usual}
    channels = image.shape[axes.index("C")] if "C" in axes else 1
    if len(result.channel_names) == channels:  # else they belong to other channels
        metadata["Channel"] = {"Name": list(result.channel_names)}
    if provenance is not None:
        metadata["Description"] = json.dumps({KEY: provenance})
    if image.dtype == np.float16:  # few programs support it
        image = image.astype(np.float32)
    ome = image.dtype not in (np.int64, np.uint64) and set(axes) <= set("TZCYXS")
    tifffile.imwrite(
        path, image, photometric="rgb" if rgb else "minisblack", ome=ome, metadata=metadata
    )


def _letters(planes: str) -> str:
    """Return a unique letter for each axis of planes, from OME if possible."""
    free = iter([letter for letter in NAMELESS if letter not in planes])
    known: list[str] = []
    for letter in reversed(planes):
        is_good = letter in NAMELESS and letter not in known
        known.append(letter if is_good else next(free, ""))
    if "" in known:
        raise FileError(
            f"{len(planes)} axes besides channels, Y and X are too many for a TIFF file: "
            f"use at most {len(NAMELESS)}."
        )
    return "".join(reversed(known))


def tiff_provenance(tiff: Any) -> dict[str, Any] | None:  # noqa: ANN401  (tifffile is untyped)
    """Return the provenance in an open `tifffile.TiffFile`; None if it has none."""
    if tiff.is_ome:
        text = ET.fromstring(tiff.ome_metadata).findtext(".//{*}Image/{*}Description")  # noqa: S314
    else:
        text = tiff.shaped_metadata[0].get("Description") if tiff.shaped_metadata else None
    return dict_of((dict_of(text) or {}).get(KEY))


def dict_of(described: object) -> dict[str, Any] | None:
    """Return a dict or the dict in a JSON text, None for anything else from other programs."""
    if isinstance(described, str):
        try:
            described = json.loads(described)
        except ValueError:
            return None
    return described if isinstance(described, dict) else None


def _pixel_size(tiff: Any) -> tuple[tuple[float, float] | None, str]:  # noqa: ANN401  (tifffile is untyped)
    if tiff.is_ome:
        pixels = _ome_pixels(tiff)
        if "PhysicalSizeX" in pixels and "PhysicalSizeY" in pixels:
            unit = _unit(pixels.get("PhysicalSizeXUnit", "µm"))
            size = (float(pixels["PhysicalSizeY"]), float(pixels["PhysicalSizeX"]))
            return (size, unit) if unit else (None, "")
    tags = tiff.pages[0].tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None, ""
    (x_count, x_length), (y_count, y_length) = tags["XResolution"].value, tags["YResolution"].value
    unit = (tiff.imagej_metadata or {}).get("unit", "")
    if not unit and "ResolutionUnit" in tags:
        unit = {2: "in", 3: "cm"}.get(int(tags["ResolutionUnit"].value), "")
    unit = _unit(unit)
    if not unit or not x_count or not y_count:
        return None, ""
    return (y_length / y_count, x_length / x_count), unit


def _unit(written: str) -> str:
    """Return a unit as in OME; empty if it is not a unit of length."""
    return _UNITS.get(written, written)


def _ome_pixels(tiff: Any) -> dict[str, str]:  # noqa: ANN401
    root = ET.fromstring(tiff.ome_metadata)  # noqa: S314  (expat does not expand external entities)
    pixels = root.find(".//{*}Pixels")
    return {} if pixels is None else dict(pixels.attrib)


def _channel_names(tiff: Any) -> tuple[str, ...]:  # noqa: ANN401
    if not tiff.is_ome:
        return ()
    root = ET.fromstring(tiff.ome_metadata)  # noqa: S314
    names = [channel.attrib.get("Name", "") for channel in root.findall(".//{*}Pixels/{*}Channel")]
    return tuple(names) if any(names) else ()


def _spacing(tiff: Any) -> dict[str, tuple[float, str]]:  # noqa: ANN401
    spacing = {}
    if tiff.is_ome:
        pixels = _ome_pixels(tiff)
        for letter, (name, usual) in _SPACING.items():
            if name in pixels:
                spacing[letter] = (float(pixels[name]), _unit(pixels.get(f"{name}Unit", usual)))
    elif notes := tiff.imagej_metadata or {}:
        spacing = {
            "Z": (notes.get("spacing", 0), _unit(notes.get("unit", ""))),
            "T": (notes.get("finterval", 0), "s"),
        }
    return {name: (float(step), unit) for name, (step, unit) in spacing.items() if step and unit}
