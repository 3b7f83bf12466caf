r"""Forward operators A of the image formation model.

    observed = A(true image) + noise,    misfit(x) = mean of (A(x) - observed)^2 over known pixels.

Operators are linear, act on (N, C, Y, X) or (N, C, Z, Y, X) tensors, are immutable and implement
their adjoint: <A x, y> = <x, A* y>.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from .resampling import cubic_matrix, lanczos_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


@dataclass(frozen=True, eq=False)
class Blur:
    """Blur by a point spread function, for deconvolution; (N, C, Y, X) or (N, C, Z, Y, X).

    The observed window is smaller than the specimen by the reach of the PSF: light from outside of
    the window enters it, and nothing wraps. Images of the window's own size are extended by their
    border pixels.
    """

    transfer: Tensor
    """Fourier transform of the PSF on the grid of the specimen."""
    shape: tuple[int, ...]
    """Shape of the specimen."""
    window: tuple[Any, ...]
    """The slices of the observed part of the specimen."""
    extends: bool = False
    """Whether the operator receives images of the window's size."""

    @classmethod
    def by(
        cls,
        psf: NDArray[np.float64],
        observed: tuple[int, ...],
        *,
        extends: bool = False,
        device: str | torch.device = "cpu",
    ) -> Blur:
        """Return the blur by a PSF of odd shape, for an observed shape."""
        reach = [size // 2 for size in psf.shape]
        shape = tuple(
            next_fast_len(size + 2 * most, real=True)
            for size, most in zip(observed, reach, strict=True)
        )
        kernel = np.zeros(shape)
        kernel[tuple(map(slice, psf.shape))] = psf
        kernel = np.roll(kernel, [-most for most in reach], range(psf.ndim))
        transfer = torch.fft.rfftn(torch.from_numpy(kernel)).to(torch.complex64).to(device)
        window = tuple(slice(r, r + n) for r, n in zip(reach, observed, strict=True))
        return cls(transfer, shape, window, extends)

    def filtered(self, image: Tensor, transfer: Tensor) -> Tensor:
        """Multiply the spectrum of images of the specimen's shape, with periodic borders."""
        axes = tuple(range(-len(self.shape), 0))
        spectrum = torch.fft.rfftn(image, dim=axes) * transfer
        filtered: Tensor = torch.fft.irfftn(spectrum, s=self.shape, dim=axes)
        return filtered

    def extended(self, image: Tensor) -> Tensor:
        """Extend images of the window's shape by their border pixels."""
        for axis, index in self._sources(image.device):
            image = image.index_select(axis, index)
        return image

    def forward(self, estimate: Tensor) -> Tensor:
        """Return the observed window of the blurred specimen."""
        specimen = self.extended(estimate) if self.extends else estimate
        return self.filtered(specimen, self.transfer)[..., *self.window]

    def adjoint(self, measured: Tensor) -> Tensor:
        """Correlate with the PSF."""
        leading = measured.shape[: -len(self.shape)]
        whole = measured.new_zeros((*leading, *self.shape))
        whole[..., *self.window] = measured
        image = self.filtered(whole, self.transfer.conj())
        if not self.extends:
            return image
        for axis, index in self._sources(image.device):
            size = self.window[axis].stop - self.window[axis].start
            target = list(image.shape)
            target[axis] = size
            image = image.new_zeros(target).index_add(axis, index, image)
        return image

    def _sources(self, device: torch.device) -> list[tuple[int, Tensor]]:
        """Return each axis, and the window's pixel of each pixel of the specimen along it."""
        sources = []
        for axis, (size, part) in enumerate(zip(self.shape, self.window, strict=True)):
            index = torch.arange(size, device=device) - part.start
            sources.append((axis - len(self.shape), index.clamp(0, part.stop - part.start - 1)))
        return sources


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
