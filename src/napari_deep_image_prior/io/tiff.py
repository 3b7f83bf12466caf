"""TIFF files, preferably OME-TIFF: channels, planes, pixel size and provenance."""

from __future__ import annotations

import json
import logging
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .carried import carried_over, channels_of, description_of, planes_of
from .image_file import FileError, ImageFile
from .units import LENGTHS, TIMES, in_unit, ome_unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

KEY = "deep_image_prior"
"""Key of the provenance in a file."""
NAMELESS = "ZTHEVA"
"""Letters for unnamed axes of planes; the first two are in OME."""

# OME attributes of the distance between planes, and their default units
_SPACING = {"Z": ("PhysicalSizeZ", "µm"), "T": ("TimeIncrement", "s")}
COLORED = ("RGB", "PALETTE")
"""TIFF's color models whose channels are red, green and blue."""
JPEGS = ("JPEG", "OJPEG", "JPEG_LOSSY")
"""Compressions whose decoder converts YCbCr to RGB."""
LARGEST_UNCHECKED, DENSEST = 2**28, 200
"""Bytes of an image, and how many times those of its file, above which it is not believed."""
ORIENTATION, COLOR_PROFILE = 274, 34675
"""TIFF's tags."""
MAX_RESOLUTION = 2**31
"""Largest pixels per centimeter that the tag can hold."""
MAX_UNCHECKED_PLANES = 10_000
"""Planes that OME-XML may claim of a file with fewer; many more take minutes to count."""


def read_tiff(path: Path) -> ImageFile:
    """Read the first image, or stack of images, of a TIFF file."""
    import tifffile

    tiff: Any  # tifffile is untyped in parts
    with reported() as problems, tifffile.TiffFile(path) as tiff:
        if tiff.is_ome:
            _check_claims(path, tiff)
        if not tiff.series:
            raise FileError(f"{path}: the file holds no image.")
        if any("invalid page offset" in problem for problem in problems):
            raise FileError(f"{path}: the file is incomplete: its end is missing.")
        series = tiff.series[0]
        _check_whole(path, tiff, series)
        model = _color_model(path, series)
        image, axes = series.asarray(), series.axes.upper()
        size, unit = _pixel_size(tiff)
        names, details = channels_of(tiff)
        described, planes_described = description_of(tiff), planes_of(tiff)
        made, spacing = tiff_provenance(tiff), _spacing(tiff)
        notes = _others(tiff)
        profile = tiff.pages[0].tags.valueof(COLOR_PROFILE, default=b"")
        orientation = tiff.pages[0].tags.valueof("Orientation", default=1)
        if model == "PALETTE":
            image = _displayed(image, series.keyframe.colormap)
            axes += "S" * (image.ndim - len(axes))
    image, channel_axis, planes = _arranged(path, image, axes)
    channels = 1 if channel_axis is None else image.shape[channel_axis]
    return ImageFile(
        image,
        channel_axis,
        size,
        unit,
        names,
        made,
        planes,
        {letter: step for letter, step in spacing.items() if letter in planes},
        is_color=model in COLORED and channels in (3, 4),
        channel_details=details,
        is_inverted=model == "MINISWHITE",
        orientation=orientation if orientation in range(1, 9) else 1,
        notes=notes,
        description=described,
        color_profile=profile if isinstance(profile, bytes) else b"",
        plane_details=planes_described,
    )


def _arranged(path: Path, image: NDArray[Any], axes: str) -> tuple[NDArray[Any], int | None, str]:
    """Return an image without axes of length 1, its channel axis, and the letters of its planes."""
    if len(axes) != image.ndim:
        raise FileError(f"{path}: its axes ({axes}) do not match its shape {image.shape}.")
    for axis in reversed(range(image.ndim)):
        if image.shape[axis] == 1 and axes[axis] not in "YX":
            image, axes = image.take(0, axis), axes[:axis] + axes[axis + 1 :]
    if axes.removesuffix("S").removesuffix("C")[-2:] != "YX":
        raise FileError(f"{path}: its axes ({axes}, shape {image.shape}) do not end with Y and X.")
    channel_axis = next((axes.index(letter) for letter in "SC" if letter in axes), None)
    planes = "".join(
        letter for axis, letter in enumerate(axes) if letter not in "YX" and axis != channel_axis
    )
    return image, channel_axis, planes


@contextmanager
def reported() -> Iterator[list[str]]:
    """Collect what tifffile logs, instead of showing it."""
    problems: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        problems.append(record.getMessage())
        return False

    logger = logging.getLogger("tifffile")
    logger.addFilter(collect)
    try:
        yield problems
    finally:
        logger.removeFilter(collect)


