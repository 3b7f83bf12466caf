"""restore and iter_restore: properties that hold for every task, layout and dtype."""

import gc
import json
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import napari_deep_image_prior as dip
from napari_deep_image_prior.methods.deep_image_prior.settings import PUBLISHED
from napari_deep_image_prior.methods.method import PRESETS
from napari_deep_image_prior.restoration.base import explained_errors
from tests.conftest import ENDLESS, QUICK

TINY_PRIOR = dip.DeepImagePriorFit(
    dip.HourglassNetwork(widths=(4, 4), skips=(2, 2)), iterations=5, input_depth=3
)
KINDS = ("denoise", "inpaint", "super-resolve")


def _task(kind: str, image: np.ndarray, channel_axis: int | None = None, **options: Any) -> Any:
    if kind == "denoise":
        return dip.Denoise(image, channel_axis=channel_axis, **options)
    if kind == "super-resolve":
        return dip.SuperResolve(image, factor=2, channel_axis=channel_axis)
    shape = [
        size
        for axis, size in enumerate(image.shape)
        if channel_axis is None or axis != channel_axis % image.ndim
    ]
    missing = np.random.default_rng(1).random(shape) < 0.2
    missing.flat[-1] = True
    return dip.Inpaint(image, missing=missing, channel_axis=channel_axis)


def _image(shape: tuple[int, ...], channel_axis: int | None) -> np.ndarray:
    """Smooth structure with a little noise, 0..200."""
    spatial = [
        size
        for axis, size in enumerate(shape)
        if channel_axis is None or axis != channel_axis % len(shape)
    ]
    y, x = np.mgrid[: spatial[0], : spatial[1]]
    plane = 100 + 60 * np.sin(x / 3) * np.cos(y / 5)
    image = (
        plane
        if channel_axis is None
        else np.stack([plane * k for k in (1, 0.8, 0.5, 0.3)[: shape[channel_axis]]], channel_axis)
    )
    return image + np.random.default_rng(0).normal(0, 3, image.shape)


def test_a_tensor_that_requires_gradients_is_an_image() -> None:
    image = _image((20, 25), None).astype(np.float32)
    tensor = torch.from_numpy(image).requires_grad_()
    results = [dip.restore(dip.Denoise(each), settings=TINY_PRIOR) for each in (image, tensor)]
    np.testing.assert_array_equal(results[0].image, results[1].image)
    assert np.array_equal(dip.repeat(results[0].provenance, tensor).image, results[0].image)
    assert tensor.requires_grad


@pytest.mark.parametrize(("offset", "contrast"), [(1e14, 100.0), (1e9, 0.1)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_contrast_on_a_huge_offset_is_kept(kind: str, offset: float, contrast: float) -> None:
    image = _image((40, 41), None)
    plain = dip.restore(_task(kind, image), settings=QUICK[kind])
    shifted = dip.restore(_task(kind, offset + contrast * image), settings=QUICK[kind])
    assert shifted.image.dtype == np.float64
    np.testing.assert_allclose((shifted.image - offset) / contrast, plain.image, atol=1)


LAYOUTS = [((21, 34), None), ((20, 33, 3), -1), ((2, 19, 32), 0), ((21, 4, 30), 1)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "channel_axis"), LAYOUTS, ids=str)
@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "int16", "int32", "float16", "float32", "float64"]
)
def test_every_layout_and_dtype_is_restored(
    kind: str, shape: tuple[int, ...], channel_axis: int | None, dtype: str
) -> None:
    image = _image(shape, channel_axis).astype(dtype)
    before = image.copy()
    task = _task(kind, image, channel_axis)
    result = dip.restore(task, settings=QUICK[kind])
    assert result.image.shape == task.result_shape
    assert result.image.dtype == np.float32
    assert np.isfinite(result.image).all()
    assert 0.5 < result.image.mean() / image.mean(dtype=float) < 1.5, (
        "the intensity units are the input's"
    )
    np.testing.assert_array_equal(image, before)
    same = dip.restore(task, settings=replace(QUICK[kind], iterations=2), dtype="same")
    assert same.image.dtype == image.dtype


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 3), (7, 5), (16, 9), (64, 65)], ids=str)
@pytest.mark.parametrize("method", ["lean", "prior"])
def test_any_size_works(kind: str, shape: tuple[int, int], method: str) -> None:
    if kind == "inpaint" and shape == (1, 1):
        shape = (1, 2)
    image = _image(shape, None)
    if kind == "inpaint":
        missing = np.zeros(shape, dtype=bool)
        missing.flat[-1] = True
        task: Any = dip.Inpaint(image, missing=missing)
    else:
        task = _task(kind, image)
    settings = TINY_PRIOR if method == "prior" else replace(QUICK[kind], iterations=3)
    result = dip.restore(task, settings=settings)
    assert result.image.shape == task.result_shape
    assert np.isfinite(result.image).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("slope", "offset"), [(40.0, 0.0), (0.001, 5.0), (3.0, 30000.0)])
