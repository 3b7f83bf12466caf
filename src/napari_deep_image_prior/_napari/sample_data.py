"""The sample images as layers, for File > Open Sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation.samples import Sample, noisy_tissue, scratched_portrait, small_cat

if TYPE_CHECKING:
    from napari.types import LayerDataTuple


def noisy_tissue_layers() -> list[LayerDataTuple]:
    """Return the noisy tissue section."""
    return _layers(noisy_tissue())


def scratched_portrait_layers() -> list[LayerDataTuple]:
    """Return the scratched portrait and its mask."""
    return _layers(scratched_portrait())


def small_cat_layers() -> list[LayerDataTuple]:
    """Return the small cat."""
    return _layers(small_cat())


def _layers(sample: Sample) -> list[Any]:
    layers: list[Any] = [
        (np.array(sample.task.image), {"name": sample.name, "rgb": sample.is_rgb}, "image")
    ]
    for name in sample.task.pixelwise:
        painted = np.asarray(getattr(sample.task, name)).any(axis=-1).astype(np.uint8)
        layers.append((painted, {"name": f"{sample.name} {name}"}, "labels"))
    return layers