def _check_claims(path: Path, tiff: Any) -> None:  # noqa: ANN401
    """Raise FileError if the OME-XML claims far more planes than the file has pages."""
    held = max(4 * len(tiff.pages), MAX_UNCHECKED_PLANES)
    for element in ET.fromstring(tiff.ome_metadata).iter():  # noqa: S314
        sizes = [_number(element.get(f"Size{letter}", 1)) for letter in "ZCT"]
        counts = [_number(element.get(name, 1)) for name in ("PlaneCount", "IFD")]
        if max(prod(sizes), *counts) > held:
            raise FileError(
                f"{path}: the file is incomplete: it claims {max(prod(sizes), *counts):.0f} planes "
                f"and holds {len(tiff.pages)}."
            )


def _check_whole(path: Path, tiff: Any, series: Any) -> None:  # noqa: ANN401  (tifffile is untyped)
    """Raise FileError if the file claims more planes or bytes than it holds."""
    held = path.stat().st_size
    pages = [page for page in series.pages if page is not None]
    claimed = max(len(series.pages), int((tiff.imagej_metadata or {}).get("images", 1)))
    # ImageJ may write one page for all planes
    is_cut = tiff.is_imagej and len(tiff.pages) < claimed and series.nbytes <= pages[0].nbytes
    if is_cut or len(pages) < len(series.pages):
        raise FileError(
            f"{path}: the file is incomplete: it claims {claimed} planes and holds {len(pages)}."
        )
    ends = (
        start + count
        for page in pages
        for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)
    )
    if max(ends, default=0) > held or (
        series.dataoffset is not None and series.dataoffset + series.nbytes > held
    ):
        raise FileError(f"{path}: the file is incomplete: its last pixels are missing.")
    if series.nbytes > LARGEST_UNCHECKED and series.nbytes > DENSEST * held:
        raise FileError(
            f"{path}: a file of {held / 1e6:.1f} MB claims an image of "
            f"{series.nbytes / 1e9:.1f} GB."
        )


def _color_model(path: Path, series: Any) -> str:  # noqa: ANN401
    """Return the name of the photometric interpretation; FileError if it is not supported."""
    model = getattr(series.keyframe.photometric, "name", str(series.keyframe.photometric))
    if model == "YCBCR" and getattr(series.keyframe.compression, "name", "") in JPEGS:
        return "RGB"
    if model not in ("MINISBLACK", "MINISWHITE", "RGB", "PALETTE"):
        raise FileError(
            f"{path}: the color model {model} is not supported; convert the file to RGB or gray."
        )
    return str(model)


