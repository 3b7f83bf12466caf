"""Residual, quality against a truth, and uncertainty over seeds."""

import math
from typing import Any

import numpy as np
import pytest

import napari_deep_image_prior as dip
from tests.conftest import QUICK


@pytest.fixture
def truth() -> np.ndarray:
    """White noise: it has detail at all scales, so that a filter is detected at its cut-off."""
    return np.random.default_rng(0).normal(100, 20, (96, 80))


def _low_passed(image: np.ndarray, cut_off: float) -> np.ndarray:
    """Remove frequencies above `cut_off` cycles per pixel, with a sharp edge."""
    spectrum = np.fft.fft2(image)
    distance = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1]))
    return np.fft.ifft2(np.where(distance < cut_off, spectrum, 0)).real


def test_the_truth_itself_is_perfect(truth: np.ndarray) -> None:
    found = dip.measure_quality(truth, truth)
    assert (found.psnr, found.resolution) == (math.inf, 2.0)
    assert found.ssim == pytest.approx(1)


def test_psnr_follows_its_definition(truth: np.ndarray) -> None:
    assert dip.measure_quality(truth + 0.1 * np.ptp(truth), truth).psnr == pytest.approx(20)
    assert dip.measure_quality(truth + 0.01 * np.ptp(truth), truth).psnr == pytest.approx(40)


@pytest.mark.parametrize("cut_off", [0.125, 0.25, 0.4])
def test_the_ring_correlation_detects_a_low_pass_filter(truth: np.ndarray, cut_off: float) -> None:
    noise = np.random.default_rng(1).normal(0, 20, truth.shape)
    blurred = (
        _low_passed(truth, cut_off) + noise - _low_passed(noise, cut_off)
    )  # wrong detail instead of the fine detail
    found = dip.measure_quality(blurred, truth)
    assert found.resolution == pytest.approx(1 / cut_off, rel=0.1)
    coarse = found.frequencies < cut_off - 0.05
    assert found.ring_correlations[coarse].min() > 0.9
    assert np.abs(found.ring_correlations[found.frequencies > cut_off + 0.05]).max() < 0.5


def test_unrelated_images_have_no_resolution(truth: np.ndarray) -> None:
    assert dip.measure_quality(200 - truth, truth).resolution == math.inf


@pytest.mark.parametrize(("axis", "move"), [(None, False), (0, False), (-1, True)])
def test_other_units_are_fitted_on_request(truth: np.ndarray, axis: int | None, move: bool) -> None:
    image = truth + np.random.default_rng(1).normal(0, 5, truth.shape)
    if axis is not None:
        image, truth = np.stack([image, image[::-1]]), np.stack([truth, truth[::-1]])
    if move:
        image, truth = np.moveaxis(image, 0, -1), np.moveaxis(truth, 0, -1)
    plain = dip.measure_quality(image, truth, channel_axis=axis)
    other = dip.measure_quality((300 + 7 * image).astype(np.float32), truth, channel_axis=axis)
    fitted = dip.measure_quality(300 + 7 * image, truth, channel_axis=axis, fit_brightness=True)
    assert other.psnr < 0 < plain.psnr <= fitted.psnr < plain.psnr + 0.5
    assert fitted.ssim == pytest.approx(plain.ssim, abs=0.02)


def test_a_volume_is_compared_as_its_planes(truth: np.ndarray) -> None:
    image = truth + np.random.default_rng(1).normal(0, 5, truth.shape)
    plane = dip.measure_quality(image, truth)
    volume = dip.measure_quality(np.stack([image] * 3), np.stack([truth] * 3))
    assert volume.psnr == pytest.approx(plane.psnr)
    assert volume.ssim == pytest.approx(plane.ssim)
    np.testing.assert_allclose(volume.ring_correlations, plane.ring_correlations)


