"""Image files: PNG and TIFF, with pixel size and provenance.

Files are written atomically: to a temporary file in the same folder that then replaces the
destination. A full disk or an interruption leaves an older file intact.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .image_file import FileError, ImageFile
from .tiff import KEY, dict_of, read_tiff, reported, tiff_provenance, write_tiff
from .units import in_unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PNG_SUFFIXES = (".png",)
TIFF_SUFFIXES = (".tif", ".tiff")
SUFFIXES = PNG_SUFFIXES + TIFF_SUFFIXES
ABANDONED = 3600.0
"""Age in seconds after which an unfinished file belongs to a process that was killed."""


def read_image(path: str | Path) -> ImageFile:
    """Read a PNG or TIFF file.

    Returns
    -------
    ImageFile

    Raises
    ------
    FileError
        If the file is missing or cannot be read as an image.
    """
    path = Path(path)
    _check_suffix(path)
    if not path.exists():
        raise FileError(f"{path}: no such file.")
    if not path.is_file():  # opening a named pipe would wait for ever
        raise FileError(f"{path}: is not a file.")
    try:
        file = _read_png(path) if path.suffix.lower() in PNG_SUFFIXES else read_tiff(path)
    except FileError:
        raise
    except Exception as error:  # damaged files cause errors of any type in the readers
        raise FileError(f"{path}: cannot be read as an image ({first_line(error)}).") from error
    if file.image.size == 0:
        raise FileError(f"{path}: the image is empty (shape {file.image.shape}).")
    return file


def write_image(
    path: str | Path, result: ImageFile, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write a PNG or TIFF file, atomically.

    PNG supports gray uint8 and uint16 and color uint8 images; TIFF all images, with the pixel size.

    Parameters
    ----------
    path : str or Path
        The file; its suffix determines the format.
    result : ImageFile
    provenance : mapping, optional
        Stored in the file as JSON; None: the provenance of `result`.

    Raises
    ------
    FileError
        If the file cannot be written, or its format cannot hold the image.
    """
    path = Path(path)
    provenance = result.provenance if provenance is None else provenance
    check_writable(path, result)
    try:
        with _replacing(path) as part:
            if path.suffix.lower() in PNG_SUFFIXES:
                _write_png(part, result, provenance)
            else:
                write_tiff(part, result, provenance)
    except Exception as error:  # unusual images cause errors of any type in the writers
        reason = (error.strerror if isinstance(error, OSError) else None) or first_line(error)
        raise FileError(f"{path}: cannot be written ({reason}).") from error


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file atomically; text as UTF-8."""
    try:
        with _replacing(path) as part:
            part.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}).") from error


def _part(path: Path) -> Path:
    """Return a new name in the same folder for an unfinished file."""
    return path.with_name(f".{path.stem[:40]}-{secrets.token_hex(6)}{path.suffix}")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a new, empty file in the same folder, which replaces `path` if no error occurs."""
    part = _part(path)
    stem = part.stem[:-12]
    for left in path.parent.glob(f"{escape(stem)}{12 * '[0-9a-f]'}{escape(path.suffix)}"):
        with suppress(OSError):  # of a process that was killed
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()
    try:
        part.touch(exist_ok=False)
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def is_result(path: Path) -> bool:
    """Return whether an image file is a result of this package, without reading its pixels."""
    import tifffile
    from PIL import Image

    if not path.is_file():
        return False
    try:
        if path.suffix.lower() in PNG_SUFFIXES:
            with Image.open(path, formats=("PNG",)) as picture:
                return dict_of(picture.info.get(KEY)) is not None
        with reported(), tifffile.TiffFile(path) as tiff:
            return tiff_provenance(tiff) is not None
    except Exception:  # noqa: BLE001  (damaged files cause errors of any type in the readers)
        return False


def check_writable(path: str | Path, image: ImageFile, dtype: np.dtype[Any] | None = None) -> None:
    """Raise FileError if an image like this one, of its or another dtype, cannot be written."""
    path = Path(path)
    _check_suffix(path)
    if path.suffix.lower() in PNG_SUFFIXES:
        if image.planes:
            raise FileError(f"{path}: a PNG file cannot hold a stack; write a .tif instead.")
        channels, dtype = image.channel_count, dtype or image.image.dtype
        gray = channels == 1 and dtype in (np.uint8, np.uint16)
        if not gray and not (dtype == np.uint8 and channels in (2, 3, 4)):
            raise FileError(
                f"{path}: a PNG file cannot hold {channels} channel(s) of {dtype}; "
                "write a .tif instead."
            )
    check_folder(path)


