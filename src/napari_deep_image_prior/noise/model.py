"""What the noise of one channel is like, and its variance stabilization."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .correlated import WHITE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .clipped import Clipping
    from .correlated import NoiseCorrelation


@dataclass(frozen=True)
class NoiseModel:
    """The noise of one channel."""

    std: float
    """Standard deviation in the image's units; 1 where the noise depends on the intensity."""
    photon: tuple[float, float] | None = None
    """(a, b) of variance = a * intensity + b, None for noise that is the same everywhere."""
    stretch: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    """A monotone curve (from, to) that evens out what the square root leaves uneven: few photons, clipped values."""
    blur: NoiseCorrelation = WHITE
    """How far neighbors share the noise."""
    clipping: Clipping | None = None
    """The ends of the range at which it was cut off; only of white noise that is the same everywhere."""

    def stabilize(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Make the noise's standard deviation 1 everywhere."""
        if self.photon is None:
            return image / self.std
        a, b = self.photon
        root: NDArray[np.float64] = 2 / a * np.sqrt(np.maximum(a * image + 0.375 * a * a + b, 0))
        return root if self.stretch is None else np.interp(root, self.stretch[0], self.stretch[1])

    def invert(self, stabilized: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring a noise-free stabilized image back to intensities.

        Makitalo and Foi, IEEE Trans. Image Process. 22 (2013) 91,
        doi:10.1109/TIP.2012.2202675: the closed form of the exact unbiased inverse.
        """
        if self.photon is None:
            image = stabilized * self.std
            return (
                image
                if self.clipping is None
                else self.clipping.clip(self.clipping.unclipped(image))
            )
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

    def noised(
        self, stabilized: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Add noise of standard deviation 1 to a stabilized image that has none, clipped as the image was."""
        if self.clipping is None:
            return stabilized + noise
        truth = self.clipping.unclipped(stabilized * self.std)
        return self.clipping.clip(truth + noise * self.std) / self.std

    def variance(self, stabilized: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance of the stabilized noise around these local means: 1, less where it was clipped."""
        return (
            np.ones_like(stabilized)
            if self.clipping is None
            else self.clipping.variance(stabilized * self.std)
        )

    def describe(self) -> str:
        """Say in words what was found."""
        shared = ", shared by neighboring pixels" if self.blur else ""
        if self.photon is None:
            clipped = f", {self.clipping.describe()}" if self.clipping else ""
            return f"noise of standard deviation {self.std:.3g}{shared}{clipped}"
        a, b = self.photon
        return f"photon noise, variance = {a:.3g} x (intensity {b / a:+.3g}){shared}"
