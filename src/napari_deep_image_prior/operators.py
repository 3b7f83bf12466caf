r"""Forward operators A of the image formation model.

    observed = A(true image) + noise,    misfit(x) = mean of (A(x) - observed)^2 over known pixels.

Operators are linear, act on (N, C, Y, X) or (N, C, Z, Y, X) tensors, are immutable and implement
their adjoint: <A x, y> = <x, A* y>.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .resampling import cubic_matrix, lanczos_matrix


class Operator(Protocol):
    """A linear forward operator."""

    def forward(self, estimate: Tensor) -> Tensor:
        """Return the noise-free measurement of `estimate`, (N, C, Y, X)."""
        ...

    def adjoint(self, measured: Tensor) -> Tensor:
        """Apply the adjoint operator to a measurement, (N, C, y, x)."""
        ...


@dataclass(frozen=True, eq=False)
class Identity:
    """The identity, for denoising."""

    def forward(self, estimate: Tensor) -> Tensor:
        """Return `estimate` itself."""
        return estimate

    def adjoint(self, measured: Tensor) -> Tensor:
        """Return `measured` itself."""
        return measured


@dataclass(frozen=True, eq=False)
class Mask:
    """Set unknown pixels to 0, for inpainting."""

    known: Tensor
    """(1, 1 or C, Y, X), 1 where a pixel is known, else 0."""

    def forward(self, estimate: Tensor) -> Tensor:
        """Set the unknown pixels to 0."""
        return estimate * self.known

    def adjoint(self, measured: Tensor) -> Tensor:
        """Set the unknown pixels to 0: the operator is self-adjoint."""
        return measured * self.known


@dataclass(frozen=True, eq=False)
class Downsample:
    """Downsample an image or volume with a Lanczos filter, for super-resolution.

    Both grids cover the same area: the center of small pixel i is at (i + 0.5) * factor - 0.5 in
    the large image. The image is mirrored at its border.
    """

    rows: Tensor
    """(small Y, large Y) weights along Y; rows sum to 1."""
    columns: Tensor
    """(small X, large X) weights along X; rows sum to 1."""
    planes: Tensor | None = None
    """(small Z, large Z) weights along Z; None for images (Y, X)."""

    @classmethod
    def lanczos(
        cls,
        large: tuple[int, ...],
        small: tuple[int, ...],
        *,
        device: str | torch.device = "cpu",
    ) -> Downsample:
        """Return the operator from a `large` to a `small` (Y, X) or (Z, Y, X) shape."""
        matrices = [lanczos_matrix(*sizes) for sizes in zip(large, small, strict=True)]
        *planes, rows, columns = (
            torch.from_numpy(matrix).to(device, torch.float32) for matrix in matrices
        )
        return cls(rows, columns, *planes)

    def forward(self, estimate: Tensor) -> Tensor:
        """Downsample."""
        # a dense product for each axis costs thousandths of the network and has an obvious adjoint
        return _applied(estimate, self.rows, self.columns, self.planes)

    def adjoint(self, measured: Tensor) -> Tensor:
        """Apply the transposed weights."""
        planes = None if self.planes is None else self.planes.T
        return _applied(measured, self.rows.T, self.columns.T, planes)

    @property
    def large(self) -> tuple[int, ...]:
        """(Y, X) or (Z, Y, X) shape of the large image."""
        matrices = (self.planes, self.rows, self.columns)
        return tuple(matrix.shape[1] for matrix in matrices if matrix is not None)


def resized(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Resample (N, C, Y, X) or (N, C, Z, Y, X) to a spatial shape of the same area, bicubic."""
    *planes, rows, columns = (
        torch.from_numpy(cubic_matrix(source, target).astype(np.float32)).to(image.device)
        for source, target in zip(image.shape[-len(shape) :], shape, strict=True)
    )
    return _applied(image, rows, columns, *planes)


def _applied(image: Tensor, rows: Tensor, columns: Tensor, planes: Tensor | None = None) -> Tensor:
    """Return the product of each axis of an image with a matrix; square ones are identities."""
    if planes is not None and planes.shape[0] != planes.shape[1]:
        deep = image.flatten(-2)  # (N, C, Z, Y X)
        image = (planes @ deep).unflatten(-1, image.shape[-2:])
    if rows.shape[0] != rows.shape[1]:
        image = rows @ image
    return image if columns.shape[0] == columns.shape[1] else image @ columns.T


@dataclass(frozen=True, eq=False)
class Measurement:
    """An observed image, its known pixels, and its forward operator."""

    observed: Tensor
    """(1, C, y, x) or (1, C, z, y, x) in the network's range; 0 where unknown."""
    known: Tensor
    """The same shape, 1 where a pixel is known, else 0."""
    operator: Operator
    """Forward operator from the true image to `observed`."""
    shape: tuple[int, ...]
    """Spatial shape of the true image, which differs from that observed in super-resolution."""

    def misfit(self, estimate: Tensor) -> Tensor:
        """Return the mean squared difference to the known pixels, a scalar tensor."""
        difference = (self.operator.forward(estimate) - self.observed) * self.known
        return difference.square().sum() / self.known.sum()
