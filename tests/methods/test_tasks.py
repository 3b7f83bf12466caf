import numpy as np
import pytest

from napari_deep_image_prior import Denoise, Inpaint, SuperResolve

IMAGE = np.linspace(0, 1, 72).reshape(8, 9)
HOLE = np.zeros((8, 9), dtype=bool)
HOLE[2:4, 3] = True


def test_result_has_the_input_shape_or_is_enlarged() -> None:
    assert Denoise(IMAGE).result_shape == (8, 9)
    assert Inpaint(IMAGE, missing=HOLE).result_shape == (8, 9)
    assert SuperResolve(IMAGE, factor=4).result_shape == (32, 36)
    assert SuperResolve(np.zeros((3, 8, 9)), factor=(2, 1.5), channel_axis=0).result_shape == (
        3,
        16,
        14,
    )


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (IMAGE > 0.5, TypeError, "boolean"),
        (IMAGE + 1j, TypeError, "complex"),
        (np.array([["a"]]), TypeError, "values"),
        (IMAGE.astype("timedelta64[s]"), TypeError, "values"),
        (1e200 * IMAGE, ValueError, "intensities of 1e"),
        pytest.param(
            IMAGE.astype(np.longdouble),
            TypeError,
            "64 bits at most",
            marks=pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="as float64"),
        ),
        (np.zeros((0, 5)), ValueError, "empty"),
        (np.full((4, 4), np.nan), ValueError, "no finite pixel"),
        (np.zeros(5), ValueError, r"\(5,\)"),
        (np.zeros((2, 3, 4)), ValueError, "channel_axis"),
    ],
)
def test_an_unusable_image_is_refused_with_the_reason(
    image: np.ndarray, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Denoise(image)
    with pytest.raises(error, match=words):
        SuperResolve(image, factor=2)


def test_a_channel_axis_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="channel_axis=3"):
        Denoise(np.zeros((3, 4, 5)), channel_axis=3)
    with pytest.raises(TypeError, match="channel_axis"):
        Denoise(np.zeros((3, 4, 5)), channel_axis=True)


def test_a_noise_level_beyond_the_range_of_the_image_is_told() -> None:
    span = np.ptp(IMAGE)
    assert "exceeds the range of the intensities" in Denoise(IMAGE, noise_std=2 * span).caution
    assert Denoise(IMAGE, noise_std=span / 2).caution == ""
    assert Denoise(np.ones((8, 8)), noise_std=3).caution == ""  # a blank plane of a stack


@pytest.mark.parametrize("noise_std", [0, -1, np.nan, np.inf])
def test_a_noise_level_that_is_not_positive_is_refused(noise_std: float) -> None:
    with pytest.raises(ValueError, match="noise_std"):
        Denoise(IMAGE, noise_std=noise_std)


@pytest.mark.parametrize("strength", [0, 0.2, 4.1, -1, np.nan, np.inf])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match=r"strength=.* is out of range: use 0.25 to 4"):
        Denoise(IMAGE, strength=strength)


@pytest.mark.parametrize("strength", ["strong", None, True])
def test_a_strength_that_is_no_number_is_refused(strength: object) -> None:
    with pytest.raises(TypeError, match="is not a number"):
        Denoise(IMAGE, strength=strength)  # type: ignore[arg-type]


def test_contradictory_options_of_denoise_are_refused() -> None:
    with pytest.raises(ValueError, match="omit one of them"):
        Denoise(IMAGE, noise="poisson", noise_std=3)
    with pytest.raises(ValueError, match="noise='pink'"):
        Denoise(IMAGE, noise="pink")  # type: ignore[arg-type]


def test_an_unknown_treatment_of_outliers_is_refused() -> None:
    with pytest.raises(ValueError, match="outliers='drop' is unknown; choose one of keep, fill"):
        Denoise(IMAGE, outliers="drop")  # type: ignore[arg-type]


@pytest.mark.parametrize("axis", [0, 2])
def test_outliers_to_fill_are_unknown_in_their_channel(axis: int) -> None:
    image = np.random.default_rng(0).normal(100, 5, (32, 32, 2))
    image[5, 6, 0], image[20, 9, 1], image[1, 1, 0] = 4000, -900, np.nan
    outlying = abs(image - 100) > 500
    task = Denoise(np.moveaxis(image, 2, axis), channel_axis=axis, outliers="fill")
    expected = np.moveaxis(outlying | np.isnan(image), 2, axis)
    np.testing.assert_array_equal(task.unknown, expected)
    kept = Denoise(np.moveaxis(image, 2, axis), channel_axis=axis)
    np.testing.assert_array_equal(kept.unknown, np.moveaxis(np.isnan(image), 2, axis))


def test_an_image_full_of_outliers_is_kept() -> None:
    image = np.random.default_rng(0).normal(100, 5, (64, 64))
    image[np.random.default_rng(1).random((64, 64)) < 0.15] = 4000
    task = Denoise(image, outliers="fill")
    assert not task.unknown.any()
    assert task.detected == "no outlying pixels to fill"


def test_a_mask_of_another_shape_is_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(8, 8\).*\(8, 9\)"):
        Inpaint(IMAGE, missing=HOLE[:, :8])


