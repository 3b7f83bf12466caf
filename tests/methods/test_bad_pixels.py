import numpy as np
import pytest

from napari_deep_image_prior.methods.inpainting import bad_pixels as masks


@pytest.fixture
def noisy(picture: np.ndarray) -> np.ndarray:
    return picture + np.random.default_rng(0).normal(0, 5, picture.shape)


def _marked(mask: np.ndarray) -> list[tuple[int, int]]:
    return [(int(y), int(x)) for y, x in np.argwhere(mask)]


def test_nan_pixels_are_marked(noisy: np.ndarray) -> None:
    noisy[2, 3], noisy[4, 5] = np.nan, np.inf
    assert _marked(masks.not_finite(noisy)) == [(2, 3), (4, 5)]
    assert not masks.not_finite(noisy.clip(0, 250).astype(np.float32)[10:]).any()


@pytest.mark.parametrize(("dtype", "limit"), [("uint8", 255), ("uint16", 4095), ("float32", 1e6)])
def test_saturated_pixels_share_the_largest_value(
    noisy: np.ndarray, dtype: str, limit: float
) -> None:
    image = noisy.clip(1, 250).astype(dtype)
    image[5, 5:8] = limit
    image[6, 6] = 0
    assert _marked(masks.saturated(image)) == [(5, 5), (5, 6), (5, 7)]


def test_a_single_brightest_pixel_is_saturated_only_at_the_limit_of_the_dtype() -> None:
    image = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert not masks.saturated(image).any()
    image[0, 0] = 255
    assert _marked(masks.saturated(image)) == [(0, 0)]
    assert not masks.saturated(np.full((3, 3), np.nan)).any()


def test_dead_pixels_are_zero_in_all_channels() -> None:
    image = np.ones((4, 5, 3))
    image[1, 2] = 0
    image[2, 2, 0] = 0
    assert _marked(masks.dead(image)) == [(1, 2)]
    assert _marked(masks.dead(image[..., 0])) == [(1, 2), (2, 2)]


def test_pixels_beyond_a_value_are_marked() -> None:
    image = np.array([[1.0, 5.0, np.nan, 9.0]])
    assert _marked(masks.above(image, 5)) == [(0, 3)]
    assert _marked(masks.below(image, 5)) == [(0, 0)]


@pytest.mark.parametrize("step", [-30, 40])
@pytest.mark.parametrize("place", [0, 8, 23])
def test_a_stripe_is_marked_as_a_whole_and_nothing_else(
    noisy: np.ndarray, step: float, place: int
) -> None:
    noisy[place] += step
    assert masks.striped_rows(noisy)[place].all()
    assert masks.striped_rows(noisy).sum() == noisy.shape[1]
    assert masks.striped_columns(np.stack([noisy.T] * 3, axis=-1))[:, place].all()


def test_an_image_without_stripes_has_none(picture: np.ndarray, noisy: np.ndarray) -> None:
    for image in (picture, noisy, np.zeros((9, 9)), np.full((4, 4), np.nan), np.ones((1, 1))):
        assert not masks.striped_rows(image).any()
        assert not masks.striped_columns(image).any()
