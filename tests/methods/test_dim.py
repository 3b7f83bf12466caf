"""Dim shot noise: the sum is kept, and the result is better than a smoothed image."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import napari_deep_image_prior as dip

SETTINGS = dataclasses.replace(dip.preset_settings("denoise", "fast"), iterations=5, draws=1)


def _truth(kind, shape=(96, 112)):
    y, x = np.indices(shape)
    if kind == "spots":
        wide = np.exp(-((y - 40) ** 2 + (x - 60) ** 2) / 400)
        truth = 0.2 + wide + np.exp(-((y - 80) ** 2 + (x - 30) ** 2) / 200)
    else:
        truth = 1 + 0.8 * np.sin(y / 9) * np.cos(x / 13)
    return truth / truth.mean()


def _error(image, truth):
    return float(np.sqrt(np.square(image - truth).mean()))


@pytest.mark.parametrize("kind", ["spots", "waves"])
@pytest.mark.parametrize("counts", [0.05, 0.15, 0.6, 2.0])
def test_the_sum_of_dim_photon_counts_is_kept(kind, counts):
    truth = counts * _truth(kind)
    noisy = np.random.default_rng(1).poisson(truth).astype(np.float32)
    image = dip.restore(dip.Denoise(noisy), settings=SETTINGS, device="cpu").image
    assert image.sum() == pytest.approx(noisy.sum(), rel=0.01)
    assert image.min() > -0.1 * counts


@pytest.mark.parametrize("counts", [0.15, 0.6])
def test_dim_photon_counts_are_not_left_as_single_photons(counts):
    truth = counts * _truth("waves")
    noisy = np.random.default_rng(2).poisson(truth).astype(np.float32)
    image = dip.restore(dip.Denoise(noisy), settings=SETTINGS, device="cpu").image
    assert _error(image, truth) < 0.8 * np.std(truth)
    assert _error(image, truth) < 0.6 * _error(gaussian_filter(noisy, 1), truth)


def test_bright_points_on_a_dim_background_stay_sharp():
    rng = np.random.default_rng(5)
    y, x = np.indices((112, 112))
    truth = np.full(y.shape, 0.2)
    for row, column in rng.uniform(5, 107, (30, 2)):
        truth += 20 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 3.4)
    noisy = rng.poisson(truth).astype(np.float32)
    image = dip.restore(dip.Denoise(noisy), settings=SETTINGS, device="cpu").image
    assert _error(image, truth) < 0.75 * _error(noisy, truth)
    bright = truth > 10
    assert image[bright].mean() == pytest.approx(truth[bright].mean(), rel=0.25)


def test_each_dim_channel_keeps_its_own_sum():
    truth = np.stack([0.2 * _truth("spots"), 40 * _truth("waves")])
    noisy = np.random.default_rng(3).poisson(truth).astype(np.float32)
    image = dip.restore(dip.Denoise(noisy, channel_axis=0), settings=SETTINGS, device="cpu").image
    assert image.sum(axis=(1, 2)) == pytest.approx(noisy.sum(axis=(1, 2)), rel=0.01)


def test_a_dim_restoration_stopped_at_its_first_step_has_the_sum():
    noisy = np.random.default_rng(4).poisson(0.3 * _truth("waves")).astype(np.float32)
    result = dip.restore(dip.Denoise(noisy), settings=SETTINGS, device="cpu", stop_after=1)
    assert result.image.sum() == pytest.approx(noisy.sum(), rel=0.01)
