"""Volumes: what planes share is used, and all that holds for planes holds for volumes."""

from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior import Denoise, DenoisingFit, iter_restore, repeat, restore
from napari_deep_image_prior.fitting.settings import CompactNetwork
from napari_deep_image_prior.restoration.cost import estimate

QUICK = DenoisingFit(
    CompactNetwork(widths=(8, 8), depth=1), iterations=5, batch=1, draws=1, region=24, crop=16
)
Z, Y, X = np.mgrid[:10, :40, :44]
SCENE = 100 + 40 * np.exp(-((Z - 5) ** 2 / 9 + (Y - 20) ** 2 / 60 + (X - 22) ** 2 / 60))
NOISY = SCENE + np.random.default_rng(0).normal(0, 10, SCENE.shape)


def _error(image: np.ndarray, truth: np.ndarray = SCENE) -> float:
    return float(np.square(image - truth).mean())


def test_a_volume_is_denoised_better_than_its_planes() -> None:
    planes = np.stack([restore(Denoise(plane), settings=QUICK).image for plane in NOISY])
    volume = restore(Denoise(NOISY), settings=QUICK).image
    assert volume.shape == SCENE.shape
    assert _error(volume) < 0.75 * _error(planes)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channel_axis", [None, 0, 1, -1])
def test_axes_and_dtype_are_kept(dtype: str, channel_axis: int | None) -> None:
    image = NOISY.astype(dtype)
    if channel_axis is not None:
        image = np.stack([image, image[::-1]], axis=channel_axis)
    task = Denoise(image, channel_axis=channel_axis, spacing=(2, 1, 1))
    result = restore(task, settings=QUICK, dtype="same").image
    assert result.shape == image.shape
    assert result.dtype == dtype
    first = result if channel_axis is None else np.take(result, 0, axis=channel_axis)
    assert _error(first) < 0.2 * _error(NOISY)


@pytest.mark.parametrize("spacing", [None, (1, 1, 1), (2.5, 1, 1), (12.5, 1, 1), (0.4, 1, 1)])
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_few_planes(depth: int, spacing: Any) -> None:
    result = restore(Denoise(NOISY[:depth], spacing=spacing), settings=QUICK).image
    assert _error(result, SCENE[:depth]) < 0.3 * _error(NOISY[:depth], SCENE[:depth])


def test_a_volume_of_one_plane_is_restored_as_that_plane() -> None:
    plane = restore(Denoise(NOISY[4]), settings=QUICK).image
    volume = restore(Denoise(NOISY[4:5]), settings=QUICK).image
    np.testing.assert_array_equal(volume[0], plane)


def test_unknown_voxels_are_filled() -> None:
    image = NOISY.copy()
    image[3] = np.nan  # a plane
    image[:, 10:13, 10:13] = np.nan  # a column through all planes
    result = restore(Denoise(image), settings=QUICK).image
    assert np.isfinite(result).all()
    assert _error(result) < 0.3 * _error(NOISY)
    assert _error(result[3], SCENE[3]) < 0.3 * _error(NOISY[3], SCENE[3])


@pytest.mark.parametrize("ends", [(0, 1), (8, 10)])
def test_a_missing_plane_at_an_end_is_that_beside_it(ends: tuple[int, int]) -> None:
    image = NOISY.copy()
    image[slice(*ends)] = np.nan
    result = restore(Denoise(image), settings=QUICK).image
    assert np.isfinite(result).all()
    assert _error(result) < 0.5 * _error(NOISY)


def test_empty_and_constant_planes() -> None:
    image = NOISY.copy()
    image[2], image[7] = 0, 255
    result = restore(Denoise(image), settings=QUICK).image
    assert np.isfinite(result).all()
    others = [0, 1, 4, 5, 9]
    assert _error(result[others], SCENE[others]) < 0.5 * _error(NOISY)
    constant = restore(Denoise(np.full((4, 20, 21), 7.0)), settings=QUICK).image
    np.testing.assert_allclose(constant, 7, atol=1e-3)