def check_folder(path: Path) -> None:
    """Raise FileError if no file can be written to `path`."""
    if path.is_dir():
        raise FileError(f"{path}: is a folder, not a file.")
    if not path.parent.is_dir():
        raise FileError(f"{path}: the folder {path.parent} does not exist.")
    part = _part(path)
    try:
        try:
            part.touch(exist_ok=False)
        finally:  # also if a signal ends the program in between
            part.unlink(missing_ok=True)
    except OSError as error:
        raise FileError(
            f"{path}: the folder {path.parent} is not writable ({error.strerror})."
        ) from error


def check_space(path: Path, size: int) -> None:
    """Raise FileError if there is too little space for a TIFF file with `size` bytes of pixels."""
    free = shutil.disk_usage(path.parent).free
    if path.suffix.lower() in TIFF_SUFFIXES and size > free:
        raise FileError(
            f"{path}: the result needs {size / 1e6:.2g} MB, but only {free / 1e6:.2g} MB are free "
            "there."
        )


def is_on_network(path: str) -> bool:
    r"""Return whether a path is a network path of Windows (such as \\server\share).

    Looking for such a file would log in to a server that whoever wrote the path has chosen.
    """
    return path.replace("/", "\\").startswith(("\\\\", "\\??\\"))


def image_files(folder: Path) -> list[Path]:
    """Return the image files of a folder, sorted by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise FileError(f"{path}: unknown file type; use one of {', '.join(SUFFIXES)}.")


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if there is none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _read_png(path: Path) -> ImageFile:
    from PIL import Image

    with path.open("rb") as stream:
        header = stream.read(26)
    if header[:4] == b"\x89PNG" and header[24] == 16 and header[25] != 0:
        raise FileError(f"{path}: 16-bit color PNG files are not supported; save it as TIFF.")
    with Image.open(path, formats=("PNG",)) as picture:  # by content, Pillow would open others
        made = dict_of(picture.info.get(KEY))
        described = picture.info.get("Description", "")
        profile = picture.info.get("icc_profile") or b""
        size = _printed_size(picture.info.get("dpi"))
        notes = _dropped(picture)
        if picture.mode in ("P", "1", "PA"):  # palettes and bitmaps: the displayed colors
            image = np.asarray(picture.convert("RGB" if picture.mode != "1" else "L"))
        else:
            image = np.asarray(picture)
    if image.dtype == np.int32:  # Pillow's mode for 16-bit gray in older versions
        image = image.astype(np.uint16)
    return ImageFile(
        image,
        channel_axis=None if image.ndim == 2 else 2,
        pixel_size=size,
        unit="in" if size else "",
        provenance=made,
        color_profile=profile,
        description=described if isinstance(described, str) else "",
        notes=notes,
    )


def _printed_size(dpi: Any) -> tuple[float, float] | None:  # noqa: ANN401  (of Pillow)
    """Return the (Y, X) size of a pixel in inches from the pixels per inch along X and Y."""
    if not dpi or min(dpi) <= 0:
        return None
    return 1 / float(dpi[1]), 1 / float(dpi[0])


def _dropped(picture: Any) -> tuple[str, ...]:  # noqa: ANN401  (Pillow is imported when it is needed)
    """Return a line on each content of a PNG file that is not read."""
    more = getattr(picture, "n_frames", 1) - 1
    frames = f"only the first image is restored; the file holds {more} more." if more else ""
    is_left_out = "transparency" in picture.info or picture.mode == "PA"
    colors = "its transparency is left out." if is_left_out else ""
    return tuple(filter(None, [frames, colors]))


def _write_png(path: Path, result: ImageFile, provenance: Mapping[str, Any] | None) -> None:
    from PIL import Image, PngImagePlugin

    image = result.image
    if result.channel_axis is not None:
        image = np.moveaxis(image, result.channel_axis, -1)
    notes = PngImagePlugin.PngInfo()
    if provenance is not None:
        notes.add_text(KEY, json.dumps(provenance))
    if result.description:
        notes.add_text("Description", result.description)
    how: dict[str, Any] = {"icc_profile": result.color_profile or None}
    sizes = [in_unit(size, result.unit, "in") or 0.0 for size in result.pixel_size or ()]
    if sizes and all(1e-6 < size < 1e3 for size in sizes):  # that the format can hold
        how["dpi"] = (1 / sizes[1], 1 / sizes[0])
    Image.fromarray(np.ascontiguousarray(image)).save(path, format="PNG", pnginfo=notes, **how)
