"""Results as files, for napari's File menu and the Results widget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...io.files import read_image, write_image
from ...io.image_file import FileError, ImageFile
from ...io.tiff import tiff_provenance

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SUFFIX = ".dip.ome.tif"
"""What marks results for the reader, as the manifest says."""
PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "contrast_limits")
"""Numbers of a layer that OME-TIFF does not hold, or not all of."""
_MEASURED = {"Z": "meter", "T": "second"}


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
    options: dict[str, Any] = {
        "metadata": {"deep_image_prior": made},
        "name": Path(path).name.split(".")[0],
    }
    image = found.image
    if placement is not None:
        if placement["rgb"]:
            image = np.moveaxis(image, found.channel_axis or 0, -1)
        leading = placement.pop("leading", [1] * (len(placement["scale"]) - 2))
        image = image.reshape([*leading, *image.shape[-3 if placement["rgb"] else -2 :]])
        return [(image, options | placement, "image")]
    options |= _grid(found)
    options["rgb"] = found.channel_axis == image.ndim - 1 and image.shape[-1] in (3, 4)
    if found.channel_axis is not None and not options["rgb"]:
        options |= {"channel_axis": found.channel_axis, "name": list(found.channel_names) or None}
    return [(image, options, "image")]


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:  # noqa: ANN401  (any layer's data)
    """Write an image layer, with its planes and channels, as OME-TIFF, with voxel size, name and how it was made.

    Raises
    ------
    OSError
        If the file cannot be written.
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
    axis = (
        axis if isinstance(axis, int) and axis < len(others) else None
    )  # the layer may have been changed since
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
        provenance=made
        and {**made, "placement": _placement(attributes) | {"leading": list(others)}},
        planes="".join(letters),
        spacing={
            letter: (abs(float(attributes["scale"][i])), f"{attributes['units'][i]:~}")
            for letter, i in zip(letters, counted, strict=True)
            if letter in _MEASURED and attributes["units"][i].is_compatible_with(_MEASURED[letter])
        },
    )


def _letter(label: str) -> str:
    """Return what OME calls an axis that counts planes, ? where its label does not say."""
    return {"t": "T", "time": "T", "z": "Z", "depth": "Z"}.get(label.strip().lower(), "?")


def _grid(found: ImageFile) -> dict[str, Any]:
    """Return scale, units and labels of the axes of a file's layer, or of each of its channels'."""
    if found.pixel_size is None:
        return {}
    steps = [found.spacing.get(letter, (1.0, "pixel")) for letter in found.planes]
    length = found.unit or "µm"
    return {
        "scale": (*(step for step, _ in steps), *found.pixel_size),
        "units": (*(unit for _, unit in steps), length, length),
        "axis_labels": (*found.planes.lower(), "y", "x"),
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
    """Return the (Y, X) size of a pixel and its unit, as OME spells it; None where it is not a length."""
    y_unit, x_unit = attributes["units"][-2:]
    if y_unit != x_unit or not y_unit.is_compatible_with("meter"):
        return None, ""
    height, width = (abs(float(length)) for length in attributes["scale"][-2:])
    return (height, width), f"{y_unit:~}"
