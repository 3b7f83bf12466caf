import pytest
import torch

from napari_deep_image_prior.methods.denoising.recorrupted import (
    RecorruptedPair,
    correction_weight,
    local_noise_level,
    recorrupted,
    share_of_second,
)
from napari_deep_image_prior.patches.estimates import NonlocalEstimates

EDGE = 192
GENERATOR = torch.Generator().manual_seed(0)
TRUTH = torch.randn((1, EDGE, EDGE), generator=GENERATOR).cumsum(1)


def _pair(shrunk_error: float, low_rank_error: float) -> RecorruptedPair:
    noise, added, first, second = (torch.randn(TRUTH.shape, generator=GENERATOR) for _ in range(4))
    noisy, target = recorrupted(TRUTH + noise, added)
    truth = TRUTH / 1.25**0.5
    estimates = NonlocalEstimates(truth + shrunk_error * first, truth + low_rank_error * second)
    return RecorruptedPair(noisy, target, estimates)


def test_the_noise_of_a_pair_is_independent_and_that_of_the_image() -> None:
    pair = _pair(0.1, 0.1)
    truth = TRUTH / 1.25**0.5
    noise, of_target = pair.noisy - truth, pair.target - truth
    assert float(noise.std()) == pytest.approx(1, rel=0.02)
    assert float((noise * of_target).mean()) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("shrunk", "low_rank", "best"), [(0.5, 0.1, 0.96), (0.1, 0.5, 0.04), (0.3, 0.3, 0.5)]
)
def test_the_share_is_that_of_the_smallest_error(
    shrunk: float, low_rank: float, best: float
) -> None:
    pairs = [_pair(shrunk, low_rank) for _ in range(2)]
    assert share_of_second(pairs) == pytest.approx(best, abs=0.05)


def test_shares_are_equal_where_there_is_little_evidence() -> None:
    assert share_of_second([_pair(0.002, 0.001)]) == pytest.approx(0.5, abs=0.1)
    assert share_of_second([]) == 0.5


def test_a_correction_is_weighted_by_what_it_mends() -> None:
    pair = _pair(0.3, 0.3)
    error = pair.estimates.mixed() - TRUTH / 1.25**0.5
    assert correction_weight([pair], 0.5, [-error]) == pytest.approx(1, abs=0.08)
    assert correction_weight([pair], 0.5, [-2 * error]) == pytest.approx(0.5, abs=0.05)
    assert correction_weight([pair], 0.5, [error]) == 0


def test_the_noise_level_is_measured_locally() -> None:
    strong = torch.ones_like(TRUTH)
    strong[..., EDGE // 2 :] = 3
    noisy = TRUTH + strong * torch.randn(TRUTH.shape, generator=GENERATOR)
    level = local_noise_level(noisy, noisy + 0.95 * (TRUTH - noisy))
    left, right = level[..., 20 : EDGE // 2 - 20], level[..., EDGE // 2 + 20 : -20]
    assert float(left.mean()) == pytest.approx(1, rel=0.05)
    assert float(right.mean()) == pytest.approx(3, rel=0.05)
    assert local_noise_level(noisy[:, :5, :7], noisy[:, :5, :7]).shape == (1, 5, 7)
