"""Results as files, for napari's File menu and the Results widget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import FileError, ImageFile, read_image, tiff_provenance, write_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SUFFIX = ".dip.ome.tif"
"""What marks results for the reader, as the manifest says."""
PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "contrast_limits")
"""Numbers of a layer that OME-TIFF does not hold, or not all of."""


def get_reader(path: str | list[str]) -> Callable[[str], list[Any]] | None:
    """Return the reader of a result, None for any other file."""
    import tifffile

    if not isinstance(path, str):
        return None
    try:
        with tifffile.TiffFile(path) as tiff:
            made = tiff_provenance(tiff)
    except Exception:  # noqa: BLE001  (a broken file is another reader's)
        return None
    return None if made is None else read_layer


def read_layer(path: str) -> list[Any]:
    """Read a result as a layer that lies where it lay and knows how it was made.

    Raises
    ------
    FileError
        If it cannot be read, or is no result.
    """
    found = read_image(path)
    if found.provenance is None:
        raise FileError(f"{path}: does not say how it was made; open it with File > Open.")
    made = dict(found.provenance)
    placement = made.pop("placement", None)
    options: dict[str, Any] = {"metadata": {"deep_image_prior": made}, "name": Path(path).name.split(".")[0]}
    image = found.image
    if placement is not None:
        if placement["rgb"]:
            image = np.moveaxis(image, found.channel_axis or 0, -1)
        leading = [1] * (len(placement["scale"]) - 2)
        if (axis := placement.pop("channel_axis", None)) is not None:
            leading[axis] = 1 if found.channel_axis is None else len(image)
        image = image.reshape(leading + list(image.shape[-3 if placement["rgb"] else -2 :]))
        return [(image, options | placement, "image")]
    if found.pixel_size is not None:
        options |= {"scale": found.pixel_size, "units": (found.unit or "µm",) * 2}
    options["rgb"] = found.channel_axis == image.ndim - 1 and image.shape[-1] in (3, 4)
    if found.channel_axis == 0:
        options |= {"channel_axis": 0, "name": list(found.channel_names) or None}
    return [(image, options, "image")]


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:  # noqa: ANN401  (any layer's data)
    """Write an image layer of one plane, with its channels, as OME-TIFF, with pixel size, name and how it was made.

    Raises
    ------
    OSError
        If the layer is a stack, or the file cannot be written.
    """
    try:
        write_image(path, _as_file(data, attributes))
    except FileError as error:  # a ValueError, by which napari understands that there is no writer
        raise OSError(str(error)) from error
    return [path]


def _as_file(data: Any, attributes: dict[str, Any]) -> ImageFile:  # noqa: ANN401
    image = np.asarray(data[0] if attributes["multiscale"] else data)
    rgb = attributes["rgb"]
    others = image.shape[: image.ndim - rgb - 2]
    made = attributes["metadata"].get("deep_image_prior")
    axis = ((made or {}).get("source") or {}).get("channel_axis")
    axis = axis if isinstance(axis, int) and axis < len(others) else None  # the layer may have been changed since
    if any(length > 1 for i, length in enumerate(others) if i != axis):
        raise FileError(f"a stack of shape {image.shape} is not saved by this plugin: choose another format.")
    size, unit = _pixel_size(attributes)
    channels = () if axis is None else (others[axis],)
    return ImageFile(
        image.reshape(channels + image.shape[len(others) :]),
        channel_axis=2 if rgb else (0 if channels else None),
        pixel_size=size,
        unit=unit,
        channel_names=() if rgb or channels else (attributes["name"],),
        provenance=made and {**made, "placement": _placement(attributes) | {"channel_axis": axis}},
    )


def _placement(attributes: dict[str, Any]) -> dict[str, Any]:
    numbers: dict[str, NDArray[Any]] = {name: np.asarray(attributes[name]) for name in PLACEMENT if name in attributes}
    return {
        **{name: values.tolist() for name, values in numbers.items()},
        "units": [str(unit) for unit in attributes["units"]],
        "axis_labels": list(attributes["axis_labels"]),
        "name": attributes["name"],
        "rgb": attributes["rgb"],
    }


def _pixel_size(attributes: dict[str, Any]) -> tuple[tuple[float, float] | None, str]:
    """Return the (Y, X) size of a pixel and its unit, as OME spells it; None where it is not a length."""
    y_unit, x_unit = attributes["units"][-2:]
    if y_unit != x_unit or not y_unit.is_compatible_with("meter"):
        return None, ""
    height, width = (abs(float(length)) for length in attributes["scale"][-2:])
    return (height, width), f"{y_unit:~}"
