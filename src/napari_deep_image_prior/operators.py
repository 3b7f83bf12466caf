r"""How the image arose: the measurement operator A.

    observed = A(true image) + noise,    misfit(x) = mean of (A(x) - observed)^2 over the known pixels.

Operators are linear, act on (N, C, Y, X) tensors, never change after construction
and know their adjoint: <A x, y> = <x, A* y>.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .resampling import cubic_matrix, lanczos_matrix


class Operator(Protocol):
    """A linear measurement."""

    def forward(self, estimate: Tensor) -> Tensor:
        """Return what would be measured of `estimate`, (N, C, Y, X)."""
        ...

    def adjoint(self, measured: Tensor) -> Tensor:
        """Apply the transposed operator."""
        ...


@dataclass(frozen=True, eq=False)
class Identity:
    """Nothing but noise between the image and its measurement."""

    def forward(self, estimate: Tensor) -> Tensor:
        """Return `estimate` itself."""
        return estimate

    def adjoint(self, measured: Tensor) -> Tensor:
        """Return `measured` itself."""
        return measured


@dataclass(frozen=True, eq=False)
class Mask:
    """Only some pixels are seen; the others are measured as 0."""

    known: Tensor
    """(1, 1 or C, Y, X), 1 where a pixel is seen, else 0."""

    def forward(self, estimate: Tensor) -> Tensor:
        """Zero the unknown pixels."""
        return estimate * self.known

    def adjoint(self, measured: Tensor) -> Tensor:
        """Zero the unknown pixels: the operator is its own adjoint."""
        return measured * self.known


@dataclass(frozen=True, eq=False)
class Downsample:
    """Shrink an image with an anti-aliasing Lanczos filter.

    Pixel centers are half-pixel aligned: small pixel i lies at
    (i + 0.5) * factor - 0.5 of the large image, so neither grid is shifted
    against the other. At the border the image is mirrored.
    """

    rows: Tensor
    """(small Y, large Y): how much each large row gives to a small one; rows sum to 1."""
    columns: Tensor
    """(small X, large X)."""

    @classmethod
    def lanczos(
        cls,
        large: tuple[int, int],
        small: tuple[int, int],
        *,
        device: str | torch.device = "cpu",
    ) -> Downsample:
        """Build the operator from `large` to `small` (Y, X) shapes, which cover the same area."""
        matrices = [lanczos_matrix(*sizes) for sizes in zip(large, small, strict=True)]
        rows, columns = (torch.from_numpy(matrix).to(device, torch.float32) for matrix in matrices)
        return cls(rows, columns)

    def forward(self, estimate: Tensor) -> Tensor:
        """Shrink."""
        # a dense product for each axis: thousandths of the network's cost, and its adjoint is plain to see
        return self.rows @ estimate @ self.columns.T

    def adjoint(self, measured: Tensor) -> Tensor:
        """Spread each small pixel over the large ones it was made of."""
        return self.rows.T @ measured @ self.columns


def resized(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resample (N, C, Y, X) to another shape that covers the same area, bicubic."""
    rows, columns = (
        torch.from_numpy(cubic_matrix(source, target).astype(np.float32)).to(image.device)
        for source, target in zip(image.shape[-2:], shape, strict=True)
    )
    return rows @ image @ columns.T


@dataclass(frozen=True, eq=False)
class Measurement:
    """The observed image, which of its pixels count, and how it arose from the true one."""

    observed: Tensor
    """(1, C, y, x) in the network's range; 0 where unknown."""
    known: Tensor
    """(1, C, y, x), 1 where `observed` counts, else 0."""
    operator: Operator
    shape: tuple[int, int]
    """(Y, X) of the true image, which is not that of `observed` in super-resolution."""

    def misfit(self, estimate: Tensor) -> Tensor:
        """Return the mean squared difference to the known pixels, a scalar tensor."""
        difference = (self.operator.forward(estimate) - self.observed) * self.known
        return difference.square().sum() / self.known.sum()