def _displayed(indices: NDArray[Any], palette: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the displayed colors of a palette image, gray if all of them are."""
    colors = (np.asarray(palette) >> 8).astype(np.uint8)
    if (colors == colors[0]).all():
        return np.asarray(colors[0][indices])
    return np.asarray(np.moveaxis(colors, 0, -1)[indices])


def _others(tiff: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return a line on the images of a file besides the first one, and on orphaned pages."""
    others = tiff.series[1:]
    found = sum(len(level.pages) for one in tiff.series for level in one.levels)
    if not others and len(tiff.pages) > found:
        left = len(tiff.pages) - found
        return (f"{left} more pages of the file are left out: its metadata do not count them.",)
    if not others:
        return ()
    shapes = ", ".join(dict.fromkeys("x".join(map(str, one.shape)) for one in others[:3]))
    more = " ..." if len(others) > 3 else ""
    return (
        f"only the first image is restored; the file holds {len(others)} more ({shapes}{more}).",
    )


def write_tiff(path: Path, result: ImageFile, provenance: Mapping[str, Any] | None) -> None:
    """Write an OME-TIFF, or a plain TIFF if OME does not support the dtype or the axes."""
    import tifffile

    image, channel_axis = result.image, result.channel_axis
    rgb = channel_axis is not None and image.shape[channel_axis] in (3, 4) and _is_color(result)
    if rgb and channel_axis != image.ndim - 1:  # planar colors
        image, channel_axis = np.moveaxis(image, channel_axis or 0, -1), image.ndim - 1
    if channel_axis == image.ndim - 1 and not rgb:
        channel_axis = image.ndim - 3
        image = np.moveaxis(image, -1, channel_axis)
    axes = [*_letters(result.planes), "Y", "X"]
    if channel_axis is not None:
        axes.insert(channel_axis, "S" if rgb else "C")
    lengths = dict(zip(axes, image.shape, strict=True))
    metadata = {"axes": "".join(axes), **_sizes(result, axes), **carried_over(result, lengths)}
    if provenance is not None:
        metadata["Description"] = json.dumps({KEY: provenance})
    if image.dtype == np.float16:  # few programs support it
        image = image.astype(np.float32)
    ome = image.dtype not in (np.int64, np.uint64) and set(axes) <= set("TZCYXS")
    gray = "miniswhite" if result.is_inverted else "minisblack"
    orientation = [(ORIENTATION, "H", 1, result.orientation, False)]
    tifffile.imwrite(
        path,
        np.ascontiguousarray(image),
        photometric="rgb" if rgb else gray,
        planarconfig="contig" if rgb else None,
        ome=ome,
        metadata=metadata,
        iccprofile=result.color_profile or None,
        extratags=orientation if result.orientation != 1 else [],
        **_resolution(result),
    )


def _is_color(result: ImageFile) -> bool:
    if result.is_color is not None:
        return result.is_color
    last = result.channel_axis == result.image.ndim - 1
    return last and result.image.dtype in (np.uint8, np.uint16)


def _sizes(result: ImageFile, axes: list[str]) -> dict[str, Any]:
    """Return the OME attributes of the pixel size and of the distance between planes."""
    sizes: dict[str, Any] = {}
    if result.pixel_size is not None and min(result.pixel_size) > 0:
        unit = ome_unit(result.unit) or "µm"
        sizes |= {
            "PhysicalSizeY": result.pixel_size[0],
            "PhysicalSizeX": result.pixel_size[1],
            "PhysicalSizeYUnit": unit,
            "PhysicalSizeXUnit": unit,
        }
    for letter, (step, unit) in result.spacing.items():
        if letter in _SPACING and letter in axes and step > 0:
            name, usual = _SPACING[letter]
            sizes |= {name: step, f"{name}Unit": ome_unit(unit) or usual}
    return sizes


def _resolution(result: ImageFile) -> dict[str, Any]:
    """Return the resolution in pixels per centimeter, for programs that do not read OME-XML."""
    if result.pixel_size is None or min(result.pixel_size) <= 0:
        return {}
    y, x = (in_unit(size, ome_unit(result.unit) or "µm", "cm") for size in result.pixel_size)
    if not y or not x or max(1 / x, 1 / y) > MAX_RESOLUTION or min(1 / x, 1 / y) < 1e-4:
        return {}
    return {"resolution": (1 / x, 1 / y), "resolutionunit": "CENTIMETER"}


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
    """Return the (Y, X) size of a pixel and its unit; None and "" if one of them is unknown."""
    if tiff.is_ome:
        pixels = _ome_pixels(tiff)
        if "PhysicalSizeX" in pixels and "PhysicalSizeY" in pixels:
            return _square_unit(
                (_number(pixels["PhysicalSizeY"]), pixels.get("PhysicalSizeYUnit", "µm")),
                (_number(pixels["PhysicalSizeX"]), pixels.get("PhysicalSizeXUnit", "µm")),
            )
    tags = tiff.pages[0].tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None, ""
    (x_count, x_length), (y_count, y_length) = tags["XResolution"].value, tags["YResolution"].value
    if not x_count or not y_count:
        return None, ""
    notes = tiff.imagej_metadata or {}
    unit = notes.get("unit", "")
    if not unit and "ResolutionUnit" in tags:
        unit = {2: "in", 3: "cm"}.get(int(tags["ResolutionUnit"].value), "")
    return _square_unit((y_length / y_count, notes.get("yunit", unit)), (x_length / x_count, unit))


def _square_unit(
    y: tuple[float, object], x: tuple[float, object]
) -> tuple[tuple[float, float] | None, str]:
    """Return two sizes in the unit of the second; None and "" if they are not lengths."""
    unit = ome_unit(x[1])
    height = in_unit(abs(y[0]), ome_unit(y[1]), unit)
    if unit not in LENGTHS or not height or not x[0] or not np.isfinite([height, x[0]]).all():
        return None, ""
    return (height, abs(x[0])), unit


def _number(written: object) -> float:
    """Return a number of a file, 0 for anything else."""
    try:
        return float(written)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0


def _ome_pixels(tiff: Any) -> dict[str, str]:  # noqa: ANN401
    root = ET.fromstring(tiff.ome_metadata)  # noqa: S314  (expat does not expand external entities)
    pixels = root.find(".//{*}Pixels")
    return {} if pixels is None else dict(pixels.attrib)


def _spacing(tiff: Any) -> dict[str, tuple[float, str]]:  # noqa: ANN401
    """Return the distance between planes and its unit, by the letter of the axis."""
    written: dict[str, tuple[object, object]] = {}
    if tiff.is_ome:
        pixels = _ome_pixels(tiff)
        for letter, (name, usual) in _SPACING.items():
            if name in pixels:
                written[letter] = (pixels[name], pixels.get(f"{name}Unit", usual))
    elif notes := tiff.imagej_metadata or {}:
        written = {
            "Z": (notes.get("spacing", 0), notes.get("zunit", notes.get("unit", ""))),
            "T": (notes.get("finterval", 0), notes.get("tunit", "s")),
        }
    found = {
        letter: (abs(_number(step)), ome_unit(unit)) for letter, (step, unit) in written.items()
    }
    return {
        letter: (step, unit)
        for letter, (step, unit) in found.items()
        if step and np.isfinite(step) and unit in (LENGTHS if letter == "Z" else TIMES)
    }
