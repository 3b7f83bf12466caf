import numpy as np
import pytest
import torch

from napari_deep_image_prior.generators import run_to_end
from napari_deep_image_prior.patches.nl_ridge import HALVINGS, _inverse, nl_ridge

Y, X = np.mgrid[:150, :157]
SCENE = (4 * np.sin(X / 30) * np.cos(Y / 25) + 3 * (X > 90)).astype(np.float32)[None, None]
WHITE = np.random.default_rng(0).normal(0, 1, SCENE.shape).astype(np.float32)


def _error(
    noisy: np.ndarray, halvings: int = HALVINGS, variance: np.ndarray | None = None
) -> np.ndarray:
    told = None if variance is None else torch.from_numpy(variance)
    estimate = run_to_end(
        nl_ridge(torch.from_numpy(noisy), 1.0, told, torch.ones(halvings, 1))
    ).numpy()
    return np.square(estimate - SCENE)[0, 0]


def test_low_frequencies_are_denoised_at_smaller_scales() -> None:
    errors = [_error(SCENE + WHITE, halvings).mean() for halvings in (0, 1, 2)]
    assert errors[1] < 0.9 * errors[0]
    assert errors[2] < errors[1]


def test_a_variance_map_improves_the_estimate_where_noise_is_weaker() -> None:
    variance = np.where(X < 80, 0.2, 1)[None, None].astype(np.float32)
    noisy = SCENE + np.sqrt(variance) * WHITE
    told, untold = _error(noisy, variance=variance), _error(noisy)
    assert told[X < 80].mean() < 0.5 * untold[X < 80].mean()
    assert told[X >= 80].mean() < 1.1 * untold[X >= 80].mean()


def test_singular_matrices_have_the_inverse_0() -> None:
    matrices = torch.stack([torch.zeros(3, 3), 4 * torch.eye(3)])
    torch.testing.assert_close(
        _inverse(matrices), torch.stack([0 * matrices[0], 0.25 * torch.eye(3)])
    )


@pytest.mark.parametrize("shape", [(9, 9), (71, 80), (72, 72), (73, 145), (300, 12)])
def test_any_size_is_denoised(shape: tuple[int, int]) -> None:
    fractions = []
    noisy = torch.from_numpy(
        np.random.default_rng(1).normal(5, 1, (2, 1, *shape)).astype(np.float32)
    )
    working = nl_ridge(noisy)
    while True:
        try:
            fractions.append(next(working))
        except StopIteration as done:
            estimate = done.value
            break
    assert fractions == sorted(fractions)
    assert max(fractions) <= 1
    assert estimate.shape == noisy.shape
    assert float((estimate - 5).square().mean()) < 0.3 * float((noisy - 5).square().mean())
