"""Settings of inpainting."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...fitting.settings import WARM, CompactNetwork, SelfSupervisedFit


@dataclass(frozen=True)
class InpaintingFit(SelfSupervisedFit):
    """Inpainting: hide known pixels, fill them, and fit the network to correct the fill."""

    hidden: tuple[float, float] = (0.05, 0.4)
    """Range of the fraction of known pixels hidden in a crop, between 0 and 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.hidden) != 2 or not 0 < self.hidden[0] <= self.hidden[1] < 1:
            raise ValueError(
                f"hidden={self.hidden} must be two increasing numbers between 0 and 1."
            )

    def warm_started(self) -> InpaintingFit:
        """Return the settings of a warm-started fit, with a quarter of the steps."""
        return replace(self, iterations=max(1, self.iterations // WARM))


FAST = InpaintingFit(iterations=3000, learning_rate=0.008)
BEST = InpaintingFit(CompactNetwork(widths=(64, 96), depth=2), iterations=16000, patience=4000)
