"""Settings of super-resolution."""

from __future__ import annotations

from dataclasses import dataclass

from ...fitting.settings import CompactNetwork, SelfSupervisedFit, check_positive


@dataclass(frozen=True)
class SuperResolutionFit(SelfSupervisedFit):
    """Super-resolution: shrink the image, and fit the network to undo that."""

    father_scales: tuple[float, ...] = (1.0, 0.9, 0.8, 0.7, 0.6)
    """The image is also learned from at these scales."""
    back_projections: int = 10
    """Corrections that make the enlarged image consistent with the small one."""
    networks: int = 1
    """Networks fitted one after another, whose corrections are averaged."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "networks")
        if not self.father_scales or not all(0 < scale <= 1 for scale in self.father_scales):
            raise ValueError(f"father_scales={self.father_scales} must lie between 0 and 1.")
        if self.back_projections < 0:
            raise ValueError("back_projections must not be negative.")


FAST = SuperResolutionFit(iterations=2000, batch=8, crop=48, learning_rate=0.006)
BEST = SuperResolutionFit(
    CompactNetwork(widths=(64, 96)),
    iterations=2000,
    batch=8,
    crop=48,
    learning_rate=0.006,
    networks=3,
)