def test_a_mask_that_is_not_boolean_is_refused_with_advice() -> None:
    with pytest.raises(TypeError, match="labels != 0"):
        Inpaint(IMAGE, missing=HOLE.astype(int))


def test_a_mask_with_no_known_or_no_missing_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="every pixel"):
        Inpaint(IMAGE, missing=np.ones((8, 9), dtype=bool))
    with pytest.raises(ValueError, match="no pixel is missing"):
        Inpaint(IMAGE, missing=np.zeros((8, 9), dtype=bool))


def test_nan_and_infinite_pixels_count_as_missing() -> None:
    image = IMAGE.copy()
    image[0, 0], image[1, 1] = np.nan, -np.inf
    task = Inpaint(image, missing=HOLE)
    assert np.asarray(task.missing).sum() == HOLE.sum() + 2


def test_a_mask_without_channels_applies_to_every_channel() -> None:
    task = Inpaint(np.zeros((8, 9, 3)), missing=HOLE, channel_axis=-1)
    assert np.asarray(task.missing).shape == (8, 9, 3)
    assert task.channel_axis == 2


@pytest.mark.parametrize("factor", [0, 1, -2, 17, (2, 0.5), (1, 1), np.nan])
def test_a_factor_out_of_range_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="factor"):
        SuperResolve(IMAGE, factor=factor)


@pytest.mark.parametrize("factor", ["4", True, None, (2, 2, 2)])
def test_a_factor_that_is_no_number_for_each_axis_is_refused(factor: object) -> None:
    with pytest.raises((ValueError, TypeError), match="factor"):
        SuperResolve(IMAGE, factor=factor)  # type: ignore[arg-type]


def test_a_task_neither_changes_the_image_nor_lets_it_be_changed() -> None:
    image = IMAGE.copy()
    task = Denoise(image)
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(task.image)[0, 0] = 5
    image[0, 0] = 7  # the caller's own array stays writable


@pytest.mark.parametrize(
    "value", [-9999, -3.4028234663852886e38, 9.969209968386869e36, -32768, -1.7976931348623157e308]
)
@pytest.mark.parametrize("share", [0.001, 0.4, 0.9])
def test_values_that_mean_no_data_are_unknown(value: float, share: float) -> None:
    random = np.random.default_rng(0)
    image = random.uniform(200, 3000, (64, 64)).astype(np.float32 if value > -1e39 else np.float64)
    empty = random.random(image.shape) < share
    image[empty] = value
    for task in (
        Denoise(image),
        SuperResolve(image, factor=2),
        Inpaint(image, missing=~empty & (image > 2900)),
    ):
        assert (task.unknown & empty).sum() == empty.sum()
        assert f"of the pixels are {value:g} and count as unknown (no data)" in task.caution
        assert "(no data)" in task.detected
    np.testing.assert_array_equal(Denoise(image).unknown, empty)


@pytest.mark.parametrize(
    "image",
    [
        np.array([[-32768, 32767]], dtype=np.int16),
        np.arange(-9999, 1).reshape(100, 100),
        np.array([[-999.0, -400, 3], [-20, 1, 900]]),
        np.full((4, 4), -9999.0),
        np.array([[0, 65535, 1]], dtype=np.uint16),
        np.array([[1e25, 1.5e25, 5e24]]),
    ],
)
def test_extreme_values_of_data_are_known(image: np.ndarray) -> None:
    assert not Denoise(image).unknown.any()
    assert Denoise(image).caution == ""


def test_the_hidden_pixels_of_a_masked_array_are_unknown() -> None:
    counts = np.arange(72, dtype=np.uint16).reshape(8, 9)
    task = Denoise(np.ma.masked_array(counts, HOLE))
    np.testing.assert_array_equal(task.unknown, HOLE)
    np.testing.assert_array_equal(np.asarray(task.image)[~HOLE], counts[~HOLE])
    assert np.asarray(Denoise(np.ma.masked_array(counts)).image).dtype == np.uint16
    filled = Inpaint(np.ma.masked_array(counts, HOLE), missing=np.zeros_like(HOLE))
    np.testing.assert_array_equal(filled.unknown, HOLE)


def test_a_mask_of_nearly_everything_is_doubted_but_missing_data_are_not() -> None:
    assert "invert it" in Inpaint(IMAGE, missing=~HOLE).caution
    assert Inpaint(IMAGE, missing=HOLE).caution == ""
    assert Inpaint(np.where(HOLE, IMAGE, np.nan), missing=np.zeros_like(HOLE)).caution == ""


def test_two_values_that_mean_no_data_are_both_unknown() -> None:
    image = np.random.default_rng(0).normal(1000, 100, (20, 24)).astype(np.float32)
    image[:, 18:], image[:3] = -9999, -3.4e38
    np.testing.assert_array_equal(Denoise(image).unknown, image < 0)


def test_values_of_opposite_sign_that_mean_no_data_are_both_unknown() -> None:
    image = np.random.default_rng(0).normal(1000, 100, (20, 24)).astype(np.float32)
    empty = image > 1100
    image[empty] = np.where(np.arange(empty.sum()) % 2, np.float32(-3.4e38), np.float32(3.4e38))
    np.testing.assert_array_equal(Denoise(image).unknown, empty)
