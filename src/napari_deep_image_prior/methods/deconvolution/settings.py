"""Settings of deconvolution."""

from __future__ import annotations

from dataclasses import dataclass

from ...fitting.settings import Settings, check_fields, check_positive


@dataclass(frozen=True)
class DeconvolutionFit(Settings):
    """Deconvolution: alternate the data's equation with denoising by groups of similar patches."""

    iterations: int = 12
    """Alternations, from strong to weak denoising."""
    couplings: tuple[float, ...] = (0.3, 0.6, 1.2)
    """Weights of the denoised image in the data's equation, relative to 1 / (noise variance). That
    which best predicts hidden pixels of a part of the image is used."""
    part: int = 112
    """Edge of that part, in pixels."""
    start: float = 0.16
    """Noise level of the first denoising, relative to the range of the image."""
    gradients: int = 10
    """Steps of conjugate gradients in each alternation."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive(self, "iterations", "part", "start", "gradients")
        if not self.couplings or not all(weight > 0 for weight in self.couplings):
            raise ValueError(f"couplings={self.couplings} must be numbers above 0.")

    @property
    def may_end_early(self) -> bool:
        """False: all alternations are made."""
        return False

    @property
    def can_run_on(self) -> bool:
        """False: the last denoising is that of the estimated noise."""
        return False


FAST = DeconvolutionFit()
BEST = DeconvolutionFit(iterations=30)
