"""The noise model of one channel, and its variance-stabilizing transform."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .correlated import WHITE
from .sparse import NEARLY_ALL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .clipped import Clipping
    from .correlated import NoiseCorrelation


@dataclass(frozen=True)
class NoiseModel:
    """The noise model of one channel."""

    std: float
    """Standard deviation in intensity units; 1 for signal-dependent noise."""
    photon: tuple[float, float] | None = None
    """(a, b) of variance = a * intensity + b; None for signal-independent noise."""
    stretch: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    """Monotone curve (inputs, outputs) applied after the square root; it corrects the variance at
    low photon counts and clipped values."""
    correlation: NoiseCorrelation = WHITE
    """Spatial correlation of the stabilized noise."""
    clipping: Clipping | None = None
    """Clipping limits; only for white, signal-independent noise."""
    outliers: float = 0.0
    """Share of the pixels that deviate far beyond the noise and were not used for the estimate."""
    is_small: bool = False
    """Whether the image was too small to detect photon noise, and Gaussian noise is assumed."""
    ground: float = 0.0
    """Share of the pixels with the same value, if all others are sparse: specimen, or noise."""

    def stabilize(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the variance-stabilizing transform: the noise has standard deviation 1 afterwards.

        For photon noise: generalized Anscombe transform, Starck, Murtagh, Bijaoui, "Image
        Processing and Data Analysis", Cambridge 1998.
        """
        if self.photon is None:
            return image / self.std
        a, b = self.photon
        root: NDArray[np.float64] = 2 / a * np.sqrt(np.maximum(a * image + 0.375 * a * a + b, 0))
        return root if self.stretch is None else np.interp(root, self.stretch[0], self.stretch[1])

    def invert(self, stabilized: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transform a noise-free stabilized image back to intensity units.

        For photon noise: the closed-form approximation of the exact unbiased inverse, Makitalo and
        Foi, IEEE Trans. Image Process. 22 (2013) 91, doi:10.1109/TIP.2012.2202675.
        """
        if self.photon is None:
            image = stabilized * self.std
            clipping = self.clipping
            return image if clipping is None else clipping.clip(clipping.unclip(image))
        a, b = self.photon
        z = (
            stabilized
            if self.stretch is None
            else np.interp(stabilized, self.stretch[1], self.stretch[0])
        )
        z = np.maximum(z, 2 * math.sqrt(0.375))
        k = math.sqrt(1.5)
        counts = z**2 / 4 + k / (4 * z) - 11 / (8 * z**2) + 5 * k / (8 * z**3) - 1 / 8
        return a * np.maximum(counts, 0) - b / a

    def add_noise(
        self, stabilized: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Add noise of standard deviation 1 to a noise-free stabilized image, then clip it."""
        if self.clipping is None:
            return stabilized + noise
        truth = self.clipping.unclip(stabilized * self.std)
        return self.clipping.clip(truth + noise * self.std) / self.std

    def variance(self, stabilized: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance of the stabilized noise at local means: 1, less near a limit."""
        return (
            np.ones_like(stabilized)
            if self.clipping is None
            else self.clipping.variance(stabilized * self.std)
        )

    def describe(self) -> str:
        """Return the model as one line of text."""
        equal = f"{min(100 * self.ground, 99.9):.3g} % of the pixels are equal"
        if self.ground > NEARLY_ALL and self.photon is None:
            return (
                f"noise cannot be estimated: {equal}, and the others are kept as they are (choose "
                "photon noise, or give the noise level, to remove single points)"
            )
        uncertain = f", uncertain: {equal}, and single points count as noise" if self.ground else ""
        if self.ground > NEARLY_ALL:
            uncertain += " (choose camera noise to keep them)"
        ignored = f", {100 * self.outliers:.2g} % outlying pixels ignored" if self.outliers else ""
        small = (
            ", assumed to be camera noise: the image is too small to tell photon noise"
            if self.is_small
            else ""
        )
        return self._described() + ignored + small + uncertain

    def _described(self) -> str:
        correlated = ", spatially correlated" if self.correlation else ""
        if self.photon is None:
            clipped = f", {self.clipping.describe()}" if self.clipping else ""
            return f"noise of standard deviation {_number(self.std)}{correlated}{clipped}"
        a, b = self.photon
        offset = f"{'-' if b < 0 else '+'} {_number(abs(b / a))}"
        return f"photon noise, variance = {_number(a)} x (intensity {offset}){correlated}"


def _number(value: float) -> str:
    """Return three digits, without an exponent where the value has more before the point."""
    return f"{value:.0f}" if 999.5 <= value < 1e6 else f"{value:.3g}"