def test_a_linear_change_of_units_changes_the_result_in_the_same_way(
    kind: str, slope: float, offset: float
) -> None:
    image = _image((24, 30), None)
    plain = dip.restore(_task(kind, image), settings=QUICK[kind], dtype="float64").image
    changed = dip.restore(
        _task(kind, slope * image + offset), settings=QUICK[kind], dtype="float64"
    ).image
    np.testing.assert_allclose((changed - offset) / slope, plain, atol=0.05 * np.ptp(image))
    assert np.abs((changed - offset) / slope - plain).mean() < 0.005 * np.ptp(image)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_clipped(kind: str) -> None:
    image = _image((32, 32), None)
    image[8:24, 8:24] += 1e5
    image[:4] -= 1e5
    result = dip.restore(_task(kind, image), settings=QUICK[kind])
    assert result.image.max() > 0.9e5
    assert result.image.min() < -0.9e5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", ["lean", "prior"])
def test_the_same_seed_gives_the_same_image_and_leaves_the_random_state_alone(
    kind: str, settings: str
) -> None:
    task = _task(kind, _image((20, 25), None))
    chosen = QUICK[kind] if settings == "lean" else TINY_PRIOR
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002  (the caller's legacy state is what is tested)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (dip.restore(task, settings=chosen, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    np.testing.assert_array_equal(first.image, second.image)
    assert first.history == second.history
    assert (
        first.history != other.history
    )  # without a weight for so short a fit, the images are equal


@pytest.mark.parametrize("kind", KINDS)
def test_previews_do_not_change_the_result(kind: str) -> None:
    task = _task(kind, _image((20, 25), None))
    plain = dip.restore(task, settings=QUICK[kind]).image
    steps = dip.iter_restore(task, settings=QUICK[kind])
    steps.wants_image = lambda: True
    images = [step.image for step in steps]
    assert sum(image is not None for image in images) > 10
    assert all(image.shape == task.result_shape for image in images if image is not None)
    np.testing.assert_array_equal(images[-1], plain)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_unknown_pixels_come_back_restored(kind: str, value: float) -> None:
    image = _image((24, 30), None)
    spoiled = image.copy()
    spoiled[5:7, 10:12] = value
    spoiled[0, 0] = value
    for settings in (QUICK[kind], TINY_PRIOR):
        result = dip.restore(_task(kind, spoiled), settings=settings).image
        assert np.isfinite(result).all()
    if kind != "super-resolve":
        lean = dip.restore(_task(kind, spoiled), settings=QUICK[kind]).image
        assert np.abs(lean[5:7, 10:12] - image[5:7, 10:12]).mean() < 0.25 * np.ptp(image)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_flat_image_stays_flat(kind: str, value: int) -> None:
    result = dip.restore(
        _task(kind, np.full((32, 40), value, dtype=np.uint16)), settings=QUICK[kind]
    )
    np.testing.assert_allclose(result.image, value, atol=1e-3 * max(value, 1))


def test_known_pixels_stay_as_they_are(picture: np.ndarray, hole: np.ndarray) -> None:
    result = dip.restore(
        dip.Inpaint(picture, missing=hole), settings=QUICK["inpaint"], dtype="float64"
    )
    np.testing.assert_allclose(result.image[~hole], picture[~hole], rtol=1e-6)


def test_an_enlarged_image_downsamples_to_the_small_image(picture: np.ndarray) -> None:
    from napari_deep_image_prior.operators import Downsample

    large = dip.restore(dip.SuperResolve(picture, factor=4), settings=QUICK["super-resolve"]).image
    operator = Downsample.lanczos(large.shape, picture.shape)
    small = operator.forward(torch.from_numpy(large)[None, None])[0, 0].numpy()
    assert np.abs(small - picture).mean() < 0.01 * np.ptp(picture)


def test_noise_of_known_strength_is_mostly_removed() -> None:
    y, x = np.mgrid[:64, :64]
    truth = 100 + 50 * np.sin(x / 9) + 40 * (y > 31)
    noisy = truth + np.random.default_rng(0).normal(0, 15, truth.shape)
    result = dip.restore(
        dip.Denoise(noisy, noise_std=15), settings=replace(QUICK["denoise"], region=64)
    )
    assert np.std(result.image - truth) < 0.4 * np.std(noisy - truth)


def test_channels_with_common_structure_are_denoised_better_jointly_in_any_order() -> None:
    y, x = np.mgrid[:64, :64]
    shared = 60 * np.sin(x / 5) * np.cos(y / 7) + 40 * (x > 30)
    truth = np.stack([shared, 0.8 * shared, 50 - 0.9 * shared])
    noisy = truth + np.random.default_rng(0).normal(0, 20, truth.shape)

    def restored(image: np.ndarray, channel_axis: int | None = 0) -> np.ndarray:
        return dip.restore(
            dip.Denoise(image, noise_std=20, channel_axis=channel_axis), settings=QUICK["denoise"]
        ).image

    together = restored(noisy)
    alone = np.stack([restored(channel, None) for channel in noisy])
    assert np.square(together - truth).mean() < 0.7 * np.square(alone - truth).mean()
    np.testing.assert_allclose(restored(noisy[[2, 0, 1]]), together[[2, 0, 1]], atol=0.05)


@pytest.mark.parametrize("in_common", [1.0, 0.5])
def test_channels_with_common_noise_are_denoised_as_well_jointly_as_separately(
    in_common: float,
) -> None:
    y, x = np.mgrid[:80, :80]
    truth = 60 * np.sin(x / 7) * np.cos(y / 11) + 40 * (x > 40)
    random = np.random.default_rng(0)
    own, common = random.normal(0, 20, (3, 80, 80)), random.normal(0, 20, (80, 80))
    noisy = truth + np.sqrt(in_common) * common + np.sqrt(1 - in_common) * own
    together = dip.restore(
        dip.Denoise(noisy, noise_std=20, channel_axis=0), settings=QUICK["denoise"]
    ).image
    alone = np.stack(
        [
            dip.restore(dip.Denoise(one, noise_std=20), settings=QUICK["denoise"]).image
            for one in noisy
        ]
    )
    assert np.square(together - truth).mean() < 1.5 * np.square(alone - truth).mean()


def test_a_channel_with_white_noise_is_not_degraded_by_one_with_correlated_noise() -> None:
    y, x = np.mgrid[:112, :112]
    truth = 60 * np.sin(x / 9) * np.cos(y / 13) + 40 * (x > 60)
    white = np.random.default_rng(0).normal(0, 20, (2, 112, 112))
    shared = (
        white[1]
        + np.roll(white[1], 1, 0)
        + np.roll(white[1], 1, 1)
        + np.roll(white[1], (1, 1), (0, 1))
    ) / 2
    noisy = np.stack([truth + white[0], truth + shared])
    together = dip.restore(dip.Denoise(noisy, channel_axis=0), settings=QUICK["denoise"]).image
    alone = dip.restore(dip.Denoise(noisy[0]), settings=QUICK["denoise"]).image
    assert np.square(together[0] - truth).mean() < 1.2 * np.square(alone - truth).mean()


def test_correlated_noise_is_removed() -> None:
    y, x = np.mgrid[:112, :112]
    truth = 60 * np.sin(x / 9) * np.cos(y / 13) + 40 * (x > 60)
    white = np.random.default_rng(0).normal(0, 20, truth.shape)
    shared = (
        white + np.roll(white, 1, 0) + np.roll(white, 1, 1) + np.roll(white, (1, 1), (0, 1))
    ) / 2
    for noise in ("auto", "correlated"):
        result = dip.restore(dip.Denoise(truth + shared, noise=noise), settings=QUICK["denoise"])
        assert "spatially correlated" in result.provenance["found"]
        assert np.std(result.image - truth) < 0.5 * shared.std()


@pytest.mark.parametrize("noise", ["gaussian", "correlated", "poisson-gaussian"])
def test_more_strength_leaves_less_grain_and_keeps_the_brightness(noise: str) -> None:
    y, x = np.mgrid[:64, :64]
    truth = 40 + 20 * np.sin(x / 9) * np.sin(y / 7)
    counts = np.random.default_rng(0).poisson(truth)
    images = {}
    for strength in (0.5, 1, 2, 4):
        task = dip.Denoise(counts, noise=noise, strength=strength)
        images[strength] = dip.restore(task, settings=replace(QUICK["denoise"], region=64)).image
    grain = [
        np.abs(np.diff(images[strength] - truth, n=2, axis=0)).mean() for strength in (0.5, 1, 2)
    ]
    assert grain[0] > 2 * grain[1]
    # with photon noise, little is left at 1: the error is that of the picture's own curvature
    assert grain[1] > (1.0 if noise == "poisson-gaussian" else 2) * grain[2]
    means = [image.mean() for image in images.values()]
    np.testing.assert_allclose(means, counts.mean(), rtol=0.05)


def test_a_strength_below_one_removes_that_fraction_of_the_noise_and_fills_unknown_pixels() -> None:
    noisy = np.random.default_rng(0).normal(100, 10, (32, 32))
    noisy[3, 4:7] = np.nan
    whole, half = (
        dip.restore(dip.Denoise(noisy, noise_std=10, strength=strength), settings=QUICK["denoise"])
        for strength in (1, 0.5)
    )
    np.testing.assert_allclose(
        half.image, np.where(np.isnan(noisy), whole.image, (noisy + whole.image) / 2), rtol=1e-5
    )
    assert half.provenance["found"] == "noise of standard deviation 10, 50 % of it removed"


def test_a_strength_beyond_the_noise_is_reported() -> None:
    noisy = np.random.default_rng(0).normal(100, 10, (32, 32))
    twice = dip.restore(dip.Denoise(noisy, noise_std=5, strength=2), settings=QUICK["denoise"])
    assert twice.provenance["found"] == "noise of standard deviation 5, assumed 2 times as strong"
    again = dip.repeat(twice.provenance, noisy)
    np.testing.assert_array_equal(again.image, twice.image)


@pytest.mark.parametrize("how", ["denoise", "paper"])
def test_outliers_to_fill_are_replaced_and_their_share_is_reported(how: str) -> None:
    random = np.random.default_rng(0)
    noisy = random.normal(100, 5, (64, 64))
    hot = random.random(noisy.shape) < 0.004
    noisy[hot] = 4000
    settings = QUICK["denoise"] if how == "denoise" else dip.DeepImagePriorFit(iterations=2)
    kept, filled = (
        dip.restore(dip.Denoise(noisy, outliers=outliers), settings=settings)
        for outliers in ("keep", "fill")
    )
    assert abs(filled.image - 100).max() < 20
    is_limited = "limited to the range of the others" in kept.provenance["found"]
    assert is_limited == (how == "paper")
    assert (abs(kept.image - 100).max() > 100) != is_limited
    assert f"{100 * hot.mean():.2g} % outlying pixels filled" in filled.provenance["found"]
    assert filled.provenance["task"]["outliers"] == "fill"
    assert "outliers" not in kept.provenance["task"]


def test_strength_is_refused_without_a_known_noise_level() -> None:
    task = dip.Denoise(np.ones((8, 8)), strength=2)
    for how in ({"preset": "paper"}, {"settings": dip.DeepImagePriorFit(iterations=2)}):
        with pytest.raises(ValueError, match="strength=2 is not supported by the published method"):
            dip.iter_restore(task, **how)


@pytest.mark.parametrize("noise", ["auto", "gaussian", "correlated", "poisson", "poisson-gaussian"])
def test_every_noise_model_is_supported(noise: str) -> None:
    y, x = np.mgrid[:64, :64]
    truth = 30 + 25 * np.sin(x / 9) * np.sin(y / 7)
    counts = np.random.default_rng(0).poisson(truth)
    result = dip.restore(
        dip.Denoise(counts, noise=noise), settings=replace(QUICK["denoise"], region=64)
    )
    assert np.std(result.image - truth) < 0.6 * np.std(counts - truth)
    assert abs(result.image.mean() - truth.mean()) < 1, "photon counts keep their mean"


def test_steps_are_numbered_and_the_last_one_has_the_result() -> None:
    task = dip.Denoise(_image((20, 25), None))
    steps = list(dip.iter_restore(task, settings=TINY_PRIOR))
    assert [step.iteration for step in steps] == [1, 2, 3, 4, 5, 5]
    assert all(step.total == 5 for step in steps)
    assert all(step.misfit > 0 for step in steps)
    assert [step.result is not None for step in steps] == [False] * 5 + [True]
    np.testing.assert_array_equal(steps[-1].image, steps[-1].result.image)


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_the_loop_ends_the_fit(kind: str) -> None:
    task = _task(kind, _image((20, 25), None))
    steps = dip.iter_restore(task, settings=ENDLESS[kind])
    generator = weakref.ref(steps._generator)
    for step in steps:
        if step.iteration == 3:
            break
    with pytest.raises(dip.RestorationError, match="no result"):
        steps.result  # noqa: B018
    gc.disable()  # memory must not wait for the collector, which ignores that of a GPU
    try:
        del steps
        assert generator() is None
    finally:
        gc.enable()
    closed = dip.iter_restore(task, settings=ENDLESS[kind])
    next(closed)
    closed.close()
    assert list(closed) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [1, 400])
