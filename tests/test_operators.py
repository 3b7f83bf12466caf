from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from napari_deep_image_prior.operators import (
    Blur,
    Downsample,
    Identity,
    Mask,
    Measurement,
    Operator,
    lanczos_matrix,
)


def _mask() -> Mask:
    return Mask(
        (torch.rand((1, 1, 13, 16), generator=torch.Generator().manual_seed(3)) > 0.5).double()
    )


def _downsample(small: tuple[int, int]) -> Downsample:
    made = Downsample.lanczos((13, 16), small)
    return Downsample(made.rows.double(), made.columns.double())


PSF = np.random.default_rng(0).random((3, 5))


def _blur(observed: tuple[int, int], *, extends: bool) -> Blur:
    made = Blur.by(PSF / PSF.sum(), observed, extends=extends)
    return replace(made, transfer=made.transfer.to(torch.complex128))


def _window() -> Blur:
    transfer = torch.fft.rfftn(torch.from_numpy(np.pad(PSF, ((0, 10), (0, 11)))))
    return Blur(transfer, (13, 16), (slice(1, 12), slice(2, 14)))


OPERATORS = {
    "blur with replicated borders": lambda: _blur((13, 16), extends=True),
    "identity": Identity,
    "mask": _mask,
    "downsample by about 4": lambda: _downsample((3, 4)),
    "downsample by about 3 and 2": lambda: _downsample((4, 8)),
    "blur of a window": _window,
    "downsample along one axis": lambda: _downsample((9, 16)),
}


@pytest.mark.parametrize("make", OPERATORS.values(), ids=OPERATORS.keys())
def test_an_operator_is_linear_and_has_its_adjoint(make: object) -> None:
    operator: Operator = make()  # type: ignore[operator]
    generator = torch.Generator().manual_seed(0)
    x, other = (
        torch.randn((2, 3, 13, 16), dtype=torch.float64, generator=generator) for _ in range(2)
    )
    measured = operator.forward(x)
    torch.testing.assert_close(
        operator.forward(2 * x - 3 * other), 2 * measured - 3 * operator.forward(other)
    )
    y = torch.randn(measured.shape, dtype=torch.float64, generator=generator)
    torch.testing.assert_close((measured * y).sum(), (x * operator.adjoint(y)).sum())


def test_blurring_is_a_convolution_without_wrapping() -> None:
    image = np.random.default_rng(1).random((13, 16))
    psf = PSF / PSF.sum()
    expected = fftconvolve(np.pad(image, ((1, 1), (2, 2)), mode="edge"), psf, "valid")
    blurred = Blur.by(psf, (13, 16), extends=True).forward(torch.from_numpy(image)[None, None])
    np.testing.assert_allclose(blurred[0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4, 8, 2.5])
def test_downsampling_keeps_flat_images_and_does_not_shift_ramps(factor: float) -> None:
    small = 24
    matrix = lanczos_matrix(round(small * factor), small)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    ramp = np.arange(round(small * factor))
    # small pixel i lies at (i + 0.5) * factor - 0.5 of the large image
    centers = (np.arange(small) + 0.5) * factor - 0.5
    np.testing.assert_allclose((matrix @ ramp)[5:-5], centers[5:-5], atol=0.02 * factor)


def test_downsampling_is_symmetric() -> None:
    matrix = lanczos_matrix(32, 8)
    np.testing.assert_allclose(matrix[::-1, ::-1], matrix, atol=1e-12)


def test_downsampling_removes_frequencies_beyond_the_small_grid() -> None:
    finest = np.cos(np.pi * np.arange(64))
    assert np.abs(lanczos_matrix(64, 16) @ finest)[2:-2].max() < 0.001


def test_unknown_pixels_do_not_enter_the_misfit() -> None:
    known = torch.ones((1, 1, 4, 5))
    known[..., 2, 3] = 0
    measurement = Measurement(torch.zeros((1, 1, 4, 5)), known, Identity(), (4, 5))
    estimate = torch.ones((1, 1, 4, 5))
    estimate[..., 2, 3] = 100
    assert measurement.misfit(estimate).item() == pytest.approx(1)
