"""Photon counts in small images."""

import numpy as np
import pytest

from napari_deep_image_prior.noise.estimation import estimate_noise


def _scene(size):
    y, x = np.indices((size, size))
    scene = 1 + 0.6 * np.sin(y / 7) * np.cos(x / 9)
    scene[size // 4 : size // 2, size // 4 : size // 2] *= 2
    return scene / scene.mean()


@pytest.mark.parametrize("size", [32, 48, 64, 96])
@pytest.mark.parametrize("counts", [0.05, 0.3, 1, 5, 20])
def test_photon_counts_are_detected_in_small_images(size, counts):
    image = np.random.default_rng(0).poisson(counts * _scene(size)).astype(float)
    model = estimate_noise(image)
    assert model.photon == (1.0, 0.0)
    assert "small" not in model.describe()


@pytest.mark.parametrize("size", [32, 48, 64, 96])
@pytest.mark.parametrize("std", [3, 12, 30])
def test_gaussian_noise_in_small_images_is_no_photon_noise_and_is_said_to_be_assumed(size, std):
    rng = np.random.default_rng(1)
    image = np.clip(np.rint(100 * _scene(size) + rng.normal(0, std, (size, size))), 0, 255)
    model = estimate_noise(image)
    assert model.photon is None
    assert model.std == pytest.approx(std, rel=0.35)
    assert model.describe().endswith("the image is too small to tell photon noise")


def test_nothing_is_said_to_be_assumed_where_the_noise_is_given_or_the_image_is_large():
    noise = np.random.default_rng(2).normal(100, 5, (128, 128))
    assert "assumed" not in estimate_noise(noise).describe()
    assert "assumed" not in estimate_noise(noise[:48, :48], "gaussian").describe()
    assert "assumed" not in estimate_noise(noise[:48, :48], std=5).describe()