def test_stop_keeps_the_best_image_so_far(kind: str, after: int) -> None:
    task = _task(kind, _image((20, 25), None))
    steps = dip.iter_restore(task, settings=ENDLESS[kind])
    for step in steps:
        if step.iteration == after:
            steps.stop()
    assert step.result is steps.result
    assert steps.result.image.shape == task.result_shape
    assert steps.result.stop_reason.startswith("stopped by the user")


def test_the_published_method_run_on_is_the_same_as_without_a_stop() -> None:
    task = dip.Denoise(_image((20, 25), None))
    settings = replace(TINY_PRIOR, averaging=0.9, weight_noise=0.01)
    unbroken = dip.restore(task, settings=replace(settings, iterations=10))
    steps = dip.iter_restore(task, settings=settings)
    assert [step.iteration for step in steps] == [1, 2, 3, 4, 5, 5]
    assert steps.result.iterations == 5
    steps.run_on(5)
    assert [(step.iteration, step.total) for step in steps] == [
        (i, 10) for i in (6, 7, 8, 9, 10, 10)
    ]
    np.testing.assert_array_equal(steps.result.image, unbroken.image)
    assert steps.result.history == unbroken.history
    assert steps.result.stop_reason == "all 10 steps done"
    assert steps.result.provenance["run_on"] == [{"after": 5, "iterations": 5}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [1, 25, 70])
