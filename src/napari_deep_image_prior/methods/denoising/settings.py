"""Settings of denoising."""

from __future__ import annotations

from dataclasses import dataclass

from ...fitting.settings import CompactNetwork, SelfSupervisedFit, check_positive

NEIGHBORS = 1
"""Planes on each side of a plane of a volume that the network sees with it."""


def neighbors_of(shape: tuple[int, ...]) -> int:
    """Return the number of such planes for an image of shape (Y, X) or (Z, Y, X)."""
    return NEIGHBORS if len(shape) == 3 and shape[0] > 1 else 0


@dataclass(frozen=True)
class DenoisingFit(SelfSupervisedFit):
    """Denoising: re-noise the first estimate, denoise it, and fit the network to the errors."""

    draws: int = 2
    """Re-noised images for the fit; one more is held out."""
    region: int = 192
    """Edge of the re-noised parts of the image, in pixels."""
    trial: int = 100
    """Steps after which the fit ends if the network adds nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "draws", "region", "trial")


FAST = DenoisingFit(
    CompactNetwork(widths=(32, 48, 64), depth=1), iterations=300, batch=4, learning_rate=0.002
)
BEST = DenoisingFit(
    CompactNetwork(widths=(32, 48, 64), depth=1),
    iterations=2400,
    batch=8,
    learning_rate=0.002,
    draws=12,
    region=256,
    trial=300,
    patience=1000,
)
