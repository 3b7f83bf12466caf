"""Hot and dead pixels, cosmic rays and bright points do not change the estimated noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from skimage import data

import napari_deep_image_prior as dip
from napari_deep_image_prior.noise.estimation import estimate_noise
from napari_deep_image_prior.noise.outliers import (
    outlying_pixels,
    stretching_outliers,
    without_outliers,
)
from tests.conftest import QUICK

if TYPE_CHECKING:
    from napari_deep_image_prior.noise.model import NoiseModel

RANDOM = np.random.default_rng(5)
SCENE = data.camera()[128:384, 128:384].astype(float)


def _spoiled(image: np.ndarray, how: str, share: float) -> np.ndarray:
    random = np.random.default_rng(1)
    places = random.choice(image.size, int(share * image.size), replace=False)
    spoiled = image.copy()
    if how == "hot":
        spoiled.flat[places] = 65535
    elif how == "dead":
        spoiled.flat[places] = 0
    else:
        spoiled.flat[places] += random.exponential(50 * image.std(), len(places))
    return spoiled


@pytest.mark.parametrize("share", [1e-4, 1e-3, 1e-2, 3e-2])
@pytest.mark.parametrize("how", ["hot", "dead", "cosmic rays"])
def test_the_gaussian_level_is_robust_to_outliers(how: str, share: float) -> None:
    noisy = 1000 + 4 * SCENE + np.random.default_rng(0).normal(0, 30, SCENE.shape)
    clean = estimate_noise(noisy)
    model = estimate_noise(_spoiled(noisy, how, share))
    assert model.photon is None
    assert model.std == pytest.approx(clean.std, rel=0.05)
    assert model.outliers == pytest.approx(share, rel=0.35)
    assert "outlying pixels ignored" in model.describe()


def _std(model: NoiseModel, levels: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the noise at some levels."""
    a, b = model.photon or (0.0, model.std**2)
    return np.sqrt(a * levels + b)


@pytest.mark.parametrize("share", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("how", ["hot", "dead", "cosmic rays"])
def test_the_gain_of_photon_noise_is_robust_to_outliers(how: str, share: float) -> None:
    random = np.random.default_rng(0)
    noisy = random.poisson(1 + 60 * SCENE / 255) + random.normal(100, 2, SCENE.shape)
    clean, model = estimate_noise(noisy), estimate_noise(_spoiled(noisy, how, share))
    assert (clean.photon is None) == (model.photon is None)
    levels = np.array([10.0, 30.0, 60.0]) + 100
    for one, other in zip(_std(clean, levels), _std(model, levels), strict=True):
        assert other == pytest.approx(one, rel=0.1)


@pytest.mark.parametrize(
    "image",
    [
        SCENE,
        np.random.default_rng(0).poisson(0.15, (128, 128)).astype(float),
        np.kron(np.random.default_rng(0).integers(0, 2, (32, 32)), np.ones((4, 4))) * 255.0,
        np.zeros((64, 64)),
        data.page()[:128, :128].astype(float),
        np.ones((2, 9)),
    ],
    ids=["photograph", "single photons", "blocks", "flat", "text", "narrow"],
)
def test_pixels_that_are_no_outliers_are_kept(image: np.ndarray) -> None:
    filled, outliers = without_outliers(image)
    assert outliers.mean() < 1e-3
    np.testing.assert_array_equal(filled[~outliers], image[~outliers])


def test_the_fraction_of_outliers_is_in_the_provenance() -> None:
    noisy = _spoiled(100 + SCENE[:64, :64] + RANDOM.normal(0, 5, (64, 64)), "hot", 2e-3)
    steps = dip.iter_restore(dip.Denoise(noisy), stop_after=1)
    for _ in steps:
        pass
    assert "outlying pixels ignored" in steps.result.provenance["found"]


@pytest.mark.parametrize("value", [-20_000, 65535])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_outliers_are_found_between_unknown_pixels(value: int, share: float) -> None:
    random = np.random.default_rng(0)
    image = 1000 + 4 * SCENE + random.normal(0, 30, SCENE.shape)
    known = random.random(image.shape) >= share
    assert not stretching_outliers(image[None], known[None]).any()
    outliers = known & (random.random(image.shape) < 0.002)
    image[outliers] = value
    found = outlying_pixels(image[None], known[None])[0]
    assert (found & outliers).sum() > 0.95 * outliers.sum()
    assert (found & ~outliers).sum() < 0.1 * outliers.sum() + 3
    np.testing.assert_array_equal(stretching_outliers(image[None], known[None])[0], found)


def test_hot_pixels_do_not_spoil_the_fill_of_others() -> None:
    random = np.random.default_rng(0)
    image = 100 + SCENE[:48, :48] / 10 + random.normal(0, 1, (48, 48))
    missing = random.random(image.shape) < 0.3
    plain = dip.restore(dip.Inpaint(image, missing=missing), settings=QUICK["inpaint"], threads=1)
    image[~missing & (random.random(image.shape) < 0.005)] = 65535
    result = dip.restore(dip.Inpaint(image, missing=missing), settings=QUICK["inpaint"], threads=1)
    assert np.abs(result.image - plain.image)[missing].max() < 20
    np.testing.assert_allclose(result.image[~missing], image[~missing], rtol=1e-5)
    assert "outlying pixels not used for the fill" in result.provenance["found"]


def test_rings_around_hot_pixels_of_an_enlarged_image_are_told() -> None:
    image = SCENE[:32, :32].copy()
    image[5, 6] = 65535
    task = dip.SuperResolve(image, factor=2)
    result = dip.restore(task, settings=QUICK["super-resolve"], threads=1)
    assert "outlying pixels with rings around them" in result.provenance["found"]


@pytest.mark.parametrize("shape", [(1, 200), (200, 1), (3, 100)])
def test_the_noise_of_a_line_is_estimated(shape: tuple[int, int]) -> None:
    lines = 100 + 40 * np.sin(np.indices(shape).sum(axis=0) / 20)
    noisy = lines + np.random.default_rng(0).normal(0, 8, shape)
    assert estimate_noise(noisy).std == pytest.approx(8, rel=0.25)
    assert estimate_noise(lines).std < 0.2