def test_a_stopped_fit_runs_on_to_its_planned_end(kind: str, after: int) -> None:
    task = _task(kind, _image((20, 25), None))
    steps = dip.iter_restore(task, settings=QUICK[kind])
    for step in steps:
        if step.iteration == after:
            steps.stop()
    stopped = steps.result
    steps.run_on()
    final = [step.result for step in steps][-1]
    assert final is steps.result is not stopped
    assert final.iterations >= 40
    assert "stopped by the user" not in final.stop_reason
    assert len(stopped.history) < len(final.history) or after == 70, "a result no longer changes"


def test_a_stopped_inpainting_run_on_is_the_same_as_without_a_stop() -> None:
    task = _task("inpaint", _image((20, 25), None))
    steps = dip.iter_restore(task, settings=QUICK["inpaint"])
    for step in steps:
        if step.iteration == 15:
            steps.stop()
    steps.run_on()
    list(steps)
    np.testing.assert_array_equal(
        steps.result.image, dip.restore(task, settings=QUICK["inpaint"]).image
    )


def test_inpainting_starts_from_the_network_of_a_similar_fit(
    picture: np.ndarray, hole: np.ndarray
) -> None:
    settings = replace(QUICK["inpaint"], iterations=40, learning_rate=1e-3)
    first, second = (
        dip.iter_restore(dip.Inpaint(picture + k, missing=hole), settings=settings) for k in (0, 1)
    )
    with pytest.raises(dip.RestorationError, match="no network to start from"):
        second.start_from(first)
    list(first)
    first.close()
    second.start_from(first)
    list(second)
    cold = dip.restore(dip.Inpaint(picture + 1, missing=hole), settings=settings)
    assert second.result.iterations == cold.iterations // 4
    ended, began_there = (
        torch.cat([w.ravel() for w in s._consumer.network.values()]) for s in (first, second)
    )
    fresh = dip.iter_restore(dip.Inpaint(picture, missing=hole), settings=settings, seed=5)
    list(fresh)
    other = torch.cat([w.ravel() for w in fresh._consumer.network.values()])
    assert (began_there - ended).norm() < 0.2 * (other - ended).norm(), (
        "it continues from where the other ended"
    )
    with pytest.raises(ValueError, match="started from the network of another image"):
        dip.repeat(second.result.provenance, picture + 1)
    assert "warm_start" not in cold.provenance


