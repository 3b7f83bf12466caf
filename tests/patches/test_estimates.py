import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_deep_image_prior.generators import run_to_end
from napari_deep_image_prior.patches.estimates import NonlocalEstimates, nonlocal_estimates
from napari_deep_image_prior.patches.low_rank import low_rank
from napari_deep_image_prior.patches.nl_ridge import HALVINGS, nl_ridge
from napari_deep_image_prior.patches.passes import WORKERS, one_pass
from napari_deep_image_prior.patches.search import PatchGrid
from napari_deep_image_prior.patches.wiener import wiener

Y, X = np.mgrid[:70, :81]
SCENE = (4 * np.sin(X / 9) * np.cos(Y / 7) + 3 * ((X // 8 + Y // 8) % 2)).astype(np.float32)[
    None, None
]
NOISE = np.random.default_rng(0).normal(0, 1, SCENE.shape).astype(np.float32)
NOISY, ONES = torch.from_numpy(SCENE + NOISE), torch.ones(SCENE.shape)
Guided = Callable[[Tensor, Tensor, Tensor], Generator[float, None, Tensor]]


def _error(estimate: Tensor) -> float:
    return float((estimate - torch.from_numpy(SCENE)).square().mean())


def _estimates(noisy: Tensor, variance: Tensor | None = None) -> NonlocalEstimates:
    variance = torch.ones_like(noisy) if variance is None else variance
    return run_to_end(nonlocal_estimates(noisy, 1.0, variance, torch.ones(HALVINGS, len(noisy))))


def test_both_estimates_and_their_mean_are_better_than_their_guide() -> None:
    guide = run_to_end(nl_ridge(NOISY))
    found = _estimates(NOISY)
    assert _error(found.shrunk) < _error(guide)
    assert _error(found.second) < _error(guide)
    assert _error(found.mixed()) < 0.97 * _error(guide)
    assert torch.equal(found.mixed(0.0), found.shrunk)
    assert torch.equal(found.mixed(1.0), found.second)


@pytest.mark.parametrize("method", [wiener, low_rank])
def test_weaker_noise_is_smoothed_less(method: Guided) -> None:
    guide = run_to_end(nl_ridge(NOISY))
    removed = [
        float((run_to_end(method(NOISY, guide, variance * ONES)) - NOISY).square().mean())
        for variance in (0.3, 1.0, 2.0)
    ]
    assert removed == sorted(removed)


@pytest.mark.parametrize("method", [wiener, low_rank])
def test_pixels_without_noise_stay_as_they_are(method: Guided) -> None:
    for image in (NOISY, torch.full(SCENE.shape, 3.0)):
        restored = run_to_end(method(image, image, 0 * ONES))
        torch.testing.assert_close(restored, image, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 8), (9, 300), (33, 34)])
def test_any_size_and_several_channels(shape: tuple[int, int]) -> None:
    noisy = torch.from_numpy(
        np.random.default_rng(1).normal(5, 1, (3, 1, *shape)).astype(np.float32)
    )
    for estimate in (_estimates(noisy).shrunk, _estimates(noisy).second):
        assert estimate.shape == noisy.shape
        assert torch.isfinite(estimate).all()
    if min(shape) > 8:
        error = (_estimates(noisy).mixed() - 5).square().mean()
        assert float(error) < 0.3 * float((noisy - 5).square().mean())


@pytest.mark.parametrize("value", [0.0, 1e6])
def test_a_flat_image_stays_as_it_is(value: float) -> None:
    flat = torch.full((1, 1, 30, 31), value)
    torch.testing.assert_close(_estimates(flat).mixed(), flat, rtol=1e-5, atol=1e-5)


def test_the_result_does_not_depend_on_the_number_of_threads() -> None:
    alone = _estimates(NOISY)
    token = WORKERS.set(3)
    together = _estimates(NOISY)
    WORKERS.reset(token)
    assert torch.equal(alone.shrunk, together.shrunk)
    assert torch.equal(alone.second, together.second)


@pytest.fixture
def _own_threads() -> Iterator[None]:
    """Allow three threads for a pass; give torch back its number at the end."""
    number, workers = torch.get_num_threads(), WORKERS.get()
    WORKERS.set(3)
    yield
    WORKERS.set(workers)
    torch.set_num_threads(number)


@pytest.mark.usefixtures("_own_threads")
def test_a_pass_that_is_left_ends_its_threads_and_leaves_those_of_torch() -> None:
    torch.set_num_threads(2)  # of whoever runs the generator
    before = threading.active_count()
    working = nl_ridge(NOISY)
    next(working)
    assert threading.active_count() > before
    torch.set_num_threads(3)  # of whoever closes it
    working.close()
    assert threading.active_count() == before
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("_own_threads")
def test_each_worker_uses_one_core_whatever_others_set() -> None:
    used = []

    def restore(observed: Tensor, _known: Tensor, _variance: Tensor) -> tuple[Tensor, Tensor]:
        used.append(torch.get_num_threads())
        return observed, torch.ones(())

    for number, _ in enumerate(one_pass(NOISY, None, ONES, PatchGrid.flat(8, 1), 4, restore), 2):
        torch.set_num_threads(number)
    assert set(used) == {1}
    assert torch.get_num_threads() == number
    assert _in_a_thread(torch.get_num_threads) == number


def _in_a_thread(function: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_the_variance_of_a_patch_is_that_at_its_center() -> None:
    position = torch.arange(12.0 * 14).view(1, 1, 12, 14)
    centers = []

    def restore(observed: Tensor, _known: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        centers.append((observed[..., 0] - variance)[0])  # of equal images: corner and center
        return observed, torch.ones(())

    for patch in (7, 8):
        run_to_end(one_pass(position, None, position, PatchGrid.flat(patch, 3), 1, restore))
    for found, patch in zip(centers, (7, 8), strict=True):
        assert torch.equal(found, torch.full_like(found, -(patch // 2) * (14.0 + 1)))


@pytest.mark.parametrize(
    "device",
    [
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
        ),
        pytest.param(
            "mps",
            marks=pytest.mark.skipif(not torch.backends.mps.is_available(), reason="needs MPS"),
        ),
    ],
)
def test_the_estimates_of_a_gpu_are_those_of_the_cpu(device: str) -> None:
    there = torch.device(device)
    gain = torch.ones((HALVINGS, 1), device=there)
    found = run_to_end(nonlocal_estimates(NOISY.to(there), 1.0, ONES.to(there), gain))
    alone = _estimates(NOISY)
    for one, other in ((found.shrunk, alone.shrunk), (found.second, alone.second)):
        assert one.device.type == device
        assert float((one.cpu() - other).square().mean()) < 1e-3


def test_fractions_rise_to_one() -> None:
    working = nonlocal_estimates(NOISY, 1.0, ONES, torch.ones(HALVINGS, 1))
    fractions = list(working)
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
