"""What the parts of a large image share, so that their results do not differ at their borders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...generators import run_to_end
from ...patches.estimates import EQUAL
from .found_noise import find_noise
from .normalization import Frame, NoiseNormalizer
from .recorrupted import correction_weight, share_of_second

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from ...noise.model import NoiseModel
    from .model import DenoisingModel
    from .recorrupted import RecorruptedPair
    from .task import Denoise


@dataclass(frozen=True)
class Whole:
    """The noise and the weights of a large image, for its parts."""

    models: tuple[NoiseModel, ...]
    """Noise of each channel."""
    summary: str
    """The noise in one line."""
    frame: Frame
    """Coordinates of the normalized channels."""
    share: float = EQUAL
    """Share of the second nonlocal estimate."""
    weight: float | None = None
    """Weight of the network's correction; None: found from the part itself."""

    def weighted(self, pairs: Sequence[RecorruptedPair], model: DenoisingModel) -> Whole:
        """Return the whole with the weights that recorrupted pairs of several parts support."""
        share = share_of_second(pairs)
        corrections = [
            run_to_end(model.mean_correction(pair.noisy, pair.estimates.mixed(share)))
            for pair in pairs
        ]
        return replace(self, share=share, weight=correction_weight(pairs, share, corrections))


def whole_of(
    parts: Sequence[tuple[NDArray[np.float64], NDArray[np.bool_]]],
    task: Denoise,
    device: torch.device,
) -> Whole:
    """Return what representative parts share: noise and coordinates, without weights.

    Parameters
    ----------
    parts : sequence of pairs of (C, Z, Y, X) arrays
        Each part in intensity units, filled in where it is unknown, and the mask of known pixels.
    task : Denoise
        One of their tasks; only its options are used.
    device : torch.device
    """
    size = np.min([image.shape[1:] for image, _ in parts], axis=0)
    inside = (slice(None), *map(slice, size))
    image, known = (np.concatenate([part[which][inside] for part in parts], 1) for which in (0, 1))
    # offsets of rows and columns would differ between the parts
    found = run_to_end(find_noise(image, known, task.noise, task.noise_std, stripes=False))
    normalizer = NoiseNormalizer(image, found.models, max(task.strength, 1.0), device, seed=0)
    return Whole(tuple(found.models), found.summary, normalizer.frame)
