import numpy as np
import pytest

from napari_deep_image_prior.arrays import (
    cast,
    channels_back,
    channels_first,
    full_range_scaling,
    percentile_scaling,
    result_dtype,
    selection,
    wide_enough,
)

KNOWN = np.ones((2, 6, 7), dtype=bool)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("scaling_of", [percentile_scaling, full_range_scaling])
def test_scaling_is_inverted_exactly(dtype: str, scaling_of: object) -> None:
    image = np.random.default_rng(0).integers(0, 200, (2, 6, 7)).astype(dtype)
    scaling = scaling_of(image, KNOWN)  # type: ignore[operator]
    np.testing.assert_allclose(scaling.invert(scaling.apply(image)), image, rtol=1e-5, atol=1e-4)


def test_a_hot_pixel_is_neither_clipped_nor_compresses_the_rest() -> None:
    image = np.random.default_rng(0).normal(100, 10, (1, 50, 50))
    image[0, 3, 3] = 1e6
    scaled = percentile_scaling(image, np.ones_like(image, dtype=bool)).apply(image)
    assert scaled[0, 3, 3] > 1000
    assert 0.5 < np.ptp(np.delete(scaled.ravel(), 3 * 50 + 3)) < 3


def test_a_large_offset_does_not_cost_precision() -> None:
    image = 2.0**31 + np.arange(64.0).reshape(1, 8, 8)
    scaling = percentile_scaling(image, np.ones_like(image, dtype=bool))
    np.testing.assert_allclose(scaling.invert(scaling.apply(image)), image, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("offset", "contrast", "dtype", "wanted"),
    [
        (1e14, 100, "float64", "float64"),
        (1e9, 0.1, "float64", "float64"),
        (2**31, 100, "uint32", "float64"),
        (1e9, 1e5, "float64", "float32"),
        (60000, 3, "uint16", "float32"),
        (1e9, 1e3, "float32", "float32"),
        (0, 0, "float64", "float32"),
    ],
)
def test_a_contrast_that_float32_would_lose_keeps_float64(
    offset: float, contrast: float, dtype: str, wanted: str
) -> None:
    values = offset + contrast * np.random.default_rng(0).random(1000)
    assert wide_enough(np.dtype("float32"), values.astype(dtype)) == wanted


@pytest.mark.parametrize("value", [0.0, -5.0, 65535.0])
@pytest.mark.parametrize("scaling_of", [percentile_scaling, full_range_scaling])
def test_a_flat_image_has_a_scale(value: float, scaling_of: object) -> None:
    image = np.full((1, 4, 4), value)
    scaling = scaling_of(image, np.ones_like(image, dtype=bool))  # type: ignore[operator]
    np.testing.assert_allclose(scaling.invert(scaling.apply(image)), image, atol=1e-6)


def test_unknown_pixels_do_not_affect_the_scale() -> None:
    image = np.random.default_rng(0).normal(0, 1, (1, 20, 20))
    known = np.ones_like(image, dtype=bool)
    plain = percentile_scaling(image, known)
    spoiled = np.pad(image, ((0, 0), (0, 3), (0, 0)), constant_values=np.nan)
    assert percentile_scaling(spoiled, np.isfinite(spoiled)) == plain


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_channels_move_to_the_front_and_back(axis: int | None) -> None:
    image = np.arange(60).reshape((3, 4, 5) if axis is not None else (12, 5))
    first = channels_first(image, axis)
    assert first.ndim == 3
    np.testing.assert_array_equal(channels_back(first, axis), image)


def test_integers_are_rounded_and_clipped() -> None:
    values = np.array([-3.0, 0.6, 254.5, 300.0])
    assert cast(values, np.dtype("uint8")).tolist() == [0, 1, 254, 255]
    assert cast(np.array([2.0**65, -1.0]), np.dtype("uint64")).tolist() == [2**64 - 1, 0]


def test_a_result_is_float_or_the_same_as_the_input() -> None:
    assert result_dtype("same", np.dtype("uint16")) == np.uint16
    assert result_dtype("float64", np.dtype("uint16")) == np.float64
    with pytest.raises(ValueError, match="'same'"):
        result_dtype("uint8", np.dtype("uint16"))


def test_an_index_selects_a_plane_and_none_selects_a_whole_axis() -> None:
    image = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(image[selection((None, 1))], image[:, 1])
    np.testing.assert_array_equal(image[selection((1, 2))], image[1, 2])