def test_only_the_quick_inpainting_fit_supports_a_warm_start(
    picture: np.ndarray, hole: np.ndarray
) -> None:
    inpainting = dip.iter_restore(dip.Inpaint(picture, missing=hole), settings=QUICK["inpaint"])
    others = [
        dip.iter_restore(dip.Denoise(picture), settings=QUICK["denoise"]),
        dip.iter_restore(dip.Inpaint(picture, missing=hole), settings=TINY_PRIOR),
    ]
    for steps in (inpainting, *others):
        list(steps)
    assert inpainting.can_give_a_start
    for other in others:
        assert not other.can_give_a_start
        with pytest.raises(dip.RestorationError, match="both must be inpaintings"):
            other.start_from(inpainting)


def test_only_a_finished_fit_that_was_not_freed_runs_on() -> None:
    task = dip.Denoise(_image((20, 25), None))
    steps = dip.iter_restore(task, settings=TINY_PRIOR)
    assert not steps.can_run_on
    with pytest.raises(dip.RestorationError, match="no fit to run on"):
        steps.run_on()
    list(steps)
    assert steps.can_run_on
    with pytest.raises(ValueError, match="iterations=0"):
        steps.run_on(0)
    steps.close()
    assert not steps.can_run_on
    with pytest.raises(dip.RestorationError, match="closed"):
        steps.run_on()
    assert steps.result.iterations == 5
    averaged = dip.iter_restore(task, settings=replace(TINY_PRIOR, runs=2))
    list(averaged)
    with pytest.raises(dip.RestorationError, match="mean of several runs"):
        averaged.run_on()


