"""The size of an enlarged image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plane import plane_size

if TYPE_CHECKING:
    from napari.layers import Image


def result_size(layer: Image, factor: float) -> str:
    """Return the number of pixels and the pixel size of the enlarged planes of a layer."""
    height, width = (round(factor * size) for size in plane_size(layer))
    sizes = [f"{abs(step) / factor:.4g}" for step in layer.scale[-2:]]
    unit = f"{layer.units[-1]:~}" if str(layer.units[-1]) != "pixel" else ""
    if not unit and set(layer.scale[-2:]) == {1}:
        step = f"1/{factor:g} of a pixel of the image"
    else:
        step = f"{' x '.join(dict.fromkeys(reversed(sizes)))} {unit}".rstrip()
    return f"Result: {width} x {height} pixels, pixel size {step}."
