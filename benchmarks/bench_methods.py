"""The classical methods of the benchmark: each restores the image of a case.

Patch methods and total variation get the true noise level, or for real images scikit-image's
estimate; only VST + BM3D estimates the noise as this project does. Their strengths are the best of
several on these images.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from skimage.restoration import denoise_tv_chambolle

from napari_deep_image_prior.arrays import channels_back, channels_first
from napari_deep_image_prior.noise.estimation import estimate_noise
from napari_deep_image_prior.reproduction import baselines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench_cases import Case


def nlm(case: Case) -> np.ndarray:
    return baselines.non_local_means(case, case.sigma, strength=0.8 if case.is_real else 0.65)


def bm3d(case: Case) -> np.ndarray:
    import bm3d as package

    image = np.asarray(case.task.image)
    return (package.bm3d if image.ndim == 2 else package.bm3d_rgb)(image, case.sigma)


def stabilized_bm3d(case: Case) -> np.ndarray:
    """Stabilize the variance of each channel with our noise estimate, apply BM3D, and invert."""
    import bm3d as package

    image = channels_first(np.asarray(case.task.image, dtype=float), case.task.channel_axis)
    restored = []
    for channel in image:
        model = estimate_noise(channel)
        restored.append(model.invert(package.bm3d(model.stabilize(channel), 1.0)))
    return channels_back(np.stack(restored), case.task.channel_axis)


def wavelet(case: Case) -> np.ndarray:
    return baselines.wavelet(case, case.sigma)


def total_variation(case: Case) -> np.ndarray:
    weight = (1.0 if case.is_real else 0.8) * case.sigma
    return denoise_tv_chambolle(
        np.asarray(case.task.image), weight=weight, channel_axis=case.task.channel_axis
    )


STABILIZED = "VST + BM3D"
"""The strongest free method for microscopy: the noise is estimated, photon noise is stabilized."""
CLASSICAL: Mapping[str, Mapping[str, Callable[[Case], np.ndarray]]] = {
    "denoise": {
        "NLM": nlm,
        "wavelet": wavelet,
        "TV": total_variation,
        "BM3D": bm3d,
        STABILIZED: stabilized_bm3d,
    },
    "inpaint": {"biharmonic": baselines.biharmonic},
    "super-resolve": {"bicubic": baselines.bicubic},
}
FITS = ("fast", "best")
PAPER = "paper time"
START = "start of fast"
"""The classical estimate that `fast` starts from."""

ESTIMATE = "estimate_noise"
METHODS = (ESTIMATE, *(name for kind in CLASSICAL.values() for name in kind), START, PAPER, *FITS)
"""In the order of the tables, the quickest first."""


def methods(kind: str) -> list[str]:
    """Return the methods of a task, quickest first; BM3D only if its package is installed."""
    classical = [name for name in CLASSICAL[kind] if "BM3D" not in name or find_spec("bm3d")]
    return [*classical, START, PAPER, *FITS]
