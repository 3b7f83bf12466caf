import numpy as np
import pytest
import torch

from napari_deep_image_prior import Denoise, restore
from napari_deep_image_prior.generators import run_to_end
from napari_deep_image_prior.methods.denoising.normalization import NoiseNormalizer
from napari_deep_image_prior.methods.denoising.restorer import DenoisingRestorer
from napari_deep_image_prior.noise.clipped import Clipping, detect_clipping
from napari_deep_image_prior.noise.estimation import estimate_noise
from napari_deep_image_prior.noise.model import NoiseModel
from tests.conftest import QUICK

Y, X = np.mgrid[:160, :160]
SCENE = np.clip(128 + 160 * np.sin(X / 25) * np.cos(Y / 30), 0, 255)
"""A third of it is flat, at both ends of the range."""


def _noisy(sigma: float = 25, seed: int = 0) -> np.ndarray:
    return SCENE + np.random.default_rng(seed).normal(0, sigma, SCENE.shape)


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, np.inf), (-np.inf, 255)])
def test_the_mean_and_the_variance_of_clipped_noise_are_known(low: float, high: float) -> None:
    clipping = Clipping(low, high, 25)
    for truth in (0, 10, 60, 200, 250, 255):
        observed = clipping.clip(truth + np.random.default_rng(1).normal(0, 25, 400_000))
        mean = np.array([observed.mean()])
        assert clipping.unclip(mean)[0] == pytest.approx(truth, abs=0.3)
        assert clipping.variance(mean)[0] == pytest.approx(observed.var() / 25**2, rel=0.02)


def test_values_beyond_the_range_map_to_its_ends() -> None:
    model = NoiseModel(25, clipping=Clipping(0, 255, 25))
    assert list(model.invert(np.array([0.0, 3, 254, 255]) / 25)) == [0, 0, 255, 255]


@pytest.mark.parametrize("step", [0, 1, 8])
def test_clipping_is_detected(step: float) -> None:
    noisy = _noisy() if step == 0 else np.round(_noisy() / step) * step
    assert detect_clipping(noisy, 25) is None
    assert detect_clipping(noisy.clip(0), 25) == Clipping(0, np.inf, 25)
    assert detect_clipping(noisy.clip(0, 256), 25) == Clipping(0, 256, 25)


@pytest.mark.parametrize(
    "image", [np.zeros((20, 20)), np.eye(20), np.arange(400.0).reshape(20, 20)]
)
def test_no_clipping_is_detected_without_noise(image: np.ndarray) -> None:
    assert detect_clipping(image, 1e-3) is None


def test_clipping_is_in_the_description() -> None:
    assert estimate_noise(_noisy().clip(0, 255)).describe().endswith(", clipped at 0 and 255")
    assert "clipped" not in estimate_noise(_noisy()).describe()


def _estimated(noisy: np.ndarray, stds: list[float] | None = None) -> np.ndarray:
    """Return the first estimate of (C, Y, X)."""
    models = [
        estimate_noise(channel, std=std)
        for channel, std in zip(noisy, stds or [None] * len(noisy), strict=True)
    ]
    even = NoiseNormalizer(noisy[:, None], models, 1.0, torch.device("cpu"), 0)
    return even.restored(run_to_end(even.image.estimates(1.0)).mixed())[:, 0]


def test_the_mean_that_clipping_hides_is_restored() -> None:
    noisy = _noisy().clip(0, 255)
    estimated = _estimated(noisy[None], [25])[0]
    for end, flat in ((0, SCENE == 0), (255, SCENE == 255)):
        assert abs(noisy[flat].mean() - end) > 9
        assert abs(estimated[flat].mean() - end) < 1


def test_the_level_of_noise_is_that_before_it_was_clipped() -> None:
    assert estimate_noise(_noisy().clip(0)).std == pytest.approx(25, rel=0.05)


def test_a_clipped_color_does_not_degrade_the_others() -> None:
    truth = np.stack([SCENE, 128 + 0 * SCENE, 255 - SCENE])
    unclipped = truth + np.random.default_rng(0).normal(0, 25, truth.shape)
    errors = [
        np.square(_estimated(noisy) - truth).mean() for noisy in (unclipped, unclipped.clip(0, 255))
    ]
    assert errors[1] < 1.5 * errors[0]