@pytest.mark.parametrize("method", ["lean", "prior"])
@pytest.mark.parametrize("after", [3, 40])
def test_a_mask_repainted_during_the_fit_takes_effect(
    picture: np.ndarray, hole: np.ndarray, method: str, after: int
) -> None:
    scratched = picture.copy()
    scratched[15:17, 15:17] = 1000
    scratch = scratched == 1000
    settings = QUICK["inpaint"] if method == "lean" else replace(TINY_PRIOR, iterations=40)
    steps = dip.iter_restore(
        dip.Inpaint(scratched, missing=hole), settings=settings, dtype="float64"
    )
    for step in steps:
        if step.iteration == after and step.result is None:
            steps.repaint(scratch)
    result = steps.result
    assert result.provenance["repainted"] == [after]
    assert result.provenance["task"]["missing_pixels"] == scratch.sum()
    if method == "lean":
        np.testing.assert_allclose(result.image[~scratch], scratched[~scratch], rtol=1e-6)
        assert result.image[scratch].max() < 300
    else:
        begun, later = result.history[2], result.history[-1]
        assert after == 40 or later < begun


def test_the_published_fit_with_a_repainted_mask_equals_a_fit_with_that_mask() -> None:
    image = _image((20, 25), None)
    first, second = (np.random.default_rng(seed).random(image.shape) < 0.2 for seed in (1, 2))
    for mask in (first, second):
        mask.flat[[image.argmin(), image.argmax()]] = False  # the range is that of the known pixels
    steps = dip.iter_restore(dip.Inpaint(image, missing=first), settings=TINY_PRIOR)
    steps.repaint(second)
    list(steps)
    expected = dip.restore(dip.Inpaint(image, missing=second), settings=TINY_PRIOR)
    np.testing.assert_allclose(steps.result.image, expected.image, rtol=1e-6)


