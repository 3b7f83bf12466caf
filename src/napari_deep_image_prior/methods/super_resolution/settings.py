"""Settings of super-resolution."""

from __future__ import annotations

from dataclasses import dataclass

from ...fitting.settings import CompactNetwork, SelfSupervisedFit, check_positive


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


FAST = SuperResolutionFit(iterations=2000, batch=8, crop=48, learning_rate=0.006)
BEST = SuperResolutionFit(
    CompactNetwork(widths=(64, 96)),
    iterations=2000,
    batch=8,
    crop=48,
    learning_rate=0.006,
    networks=3,
)