def test_images_that_cannot_be_compared_are_refused_in_one_line(truth: np.ndarray) -> None:
    hole = truth.copy()
    hole[3, 4] = np.nan
    for image, true, words in [
        (truth[1:], truth, "shape"),
        (hole, truth, "the image has NaN"),
        (truth, hole, "the truth has NaN"),
        (truth[:9], truth[:9], "too small"),
        (truth, np.ones_like(truth), "is constant"),
        (truth[None, None], truth[None, None], "too many axes"),
    ]:
        with pytest.raises(ValueError, match=words) as caught:
            dip.measure_quality(image, true)
        assert "\n" not in str(caught.value)


def test_the_residual_is_the_input_minus_the_result_at_known_pixels(
    picture: np.ndarray, hole: np.ndarray
) -> None:
    noisy = picture + 3
    noisy[0, 0] = np.nan
    found = dip.residual(dip.Denoise(noisy), picture)
    assert np.isnan(found[0, 0])
    np.testing.assert_allclose(np.delete(found.ravel(), 0), 3, rtol=1e-5)
    filled = dip.residual(
        dip.Inpaint(picture.astype(np.uint8), missing=hole), picture.astype(np.uint8)
    )
    np.testing.assert_array_equal(np.isnan(filled), hole)
    assert (filled[~hole] == 0).all()


@pytest.mark.parametrize("channels", [False, True])
def test_the_residual_of_an_enlarged_image_has_the_size_of_the_small_image(channels: bool) -> None:
    y, x = np.mgrid[:48, :60]
    large = 100 + 30 * np.sin(y / 9) + 20 * np.cos(x / 11)
    small = (
        100
        + 30 * np.sin((np.arange(24) * 2 + 0.5) / 9)[:, None]
        + 20 * np.cos((np.arange(20) * 3 + 1) / 11)
    )
    if channels:
        small, large = np.dstack([small, 2 * small]), np.dstack([large, 2 * large])
    task = dip.SuperResolve(small, factor=(2, 3), channel_axis=-1 if channels else None)
    assert np.abs(dip.residual(task, large)[3:-3, 3:-3]).max() < 1
    assert np.abs(dip.residual(task, large + 9)[3:-3, 3:-3] + 9).max() < 1
    with pytest.raises(ValueError, match="the task's is"):
        dip.residual(task, small)


def test_the_uncertainty_is_the_standard_deviation_over_seeds(
    picture: np.ndarray, hole: np.ndarray
) -> None:
    task = dip.Inpaint(np.where(hole, 0, picture), missing=hole)
    how: dict[str, Any] = {"settings": QUICK["inpaint"], "threads": 1, "dtype": "float64"}
    found = dip.uncertainty(task, seeds=3, **how)
    images = [dip.restore(task, seed=seed, **how).image for seed in range(3)]
    np.testing.assert_allclose(found.mean, np.mean(images, axis=0))
    np.testing.assert_allclose(found.std, np.std(images, axis=0, ddof=1), atol=1e-9)
    assert found.seeds == 3
    assert (found.std[~hole] == 0).all(), "known pixels are not estimated"
    assert found.std[hole].max() > 0


def test_an_uncertainty_warns_once_of_what_may_be_a_mistake(
    picture: np.ndarray, hole: np.ndarray
) -> None:
    task = dip.Inpaint(picture, missing=np.arange(28) > 3 + 0 * hole)
    with pytest.warns(UserWarning, match="invert it") as caught:
        dip.uncertainty(task, seeds=2, settings=QUICK["inpaint"], threads=1)
    assert len(caught) == 1


def test_the_steps_of_an_uncertainty_are_numbered_across_its_seeds(picture: np.ndarray) -> None:
    steps = list(dip.iter_uncertainty(dip.Denoise(picture), seeds=2, settings=QUICK["denoise"]))
    assert [step.result is None for step in steps] == [True] * (len(steps) - 1) + [False]
    assert sorted({step.number for step in steps}) == [1, 2]
    known = [step.seconds_left for step in steps if step.seconds_left is not None]
    assert known[-1] == 0
    assert all(seconds >= 0 for seconds in known)
    for wrong in (1, True, 2.0):
        with pytest.raises(ValueError, match="seeds="):
            dip.iter_uncertainty(dip.Denoise(picture), seeds=wrong)  # type: ignore[arg-type]
