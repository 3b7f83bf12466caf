"""Noise models estimated from an image."""

import sys

import numpy as np
import pytest

from napari_deep_image_prior.noise.correlated import NoiseCorrelation, residual_statistics
from napari_deep_image_prior.noise.estimation import (
    _looks_like_photons,
    channel_noise_correlation,
    estimate_noise,
)
from napari_deep_image_prior.noise.model import NoiseModel

RNG = np.random.default_rng(0)
Y, X = np.mgrid[:160, :160]
SCENE = 100 + 50 * np.sin(X / 9) * np.cos(Y / 13) + 30 * ((X // 40 + Y // 40) % 2)


@pytest.fixture(autouse=True)
def _same_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test the same random numbers, whichever tests ran before it."""
    monkeypatch.setattr(sys.modules[__name__], "RNG", np.random.default_rng(0))


@pytest.mark.parametrize("sigma", [5, 15, 25, 50])
def test_gaussian_noise_is_estimated(sigma: float) -> None:
    model = estimate_noise(SCENE + RNG.normal(0, sigma, SCENE.shape))
    assert model.photon is None
    assert model.std == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("peak", [3, 10, 100, 1000])
@pytest.mark.parametrize(("gain", "offset"), [(1, 0), (2.5, 100)])
def test_photon_noise_is_estimated_and_its_variance_stabilized(
    peak: float, gain: float, offset: float
) -> None:
    photons = SCENE / SCENE.max() * peak * (0.1 + 0.9 * X / 160)
    image = gain * RNG.poisson(photons) + offset + RNG.normal(0, 0.3, SCENE.shape)
    model = estimate_noise(image.astype(float))
    assert model.photon is not None
    even = model.stabilize(image)
    smooth = model.stabilize(gain * photons + offset)
    assert np.std(even - smooth) == pytest.approx(1, rel=0.25)


@pytest.mark.parametrize("peak", [3, 10, 100])
def test_photon_noise_is_detected_at_low_contrast(peak: float) -> None:
    photons = peak * (0.7 + 0.3 * np.sin(X / 20) * np.cos(Y / 25))
    model = estimate_noise(np.random.default_rng(1).poisson(photons).astype(float))
    assert model.photon is not None
    a, b = model.photon
    assert np.sqrt((a * photons + b).mean()) == pytest.approx(np.sqrt(photons.mean()), rel=0.1)


@pytest.mark.parametrize(
    ("growth", "scatter", "expected"), [(1.3, 0.02, True), (1.3, 0.15, False), (1.7, 0.15, True)]
)
def test_weakly_growing_noise_must_follow_its_line_more_closely(
    growth: float, scatter: float, expected: bool
) -> None:
    means = np.linspace(0, 1, 16)
    line = 1 + (growth**2 - 1) * means
    variances = line * (1 + scatter * (-1) ** np.arange(16))
    assert _looks_like_photons(means, variances, growth**2 - 1, 1.0) == expected


@pytest.mark.parametrize("size", [36, 40, 48, 64])
def test_the_noise_of_a_small_image_is_estimated(size: int) -> None:
    noise = np.random.default_rng(1).normal(0, 25, (size, size))
    assert estimate_noise(SCENE[:size, :size] + noise).std == pytest.approx(25, rel=0.2)


@pytest.mark.parametrize(
    ("b", "text"), [(-200.0, "- 100"), (6.0, "+ 3"), (0.0, "+ 0"), (-3314.0, "- 1657")]
)
def test_the_offset_of_photon_noise_is_written_as_a_sum(b: float, text: str) -> None:
    described = NoiseModel(1.0, (2.0, b)).describe()
    assert described == f"photon noise, variance = 2 x (intensity {text})"


@pytest.mark.parametrize("kind", ["auto", "gaussian", "correlated", "poisson-gaussian"])
def test_a_huge_offset_does_not_change_the_noise(kind: str) -> None:
    noisy = SCENE + RNG.normal(0, 15, SCENE.shape)
    plain, shifted = estimate_noise(noisy, kind), estimate_noise(1e9 + noisy, kind)
    assert shifted.std == pytest.approx(plain.std, rel=1e-3)
    assert shifted.photon is None or plain.photon is not None


def test_stabilization_is_inverted() -> None:
    image = (RNG.poisson(SCENE) + 100).astype(float)
    for model in (estimate_noise(image), NoiseModel(3.0)):
        assert abs((model.invert(model.stabilize(image)) - image).mean()) < 0.6
        np.testing.assert_allclose(model.invert(model.stabilize(image)), image, atol=1.5)


@pytest.mark.parametrize("kind", ["auto", "poisson", "poisson-gaussian"])
def test_bright_objects_on_a_background_of_zero_stay_distinct(kind: str) -> None:
    image = np.zeros((160, 160))
    image[40:100, 40:100] = RNG.poisson(50 + 30 * np.sin(X[40:100, 40:100] / 5))
    model = estimate_noise(image, kind)
    even = model.stabilize(image)
    assert 0.5 < np.std(even[45:95, 45:95]) < 20
    np.testing.assert_allclose(model.invert(even), image, atol=1.5)


@pytest.mark.parametrize(
    "image",
    [np.zeros((64, 64)), SCENE, X.astype(float), np.exp(-((X - 80) ** 2 + (Y - 80) ** 2) / 900)],
    ids=range(4),
)
def test_a_clean_image_has_almost_no_noise(image: np.ndarray) -> None:
    model = estimate_noise(image.astype(float))
    assert model.photon is None
    assert model.std <= max(0.01 * np.ptp(image), 1e-6)


def test_parts_without_noise_do_not_hide_it() -> None:
    noisy = SCENE + RNG.normal(0, 15, SCENE.shape)
    border = noisy.copy()
    border[:20] = 0
    assert estimate_noise(border).std == pytest.approx(15, rel=0.2)
    assert estimate_noise(border).photon is None
    filled = noisy.copy()
    filled[:30] = SCENE[:30]
    known = np.ones(SCENE.shape, dtype=bool)
    known[:30] = False
    assert estimate_noise(filled, known=known).std == pytest.approx(15, rel=0.2)
    saturated = noisy.copy()
    saturated[:, :70] += 120
    saturated = saturated.clip(0, 255)
    assert estimate_noise(saturated, "gaussian").std == pytest.approx(15, rel=0.25)


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (8, 8), (20, 20)])
def test_tiny_images_get_an_estimate(shape: tuple[int, int]) -> None:
    assert estimate_noise(RNG.normal(10, 2, shape)).std > 0


def test_texture_in_a_small_image_is_not_mistaken_for_photon_noise() -> None:
    textures = [
        np.random.default_rng(seed).normal(0, 1, (72, 72)) * X[:72, :72] / 4 for seed in range(4)
    ]
    assert [estimate_noise(100 + texture).photon for texture in textures] == [None] * 4
    assert any(estimate_noise(100 + texture, "poisson-gaussian").photon for texture in textures), (
        "unless requested"
    )


def _shared(correlation: NoiseCorrelation, shape: tuple[int, int] = SCENE.shape) -> np.ndarray:
    white = np.random.default_rng(2).normal(0, 1, shape)
    return np.fft.ifft2(np.fft.fft2(white) * correlation.transfer(shape)).real


@pytest.mark.parametrize(
    "correlation",
    [NoiseCorrelation(0.5, 0.5), NoiseCorrelation(0.8, 0.8), NoiseCorrelation(0.4, 0.9)],
    ids=str,
)
@pytest.mark.parametrize("kind", ["auto", "correlated"])
def test_correlated_noise_is_estimated(correlation: NoiseCorrelation, kind: str) -> None:
    model = estimate_noise(SCENE + 20 * _shared(correlation), kind)
    assert model.std == pytest.approx(20, rel=0.15)
    assert (model.correlation.y, model.correlation.x) == pytest.approx(
        (correlation.y, correlation.x), abs=0.25
    )
    assert "spatially correlated" in model.describe()


@pytest.mark.parametrize("sigma", [5, 25])
def test_white_noise_and_texture_are_not_mistaken_for_correlated_noise(sigma: float) -> None:
    white = RNG.normal(0, sigma, SCENE.shape)
    ripples = (
        12 * np.sin(X * 1.1 + 3 * np.sin(Y / 9)) * (1 + np.sin(X / 17))
    )  # texture of varying strength
    assert not estimate_noise(SCENE + white).correlation
    model = estimate_noise(SCENE + ripples + white)
    assert not model.correlation
    assert model.std < sigma + 3


@pytest.mark.parametrize(
    "correlation",
    [NoiseCorrelation(), NoiseCorrelation(0.6, 0.6), NoiseCorrelation(1.0, 0.3)],
    ids=str,
)
def test_statistics_of_pure_noise_are_as_expected(correlation: NoiseCorrelation) -> None:
    noise = _shared(correlation, (400, 400)).reshape(50, 8, 50, 8).swapaxes(1, 2).reshape(-1, 64)
    y, x = np.mgrid[:8, :8]
    plane = np.stack([np.ones(64), y.ravel(), x.ravel()], axis=1)
    left = noise - noise @ np.linalg.pinv(plane).T @ plane.T
    variances = (left**2).sum(axis=1) / 61
    expected = residual_statistics(correlation)
    assert variances.mean() == pytest.approx(expected.variance, rel=0.05)
    assert np.percentile(variances, 10) == pytest.approx(expected.quantile(0.1), rel=0.08)


@pytest.mark.parametrize(
    "correlation",
    [NoiseCorrelation(0.3, 0.3), NoiseCorrelation(0.7, 0.7), NoiseCorrelation(0.2, 1.2)],
    ids=str,
)
def test_whitening_keeps_the_noise_level_and_is_inverted(
    correlation: NoiseCorrelation,
) -> None:
    noise = _shared(correlation)
    whitened = correlation.whiten(noise)
    assert whitened.std() == pytest.approx(1, rel=0.05)
    alike = [(image[:, 1:] * image[:, :-1]).mean() / image.var() for image in (noise, whitened)]
    assert alike[1] < alike[0]
    inside = (slice(20, -20),) * 2
    np.testing.assert_allclose(correlation.unwhiten(whitened)[inside], noise[inside], atol=1e-2)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_common_noise_of_channels_is_detected_beside_common_structure(
    share: float,
) -> None:
    own, common = RNG.normal(0, 20, (3, *SCENE.shape)), RNG.normal(0, 20, SCENE.shape)
    noise = np.sqrt(share) * common + np.sqrt(1 - share) * own
    assert channel_noise_correlation(
        SCENE * np.array([1, 0.8, -0.5])[:, None, None] + noise
    ) == pytest.approx(share, abs=0.1)


@pytest.mark.parametrize(
    ("correlation", "expected"), [(0.0, (1, 1)), (0.7, (1.26, 1.29)), (1.5, (1.72, 2.17))]
)
def test_the_level_of_correlated_noise_grows_when_an_image_is_halved(
    correlation: float, expected: tuple[float, float]
) -> None:
    assert np.sqrt(
        np.cumprod(NoiseCorrelation(correlation, correlation).variance_gain(2))
    ) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("kind", ["auto", "gaussian", "correlated"])
def test_a_given_level_is_at_most_the_range_of_the_image(kind: str) -> None:
    image = np.random.default_rng(0).uniform(0, 1, (100, 100))
    assert estimate_noise(image, kind, 25.0).std == pytest.approx(1, rel=1e-3)
    assert estimate_noise(np.ones((100, 100)), kind, 25.0).std <= 1e-6


@pytest.mark.parametrize("photons", [20, 100])
def test_dense_texture_is_not_taken_for_photon_noise(photons: int) -> None:
    y, x = np.mgrid[:400, :400]
    brightness = 0.55 + 0.35 * np.sin(x / 60) * np.cos(y / 50)
    texture = 1 + 0.25 * np.sin(1.1 * x + 0.7 * y) * np.sin(0.02 * y + 0.4)
    model = estimate_noise(RNG.poisson(photons * brightness * texture).astype(float))
    assert model.photon is not None
    a, b = model.photon
    for level in (0.3 * photons, 0.8 * photons):
        assert np.sqrt((a * level + b) / level) == pytest.approx(1, abs=0.1)
