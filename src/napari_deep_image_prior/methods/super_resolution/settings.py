"""Settings of super-resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from ...fitting.settings import CompactNetwork, SelfSupervisedFit, check_positive

LARGE = 256 * 256
"""Pixels of a result below which the fit of a preset is shorter."""
SMALLEST_SHARE = 0.35
"""Smallest share of the iterations."""


@dataclass(frozen=True)
class SuperResolutionFit(SelfSupervisedFit):
    """Super-resolution: downsample the image, and fit the network to correct its enlargement."""

    father_scales: tuple[float, ...] = (1.0, 0.9, 0.8, 0.7, 0.6)
    """Scales of the copies of the image to learn from, above 0 to 1."""
    back_projections: int = 10
    """Iterations of back-projection after each stage."""
    networks: int = 1
    """Networks fitted in sequence, whose corrections are averaged."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "networks")
        if not self.father_scales or not all(0 < scale <= 1 for scale in self.father_scales):
            raise ValueError(
                f"father_scales={self.father_scales} must be numbers above 0, at most 1."
            )
        if self.back_projections < 0:
            raise ValueError(f"back_projections={self.back_projections} must be 0 or more.")

    def for_pixels(self, pixels: int) -> Self:
        """Return the settings with fewer iterations and crops for a small result."""
        share = min(1.0, max(SMALLEST_SHARE, pixels / LARGE))
        return replace(
            self,
            iterations=max(round(share * self.iterations), 1),
            batch=self.batch if share == 1 else max(self.batch // 2, 1),
        )


FAST = SuperResolutionFit(iterations=2000, batch=8, crop=48, learning_rate=0.006)
BEST = SuperResolutionFit(
    CompactNetwork(widths=(64, 96)),
    iterations=2000,
    batch=8,
    crop=48,
    learning_rate=0.006,
    networks=3,
)
