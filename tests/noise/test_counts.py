"""Photon counts in small images."""

import numpy as np
import pytest

import napari_deep_image_prior as dip
from napari_deep_image_prior.noise.estimation import estimate_noise
from tests.conftest import QUICK


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


def _points(share: float, size: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.uniform(50, 200, (size, size)) * (random.random((size, size)) < share)


@pytest.mark.parametrize("kind", ["auto", "gaussian", "correlated"])
@pytest.mark.parametrize(("share", "size"), [(1e-3, 128), (0.02, 64), (0.02, 256), (0.08, 64)])
def test_single_points_on_a_ground_without_noise_are_kept_and_it_is_said(kind, share, size):
    points = _points(share, size)
    model = estimate_noise(points, kind)
    assert model.std < 1
    assert model.describe().startswith("noise cannot be estimated")
    assert "photon noise" in model.describe()


def test_single_points_that_look_like_photons_are_said_to_be_uncertain():
    model = estimate_noise(_points(0.08, 256))
    assert model.photon is not None
    assert "uncertain: 91.9 % of the pixels are equal" in model.describe()
    kept = estimate_noise(_points(0.08, 256), "gaussian")
    assert kept.std < 1
    assert (
        "uncertain: 79.3 % of the pixels are equal" in estimate_noise(_points(0.2, 64)).describe()
    )


def test_dim_counts_and_objects_on_an_equal_ground_are_not_said_to_be_uncertain():
    random = np.random.default_rng(0)
    objects = np.zeros((160, 160))
    objects[40:100, 40:100] = random.normal(100, 10, (60, 60))
    counts = random.poisson(0.05, (200, 200)).astype(float)
    clipped = random.normal(-1, 5, (200, 200)).clip(0)
    for image in (counts, clipped, objects, np.zeros((99, 99))):
        assert estimate_noise(image).ground == 0


def test_restored_points_keep_their_height():
    points = _points(0.001, 128)
    result = dip.restore(dip.Denoise(points), settings=QUICK["denoise"])
    assert result.image[points > 0] == pytest.approx(points[points > 0], rel=0.02)
    assert "cannot be estimated" in result.provenance["found"]


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
