"""Reading and writing results, for napari's File menu and the Results panel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from ...io.files import TIFF_SUFFIXES, is_result, read_image, write_image
from ...io.image_file import FileError, ImageFile
from ...restoration.record import checked_placement

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SUFFIX = ".dip.ome.tif"
"""Suffix of the files that the reader opens; also in the manifest."""
PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "contrast_limits")
"""Layer attributes that OME-TIFF does not store, or not completely."""
_MEASURED = {"Z": "meter", "T": "second"}


def get_reader(path: str | list[str]) -> Callable[[str], list[Any]] | None:
    """Return the reader of a result, None for any other file."""
    if not isinstance(path, str) or not path.lower().endswith(TIFF_SUFFIXES):
        return None
    return read_layer if is_result(Path(path)) else None  # a broken file is left to other readers


def read_layer(path: str) -> list[Any]:
    """Read a result as a layer at its original position, with its provenance.

    Raises
    ------
    FileError
        If the file cannot be read, or is no result.
    """
    file = read_image(path)
    if file.provenance is None:
        raise FileError(f"{path}: has no provenance; open it with File > Open.")
    provenance = dict(file.provenance)
    placement = provenance.pop("placement", None)
    options: dict[str, Any] = {
        "metadata": {"deep_image_prior": provenance},
        "name": Path(path).name.split(".")[0],
    }
    image = file.image
    if placement is not None:
        try:
            return [(*_placed(file, checked_placement(placement), options), "image")]
        except (ValueError, TypeError, LookupError) as error:
            raise FileError(f"{path}: its placement cannot be used ({error}).") from error
    options |= _grid(file)
    options["rgb"] = file.channel_axis == image.ndim - 1 and image.shape[-1] in (3, 4)
    if file.channel_axis is not None and not options["rgb"]:
        options |= {"channel_axis": file.channel_axis, "name": list(file.channel_names) or None}
    return [(image, options, "image")]


def _placed(
    file: ImageFile, placement: dict[str, Any], options: dict[str, Any]
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return the image of a layer that was saved, and its options; an error if they do not fit."""
    image, rgb = file.image, placement["rgb"]
    if rgb:
        image = np.moveaxis(image, file.channel_axis or 0, -1)
    leading = placement.pop("leading", [1] * (len(placement["scale"]) - 2))
    image = image.reshape([*leading, *image.shape[-3 if rgb else -2 :]])
    options = options | placement
    Image(np.broadcast_to(image.dtype.type(0), image.shape), **options)  # checks the geometry
    return image, options


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:  # noqa: ANN401  (any layer's data)
    """Write an image layer as OME-TIFF, with its planes, channels, voxel size and provenance.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    try:
        write_image(path, _as_file(data, attributes))
    except FileError as error:  # a ValueError, which tells napari that there is no writer
        raise OSError(str(error)) from error
    return [path]


def _as_file(data: Any, attributes: dict[str, Any]) -> ImageFile:  # noqa: ANN401
    image = np.asarray(data[0] if attributes["multiscale"] else data)
    rgb = attributes["rgb"]
    others = image.shape[: image.ndim - rgb - 2]
    provenance = attributes["metadata"].get("deep_image_prior")
    axis = ((provenance or {}).get("source") or {}).get("channel_axis")
    # the layer may have been changed since
    axis = axis if isinstance(axis, int) and axis < len(others) else None
    kept = [i for i, length in enumerate(others) if length > 1 or i == axis]
    counted = [i for i in kept if i != axis]
    letters = [_letter(attributes["axis_labels"][i]) for i in counted]
    size, unit = _pixel_size(attributes)
    return ImageFile(
        image.reshape([others[i] for i in kept] + list(image.shape[len(others) :])),
        channel_axis=len(kept) + 2 if rgb else (None if axis is None else kept.index(axis)),
        pixel_size=size,
        unit=unit,
        channel_names=() if rgb or axis is not None else (attributes["name"],),
        provenance=provenance
        and {**provenance, "placement": _placement(attributes) | {"leading": list(others)}},
        planes="".join(letters),
        spacing={
            letter: (abs(float(attributes["scale"][i])), f"{attributes['units'][i]:~}")
            for letter, i in zip(letters, counted, strict=True)
            if letter in _MEASURED and attributes["units"][i].is_compatible_with(_MEASURED[letter])
        },
    )


def _letter(label: str) -> str:
    """Return OME's letter for an axis that counts planes; ? if its label is unknown."""
    return {"t": "T", "time": "T", "z": "Z", "depth": "Z"}.get(label.strip().lower(), "?")


def _grid(file: ImageFile) -> dict[str, Any]:
    """Return the scale, units and labels of a file's axes except the channel axis."""
    if file.pixel_size is None:
        return {}
    steps = [file.spacing.get(letter, (1.0, "pixel")) for letter in file.planes]
    length = file.unit or "µm"
    return {
        "scale": (*(step for step, _ in steps), *file.pixel_size),
        "units": (*(unit for _, unit in steps), length, length),
        "axis_labels": (*file.planes.lower(), "y", "x"),
    }


def _placement(attributes: dict[str, Any]) -> dict[str, Any]:
    numbers: dict[str, NDArray[Any]] = {
        name: np.asarray(attributes[name]) for name in PLACEMENT if name in attributes
    }
    return {
        **{name: values.tolist() for name, values in numbers.items()},
        "units": [str(unit) for unit in attributes["units"]],
        "axis_labels": list(attributes["axis_labels"]),
        "name": attributes["name"],
        "rgb": attributes["rgb"],
    }


def _pixel_size(attributes: dict[str, Any]) -> tuple[tuple[float, float] | None, str]:
    """Return the (Y, X) size of a pixel and its OME unit; None if the unit is no length."""
    y_unit, x_unit = attributes["units"][-2:]
    if y_unit != x_unit or not y_unit.is_compatible_with("meter"):
        return None, ""
    height, width = (abs(float(length)) for length in attributes["scale"][-2:])
    return (height, width), f"{y_unit:~}"