def test_stripes_of_planes_are_removed_and_reported() -> None:
    rows = np.random.default_rng(1).normal(0, 8, (10, 70, 1))
    image = np.tile(100.0 + 0 * X[:1, :1], (10, 70, 2)) + rows
    image += np.random.default_rng(2).normal(0, 4, image.shape)
    result = restore(Denoise(image), settings=QUICK)
    assert "offsets of rows" in result.provenance["found"]
    assert "10 planes" in result.provenance["found"]
    assert result.image.std(axis=(1, 2)).mean() < 3


def test_photon_noise_of_a_volume_is_found() -> None:
    z, y, x = np.mgrid[:8, :64, :64]
    truth = 20 + 15 * np.sin(x / 9) * np.cos(y / 8) + 0 * z
    counts = np.random.default_rng(0).poisson(truth).astype(np.uint16)
    result = restore(Denoise(counts), settings=QUICK)
    assert "photon noise" in result.provenance["found"]
    assert _error(result.image, truth) < 0.1 * _error(counts, truth)
    assert result.image.sum() == pytest.approx(truth.sum(), rel=0.02)


@pytest.mark.parametrize("options", [{"strength": 0.5}, {"outliers": "fill"}, {"noise_std": 10}])
def test_options_hold_for_volumes(options: dict[str, Any]) -> None:
    image = NOISY.copy()
    image[4, 5, 6] = 5000
    result = restore(Denoise(image, **options), settings=QUICK).image
    assert result.shape == image.shape
    assert _error(result[:4], SCENE[:4]) < 0.8 * _error(NOISY)
    if "outliers" in options:
        assert abs(result[4, 5, 6] - SCENE[4, 5, 6]) < 30


def test_a_volume_is_repeated_bit_by_bit() -> None:
    result = restore(Denoise(NOISY, spacing=(3, 1, 1)), settings=QUICK, seed=3)
    assert result.provenance["task"]["spacing"] == [3.0, 1.0, 1.0]
    again = repeat(result.provenance, NOISY)
    np.testing.assert_array_equal(again.image, result.image)


def test_a_volume_can_be_watched_stopped_and_run_on() -> None:
    steps = iter_restore(Denoise(NOISY), settings=QUICK)
    steps.wants_image = lambda: True
    images = []
    for step in steps:
        if step.image is not None:
            images.append(step.image)
        if step.fitted == 2:
            steps.stop()
    assert all(image.shape == NOISY.shape for image in images)
    assert _error(images[-2]) < _error(images[0])
    assert "stopped" in steps.result.stop_reason
    steps.run_on()
    assert list(steps)[-1].result is not None


def test_a_volume_is_stopped_in_its_first_estimate() -> None:
    steps = iter_restore(Denoise(NOISY), settings=QUICK)
    for step in steps:
        if step.iteration == 3:
            steps.stop()
    assert _error(steps.result.image) < 0.3 * _error(NOISY)


def test_the_cost_of_a_volume_grows_with_it() -> None:
    small, large = (
        estimate(Denoise(np.tile(NOISY, (n, 4, 4))), settings=QUICK, threads=1) for n in (1, 6)
    )
    assert large.seconds > 2 * small.seconds
    assert large.memory > 1.5 * small.memory


def test_colors_are_not_taken_for_a_volume() -> None:
    with pytest.raises(ValueError, match="channel_axis=-1"):
        Denoise(np.zeros((20, 21, 3)))


@pytest.mark.parametrize(
    ("spacing", "error", "message"),
    [
        ((1, 1), ValueError, "three positive numbers"),
        ((0, 1, 1), ValueError, "three positive numbers"),
        ((1, np.nan, 1), ValueError, "three positive numbers"),
        ((1, 1, np.inf), ValueError, "three positive numbers"),
        ("abc", TypeError, "three numbers"),
        (3, TypeError, "three numbers"),
    ],
)
def test_a_spacing_that_is_none_is_refused(
    spacing: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Denoise(NOISY, spacing=spacing)


def test_a_spacing_of_a_plane_is_refused() -> None:
    with pytest.raises(ValueError, match="for volumes"):
        Denoise(NOISY[0], spacing=(1, 1, 1))


def test_volumes_of_four_axes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(Y, X\) or \(Z, Y, X\)"):
        Denoise(np.zeros((2, 3, 8, 9)))
