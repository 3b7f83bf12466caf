"""Images from and to files: PNG and TIFF, with voxel size and how the result was made.

A file is written beside its destination and then moved there, so that a full disk
or a broken-off run leaves no half-written file and an older file intact.
"""

from __future__ import annotations

import json
import os
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PNG_SUFFIXES = (".png",)
TIFF_SUFFIXES = (".tif", ".tiff")
SUFFIXES = PNG_SUFFIXES + TIFF_SUFFIXES
KEY = "deep_image_prior"
"""What the provenance is called in a file."""

# what programs write, as OME spells it; a pixel is no unit of length
_UNITS = {"um": "µm", "\\u00B5m": "µm", "micron": "µm", "microns": "µm", "inch": "in", "pixel": "", "pixels": ""}


class FileError(ValueError):
    """A file that cannot be read or written as an image; the message says why."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """An image with what its file says about it."""

    image: NDArray[Any]
    """(Y, X), or with channels at `channel_axis`."""
    channel_axis: int | None = None
    """Axis of the channels, None for a single one."""
    pixel_size: tuple[float, float] | None = None
    """(Y, X) size of a pixel, in `unit`."""
    unit: str = ""
    """Unit of the pixel size, such as um."""
    channel_names: tuple[str, ...] = field(default=())
    """Names of the channels, where the file has them."""
    provenance: dict[str, Any] | None = None
    """How it was made, if it is a result of this program."""


def read_image(path: str | Path) -> ImageFile:
    """Read a PNG or TIFF file.

    Raises
    ------
    FileError
        If the file is missing, is no image, or holds a stack.
    """
    path = Path(path)
    _check_suffix(path)
    if not path.exists():
        raise FileError(f"{path}: no such file.")
    try:
        found = _read_png(path) if path.suffix.lower() in PNG_SUFFIXES else _read_tiff(path)
    except FileError:
        raise
    except Exception as error:  # the readers raise whatever a broken file leads them to
        raise FileError(f"{path}: cannot be read as an image ({_first_line(error)}).") from error
    if found.image.size == 0:
        raise FileError(f"{path}: the image is empty (shape {found.image.shape}).")
    return found


def write_image(path: str | Path, result: ImageFile, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a PNG or TIFF file, whole or not at all.

    PNG holds uint8 and uint16 grey or colour images; TIFF anything, with the pixel
    size. `provenance`, or else the one of `result`, is kept in the file as JSON.

    Raises
    ------
    FileError
        If the file cannot be written, or its format cannot hold the image.
    """
    path = Path(path)
    provenance = result.provenance if provenance is None else provenance
    check_writable(path, result.image.dtype, channel_count(result))
    descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(descriptor)
    part = Path(name)
    try:
        if path.suffix.lower() in PNG_SUFFIXES:
            _write_png(part, result, provenance)
        else:
            _write_tiff(part, result, provenance)
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except (OSError, ValueError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or _first_line(error)
        raise FileError(f"{path}: cannot be written ({reason}).") from error
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, whole or not at all; text as UTF-8."""
    part = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        part = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}).") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def check_writable(path: str | Path, dtype: np.dtype[Any] | None = None, channels: int = 1) -> None:
    """Raise FileError now if an image of this kind could not be written to `path` later."""
    path = Path(path)
    _check_suffix(path)
    if dtype is not None and path.suffix.lower() in PNG_SUFFIXES:
        grey = channels == 1 and dtype in (np.uint8, np.uint16)
        if not grey and not (dtype == np.uint8 and channels in (2, 3, 4)):
            raise FileError(f"{path}: a PNG file cannot hold {channels} channel(s) of {dtype}; write a .tif instead.")
    check_folder(path)


def check_folder(path: Path) -> None:
    """Raise FileError now if no file could be written to `path` later."""
    if path.is_dir():
        raise FileError(f"{path}: is a folder, not a file.")
    if not path.parent.is_dir():
        raise FileError(f"{path}: the folder {path.parent} does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise FileError(f"{path}: the folder {path.parent} is not writable.")


def image_files(folder: Path) -> list[Path]:
    """Return the image files of a folder, sorted by name."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def enlarged(source: ImageFile, image: NDArray[Any]) -> ImageFile:
    """Return `image`, of the same area, described as `source` is: more pixels are smaller ones."""
    size = source.pixel_size
    if size is not None:
        axes = [axis for axis in range(image.ndim) if axis != source.channel_axis]
        ratios = [source.image.shape[axis] / image.shape[axis] for axis in axes]
        size = (size[0] * ratios[0], size[1] * ratios[1])
    return replace(source, image=image, pixel_size=size, provenance=None)


def channel_count(file: ImageFile) -> int:
    """Return how many channels an image has."""
    return 1 if file.channel_axis is None else file.image.shape[file.channel_axis]


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise FileError(f"{path}: unknown file type; use one of {', '.join(SUFFIXES)}.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _read_png(path: Path) -> ImageFile:
    from PIL import Image

    with path.open("rb") as stream:
        header = stream.read(26)
    if header[:4] == b"\x89PNG" and header[24] == 16 and header[25] != 0:
        raise FileError(f"{path}: colour PNG files of 16 bits are read with a loss; save it as TIFF.")
    with Image.open(path) as picture:
        made = _dict_of(picture.info.get(KEY))
        if picture.mode in ("P", "1", "PA"):  # palettes and bitmaps: what the eye sees
            image = np.asarray(picture.convert("RGB" if picture.mode != "1" else "L"))
        else:
            image = np.asarray(picture)
    if image.dtype == np.int32:  # Pillow's mode for 16-bit grey in older versions
        image = image.astype(np.uint16)
    return ImageFile(image, channel_axis=None if image.ndim == 2 else 2, provenance=made)


def _read_tiff(path: Path) -> ImageFile:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        if not tiff.series:
            raise FileError(f"{path}: the file holds no image.")
        series = tiff.series[0]
        image, axes = series.asarray(), series.axes.upper()
        size, unit = _tiff_pixel_size(tiff)
        names = _tiff_channel_names(tiff)
        made = tiff_provenance(tiff)
    for axis in reversed(range(image.ndim)):  # axes of length 1 say nothing
        if image.shape[axis] == 1 and axes[axis] not in "YX":
            image, axes = image.take(0, axis), axes[:axis] + axes[axis + 1 :]
    stack = [axis for axis in axes if axis not in "YXCS"]
    # files without metadata call unnamed leading axes Q or I
    if image.ndim > 3 or stack:
        raise FileError(
            f"{path}: holds a stack (axes {axes}, shape {image.shape}); restore it plane by plane, "
            "or use channel_axis from Python if its first axis holds channels."
        )
    channel_axis = next((index for index, axis in enumerate(axes) if axis in "CS"), None)
    return ImageFile(image, channel_axis, size, unit, names, made)


def tiff_provenance(tiff: Any) -> dict[str, Any] | None:  # noqa: ANN401  (tifffile is untyped)
    """Return how the image in an open `tifffile.TiffFile` was made, None if it is no result of this program."""
    if tiff.is_ome:
        text = ET.fromstring(tiff.ome_metadata).findtext(".//{*}Image/{*}Description")  # noqa: S314
    else:
        text = tiff.shaped_metadata[0].get("Description") if tiff.shaped_metadata else None
    return _dict_of((_dict_of(text) or {}).get(KEY))


def _dict_of(described: object) -> dict[str, Any] | None:
    """Return a dict, from JSON as well, None for all else: other programs write what they like."""
    if isinstance(described, str):
        try:
            described = json.loads(described)
        except ValueError:
            return None
    return described if isinstance(described, dict) else None


def _tiff_pixel_size(tiff: Any) -> tuple[tuple[float, float] | None, str]:  # noqa: ANN401  (tifffile is untyped)
    if tiff.is_ome:
        pixels = _ome_pixels(tiff)
        if "PhysicalSizeX" in pixels and "PhysicalSizeY" in pixels:
            size = (float(pixels["PhysicalSizeY"]), float(pixels["PhysicalSizeX"]))
            return size, pixels.get("PhysicalSizeXUnit", "µm")
    tags = tiff.pages[0].tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None, ""
    (x_count, x_length), (y_count, y_length) = tags["XResolution"].value, tags["YResolution"].value
    unit = (tiff.imagej_metadata or {}).get("unit", "")
    if not unit and "ResolutionUnit" in tags:
        unit = {2: "in", 3: "cm"}.get(int(tags["ResolutionUnit"].value), "")
    unit = _UNITS.get(unit, unit)
    if not unit or not x_count or not y_count:
        return None, ""
    return (y_length / y_count, x_length / x_count), unit


def _ome_pixels(tiff: Any) -> dict[str, str]:  # noqa: ANN401
    root = ET.fromstring(tiff.ome_metadata)  # noqa: S314  (expat does not expand external entities)
    pixels = root.find(".//{*}Pixels")
    return {} if pixels is None else dict(pixels.attrib)


def _tiff_channel_names(tiff: Any) -> tuple[str, ...]:  # noqa: ANN401
    if not tiff.is_ome:
        return ()
    root = ET.fromstring(tiff.ome_metadata)  # noqa: S314
    names = [channel.attrib.get("Name", "") for channel in root.findall(".//{*}Pixels/{*}Channel")]
    return tuple(names) if any(names) else ()


def _write_png(path: Path, result: ImageFile, provenance: Mapping[str, Any] | None) -> None:
    from PIL import Image, PngImagePlugin

    image = result.image
    if result.channel_axis is not None:
        image = np.moveaxis(image, result.channel_axis, -1)
    notes = PngImagePlugin.PngInfo()
    if provenance is not None:
        notes.add_text(KEY, json.dumps(provenance))
    Image.fromarray(np.ascontiguousarray(image)).save(path, format="PNG", pnginfo=notes)


def _write_tiff(path: Path, result: ImageFile, provenance: Mapping[str, Any] | None) -> None:
    import tifffile

    image = result.image
    rgb = result.channel_axis == image.ndim - 1 and image.shape[-1] in (3, 4) and image.dtype in (np.uint8, np.uint16)
    if result.channel_axis is not None and not rgb:
        image = np.moveaxis(image, result.channel_axis, 0)
    axes = "YX" if image.ndim == 2 else ("YXS" if rgb else "CYX")
    metadata: dict[str, Any] = {"axes": axes}
    if result.pixel_size is not None:
        metadata |= {
            "PhysicalSizeY": result.pixel_size[0],
            "PhysicalSizeX": result.pixel_size[1],
            "PhysicalSizeYUnit": result.unit or "µm",
            "PhysicalSizeXUnit": result.unit or "µm",
        }
    if result.channel_names:
        metadata["Channel"] = {"Name": list(result.channel_names)}
    if provenance is not None:
        metadata["Description"] = json.dumps({KEY: provenance})
    if image.dtype == np.float16:  # few programs read it
        image = image.astype(np.float32)
    ome = image.dtype not in (np.int64, np.uint64)  # which OME does not know
    tifffile.imwrite(path, image, photometric="rgb" if rgb else "minisblack", ome=ome, metadata=metadata)