def test_only_a_mask_that_fits_is_accepted(picture: np.ndarray, hole: np.ndarray) -> None:
    steps = dip.iter_restore(dip.Inpaint(picture, missing=hole), settings=QUICK["inpaint"])
    for mask in (hole[:5], np.ones_like(hole), np.zeros_like(hole)):
        with pytest.raises(ValueError, match="missing"):
            steps.repaint(mask)
    with pytest.raises(TypeError, match="no mask to repaint"):
        dip.iter_restore(dip.Denoise(picture)).repaint(hole)


def test_provenance_is_sufficient_to_repeat() -> None:
    task = dip.Denoise(_image((20, 25), None).astype(np.uint8), noise="gaussian")
    result = dip.restore(task, settings=QUICK["denoise"], seed=11)
    made = json.loads(json.dumps(result.provenance, allow_nan=False))
    assert {name: made["task"][name] for name in made["task"] if "sha256" not in name} == {
        "kind": "denoise",
        "shape": [20, 25],
        "image_dtype": "uint8",
        "noise": "gaussian",
        "noise_std": None,
        "strength": 1.0,
        "channel_axis": None,
    }
    assert made["found"].startswith("noise of standard deviation")
    again = dip.restore(
        task,
        settings=dip.settings_from_dict(made["settings"]),
        seed=made["seed"],
        device=made["device"],
        threads=made["threads"],
    )
    np.testing.assert_array_equal(again.image, result.image)


@pytest.mark.parametrize(
    "settings", [*PUBLISHED.values(), *QUICK.values()], ids=lambda settings: type(settings).__name__
)
def test_settings_survive_json(settings: Any) -> None:
    assert (
        dip.settings_from_dict(json.loads(json.dumps(dip.settings_to_dict(settings)))) == settings
    )


def test_the_paper_preset_is_the_published_recipe() -> None:
    denoise = dip.preset_settings("denoise", "paper")
    assert (denoise.iterations, denoise.learning_rate, denoise.averaging) == (1800, 0.01, 0.99)
    assert denoise.jitter == pytest.approx(1 / 30)
    assert denoise.network == dip.HourglassNetwork(align_corners=True, norm_gain="uniform"), (
        "as in torch of 2017"
    )
    inpaint = dip.preset_settings("inpaint", "paper")
    assert (inpaint.iterations, inpaint.learning_rate, inpaint.jitter) == (11000, 0.001, 0.03)
    assert dip.preset_settings("super-resolve", "paper", factor=4).iterations == 2000
    assert dip.preset_settings("super-resolve", "paper", factor=8).jitter == 0.05


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_preset_starts(preset: str, kind: str) -> None:
    steps = dip.iter_restore(_task(kind, _image((32, 32), None)), preset=preset)
    assert next(steps).iteration == 1
    steps.close()