def test_a_clipped_image_is_renoised_with_the_same_clipping() -> None:
    noisy = _noisy().clip(0, 255)[None, None]
    even = NoiseNormalizer(
        noisy, [estimate_noise(noisy[0, 0], std=25)], 1.0, torch.device("cpu"), 0
    )
    anew = [
        even.renoise(even.image.noisy * 0 + even.image.noisy[0, 0, SCENE == 0].mean())
        for _ in range(2)
    ]
    observed = [even.image.noisy[0, 0, SCENE == 0], anew[0].noisy, anew[1].noisy]
    assert [float(one.mean()) for one in observed[1:]] == pytest.approx(
        [float(observed[0].mean())] * 2, abs=0.02
    )
    assert [float(one.std()) for one in observed[1:]] == pytest.approx(
        [float(observed[0].std())] * 2, rel=0.05
    )
    assert float(anew[0].variance.mean()) == pytest.approx(float(observed[0].var()), rel=0.15)
    assert not torch.equal(anew[0].noisy, anew[1].noisy)


@pytest.mark.parametrize("strength", [0.5, 1, 1.5])
def test_a_clipped_image_is_restored_at_any_strength(strength: float) -> None:
    noisy = _noisy().clip(0, 255)
    result = restore(Denoise(noisy, strength=strength), settings=QUICK["denoise"])
    assert "clipped at 0 and 255" in result.provenance["found"]
    assert np.square(result.image - SCENE).mean() < 0.5 * np.square(noisy - SCENE).mean()


@pytest.mark.parametrize(
    ("size", "background", "peak"), [(96, 0.1, 1), (96, 0.3, 3), (96, 0, 4), (64, 0.1, 1)]
)
def test_low_counts_are_not_mistaken_for_clipping(
    size: int, background: float, peak: float
) -> None:
    y, x = np.mgrid[:size, :size] - size / 2
    photons = background + peak * np.exp(-(y**2 + x**2) / 200)
    counts = np.random.default_rng(0).poisson(photons).astype(float)
    assert estimate_noise(counts).clipping is None
    assert estimate_noise(counts, "gaussian").clipping is None


def test_texture_is_not_mistaken_for_noise_where_all_else_is_clipped() -> None:
    y, x = np.mgrid[:96, :96]
    random = np.random.default_rng(0)
    texture = (
        150 + 40 * np.sin(1.1 * x) * np.cos(0.9 * y) + 30 * np.round(random.normal(size=x.shape))
    )
    cell = np.where((y - 48) ** 2 + (x - 48) ** 2 < 20**2, texture, 0)
    assert estimate_noise((cell + random.normal(0, 10, x.shape)).clip(0)).std < 15


def test_an_area_beyond_the_range_is_renoised_as_observed() -> None:
    noisy = (np.where(X < 80, 330, 150) + np.random.default_rng(0).normal(0, 25, X.shape)).clip(
        0, 255
    )[None, None]
    even = NoiseNormalizer(
        noisy, [estimate_noise(noisy[0, 0], std=25)], 1.0, torch.device("cpu"), 0
    )
    saturated = torch.from_numpy(X < 70)[None, None]
    end = even.image.noisy[saturated].max()
    assert (
        float(
            even.renoise(torch.full_like(even.image.noisy, float(end))).noisy.sub(end).abs().mean()
        )
        < 0.01
    )
    assert float(even.image.variance[saturated].max()) < 0.05


def test_large_limits_are_written_in_full() -> None:
    assert Clipping(0, 65535, 900).describe() == "clipped at 0 and 65535"


def test_the_first_preview_is_the_input() -> None:
    noisy = _noisy().clip(0, 255)[None]
    known = np.ones_like(noisy, dtype=bool)
    restorer = DenoisingRestorer(noisy, known, QUICK["denoise"], 0, device=torch.device("cpu"))
    np.testing.assert_array_equal(restorer.estimate(), noisy)
    assert not np.shares_memory(restorer.estimate(), noisy)
