"""Settings of denoising."""

from __future__ import annotations

from dataclasses import dataclass

from ...fitting.settings import CompactNetwork, SelfSupervisedFit, check_positive


@dataclass(frozen=True)
class DenoisingFit(SelfSupervisedFit):
    """Denoising: noise a classical estimate anew, denoise that, and fit the network to correct the result."""

    draws: int = 8
    """Newly noised images to learn from; one more is made to judge by."""
    region: int = 256
    """Edge of the part of the image that is noised anew, in pixels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "draws", "region")


FAST = DenoisingFit(
    CompactNetwork(widths=(32, 48, 64), depth=1), iterations=1200, batch=8, learning_rate=0.002
)
BEST = DenoisingFit(
    CompactNetwork(widths=(48, 64, 96), depth=2),
    iterations=5000,
    batch=8,
    learning_rate=0.002,
    draws=24,
    patience=2000,
)