def test_two_runs_are_averaged() -> None:
    task = dip.Denoise(_image((20, 25), None))
    once = [dip.restore(task, settings=TINY_PRIOR, seed=seed).image for seed in (0, 1)]
    both = dip.restore(task, settings=replace(TINY_PRIOR, runs=2), seed=0)
    np.testing.assert_allclose(both.image, np.mean(once, axis=0), rtol=1e-5)
    assert both.iterations == 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"preset": "slow"}, "slow"),
        ({"device": "abacus"}, "abacus"),
        ({"device": "cuda:77"}, "cuda:77"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"dtype": "uint8"}, "dtype"),
        ({"threads": 0}, "threads"),
    ],
    ids=str,
)
def test_a_bad_argument_is_refused_before_anything_starts(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        dip.iter_restore(dip.Denoise(np.ones((8, 8), dtype=np.uint16)), **arguments)


def test_settings_of_another_task_are_refused() -> None:
    for settings in ("fast", QUICK["inpaint"].network):
        with pytest.raises(TypeError, match="cannot be used for the task denoise"):
            dip.iter_restore(dip.Denoise(np.ones((8, 8))), settings=settings)  # type: ignore[arg-type]
    with pytest.raises(
        TypeError,
        match="InpaintingFit cannot be used for the task denoise: "
        "use DenoisingFit or DeepImagePriorFit",
    ):
        dip.restore(dip.Denoise(np.ones((8, 8))), settings=QUICK["inpaint"])
    with pytest.raises(TypeError, match="ndarray"):
        dip.restore(np.ones((8, 8)))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("times", [10, 5000])
def test_a_learning_rate_far_too_high_is_hardly_worse_than_the_classical_estimate(
    kind: str, times: float
) -> None:
    y, x = np.mgrid[:48, :48]
    truth = 100 + 40 * np.sin(x / 4) * (y > 20) + 50.0 * (np.hypot(y - 12, x - 24) < 9)
    random = np.random.default_rng(0)
    task: Any = {
        "denoise": dip.Denoise(truth + random.normal(0, 10, truth.shape)),
        "inpaint": dip.Inpaint(truth, missing=random.random(truth.shape) < 0.4),
        "super-resolve": dip.SuperResolve(truth.reshape(24, 2, 24, 2).mean(axis=(1, 3)), factor=2),
    }[kind]
    settings = replace(QUICK[kind], iterations=120, learning_rate=0.004)
    classical = dip.restore(task, settings=settings, stop_after=1).image
    try:
        result = dip.restore(task, settings=replace(settings, learning_rate=times * 0.004)).image
    except dip.RestorationError as error:
        assert "learning rate" in str(error)  # noqa: PT017
    else:
        assert np.sqrt(np.mean((result - truth) ** 2)) < 1.15 * np.sqrt(
            np.mean((classical - truth) ** 2)
        )


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (replace(TINY_PRIOR, learning_rate=1e38), "denoise"),
        (replace(QUICK["denoise"], learning_rate=1e38), "denoise"),
        (replace(QUICK["inpaint"], learning_rate=1e38), "inpaint"),
    ],
)
def test_a_fit_that_overflows_advises_a_lower_learning_rate(settings: Any, kind: str) -> None:
    noisy = np.random.default_rng(0).normal(100, 10, (32, 32))
    task = dip.Denoise(noisy) if kind == "denoise" else dip.Inpaint(noisy, missing=noisy > 110)
    with pytest.raises(dip.RestorationError, match="use a lower learning rate or another seed"):
        dip.restore(task, settings=settings)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("the loss is NaN in step 3."),
        RuntimeError("value cannot be converted to type float without overflow"),
        FloatingPointError("invalid value"),
        OverflowError(),
    ],
    ids=repr,
)
def test_an_error_of_a_diverged_fit_advises_a_lower_learning_rate(error: Exception) -> None:
    with (
        pytest.raises(dip.RestorationError, match="use a lower learning rate") as raised,
        explained_errors(torch.device("cpu")),
    ):
        raise error
    assert str(raised.value).endswith("seed.")
    assert "\n" not in str(raised.value)


def test_other_errors_of_a_fit_are_not_explained_by_the_learning_rate() -> None:
    with (
        pytest.raises(dip.RestorationError, match="mat1 and mat2") as raised,
        explained_errors(torch.device("cpu")),
    ):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert "learning rate" not in str(raised.value)


def test_the_number_of_threads_is_as_requested_and_restored_afterwards() -> None:
    before = torch.get_num_threads()
    steps = dip.iter_restore(dip.Denoise(_image((20, 25), None)), settings=TINY_PRIOR, threads=1)
    assert "1 thread" in steps.device
    list(steps)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("unit", [1e60, 1e-60])
def test_intensities_beyond_float32_give_float64(unit: float, picture: np.ndarray) -> None:
    task = dip.Denoise(picture * unit)
    with pytest.raises(dip.RestorationError, match="use dtype='float64'"):
        dip.restore(task, settings=QUICK["denoise"], dtype="float16")
    result = dip.restore(task, settings=QUICK["denoise"])
    assert result.image.dtype == np.float64
    assert result.image.mean() == pytest.approx(picture.mean() * unit, rel=0.02)
