import numpy as np
import pytest

from napari_deep_image_prior import Denoise, restore
from napari_deep_image_prior.clipping import Clipping, find_clipping
from napari_deep_image_prior.noise import measure_noise

from .conftest import QUICK

Y, X = np.mgrid[:160, :160]
SCENE = np.clip(128 + 160 * np.sin(X / 25) * np.cos(Y / 30), 0, 255)
"""Flat at both ends: a third of it."""


def _noisy(sigma: float = 25, seed: int = 0) -> np.ndarray:
    return SCENE + np.random.default_rng(seed).normal(0, sigma, SCENE.shape)


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, np.inf), (-np.inf, 255)])
def test_the_mean_and_the_variance_of_clipped_noise_are_known(low: float, high: float) -> None:
    clipping = Clipping(low, high, 25)
    for truth in (0, 10, 60, 200, 250, 255):
        observed = clipping.clip(truth + np.random.default_rng(1).normal(0, 25, 400_000))
        mean = np.array([observed.mean()])
        assert clipping.unclipped(mean)[0] == pytest.approx(truth, abs=0.3)
        assert clipping.variance(mean)[0] == pytest.approx(observed.var() / 25**2, rel=0.02)


def test_what_is_bright_or_dark_beyond_the_range_is_at_its_end() -> None:
    assert list(Clipping(0, 255, 25).unclipped(np.array([0.0, 3, 254, 255]))) == [0, 0, 255, 255]


@pytest.mark.parametrize("step", [0, 1, 8])
def test_clipped_ends_are_found(step: float) -> None:
    noisy = _noisy() if step == 0 else np.round(_noisy() / step) * step
    assert find_clipping(noisy, 25) is None
    assert find_clipping(noisy.clip(0), 25) == Clipping(0, np.inf, 25)
    assert find_clipping(noisy.clip(0, 256), 25) == Clipping(0, 256, 25)


@pytest.mark.parametrize("image", [np.zeros((20, 20)), np.eye(20), np.arange(400.0).reshape(20, 20)])
def test_an_image_without_noise_is_not_taken_for_clipped(image: np.ndarray) -> None:
    assert find_clipping(image, 1e-3) is None


def test_what_was_found_is_said() -> None:
    assert measure_noise(_noisy().clip(0, 255)).describe().endswith(", clipped at 0 and 255")
    assert "clipped" not in measure_noise(_noisy()).describe()


@pytest.mark.parametrize("strength", [0.5, 1, 1.5])
def test_the_mean_that_clipping_hides_is_restored(strength: float) -> None:
    noisy = _noisy().clip(0, 255)
    dark = SCENE == 0
    assert noisy[dark].mean() > 9
    restored = restore(Denoise(noisy, strength=strength), settings=QUICK["denoise"]).image
    assert restored[dark].mean() < 9 * (1 - min(strength, 1)) + 1.5


def test_colours_of_which_one_is_clipped_are_not_spoilt() -> None:
    random = np.random.default_rng(0)
    truth = np.stack([SCENE, 128 + 0 * SCENE, 255 - SCENE], axis=-1)
    unclipped = truth + random.normal(0, 25, truth.shape)
    errors = []
    for noisy in (unclipped, unclipped.clip(0, 255)):
        restored = restore(Denoise(noisy, channel_axis=2), settings=QUICK["denoise"]).image
        errors.append(np.square(restored.clip(0, 255) - truth).mean())
    assert errors[1] < 1.2 * errors[0]
