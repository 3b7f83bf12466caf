"""Inpainting, super-resolution and the published method on volumes."""

from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior import (
    DeepImagePriorFit,
    Denoise,
    HourglassNetwork,
    Inpaint,
    InpaintingFit,
    SuperResolutionFit,
    SuperResolve,
    iter_restore,
    repeat,
    residual,
    restore,
)
from napari_deep_image_prior.fitting.settings import CompactNetwork
from napari_deep_image_prior.methods.task import Task
from napari_deep_image_prior.restoration.cost import estimate

SMALL = CompactNetwork(widths=(8,), depth=1)
FILL = InpaintingFit(SMALL, iterations=8, batch=2, crop=16)
ENLARGE = SuperResolutionFit(SMALL, iterations=8, batch=2, crop=16)
PAPER = DeepImagePriorFit(
    HourglassNetwork(widths=(4, 4), skips=(2, 2)), iterations=3, input_depth=4
)
Z, Y, X = np.mgrid[:10, :24, :26]
SCENE = 100 + 40 * np.exp(-((Z - 5) ** 2 / 9 + (Y - 12) ** 2 / 30 + (X - 13) ** 2 / 30))


def _error(image: np.ndarray, truth: np.ndarray = SCENE) -> float:
    return float(np.square(image - truth).mean())


def _missing(*planes: int, shape: tuple[int, ...] = SCENE.shape) -> np.ndarray:
    missing = np.zeros(shape, dtype=bool)
    missing[list(planes)] = True
    return missing


@pytest.mark.parametrize(
    ("dtype", "channel_axis"),
    [("uint8", None), ("uint16", 0), ("float32", 1), ("float64", -1)],
)
def test_axes_and_dtype_are_kept(dtype: str, channel_axis: int | None) -> None:
    image = SCENE.astype(dtype)
    if channel_axis is not None:
        image = np.stack([image, image[::-1]], axis=channel_axis)
    filled = restore(
        Inpaint(image, missing=_missing(4), channel_axis=channel_axis), settings=FILL, dtype="same"
    ).image
    large = restore(
        SuperResolve(image, factor=(2, 1, 1), channel_axis=channel_axis),
        settings=ENLARGE,
        dtype="same",
    ).image
    assert filled.shape == image.shape
    assert filled.dtype == large.dtype == dtype
    first, deep = (
        each if channel_axis is None else np.take(each, 0, axis=channel_axis)
        for each in (filled, large)
    )
    known = np.delete(np.arange(10), 4)
    np.testing.assert_allclose(first[known], SCENE.astype(dtype)[known], rtol=1e-6)
    assert _error(first[4], SCENE[4]) < 20
    assert deep.shape == (20, 24, 26)
    assert _error(deep[::2] / 2 + deep[1::2] / 2) < 20


def test_what_a_network_learns_fills_a_missing_plane_better_than_interpolation() -> None:
    # stripes that move from plane to plane: the mean of the planes beside is of low contrast
    z, y, x = np.mgrid[:14, :40, :48]
    moving = 100 + 30 * np.sin((x + 1.5 * z) / 2) * (1 + 0.2 * np.sin(y / 5))
    settings = InpaintingFit(
        CompactNetwork(widths=(24,), depth=1), iterations=150, crop=32, learning_rate=0.01
    )
    result = restore(Inpaint(moving, missing=_missing(6, shape=moving.shape)), settings=settings)
    linear = (moving[5] + moving[7]) / 2
    assert _error(result.image[6], moving[6]) < 0.5 * _error(linear, moving[6])


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("place", ["plane", "end", "column", "pixels"])
def test_holes_of_few_planes(depth: int, place: str) -> None:
    missing = _missing(shape=SCENE[:depth].shape)
    if place in ("plane", "end") and depth > 1:
        missing[depth // 2 if place == "plane" else 0] = True
    elif place == "column":
        missing[:, 8:12, 8:12] = True
    else:
        missing |= np.random.default_rng(0).random(missing.shape) < 0.3
    result = restore(Inpaint(SCENE[:depth], missing=missing), settings=FILL).image
    np.testing.assert_allclose(result[~missing], SCENE[:depth][~missing], rtol=1e-6)
    assert np.square(result - SCENE[:depth])[missing].mean() < 60


def test_a_mask_of_one_plane_applies_to_all() -> None:
    dead = np.zeros(SCENE.shape[1:], dtype=bool)
    dead[5] = True
    task = Inpaint(SCENE, missing=dead)
    assert task.unknown.sum() == 10 * 26
    result = restore(task, settings=FILL)
    again = repeat(result.provenance, SCENE)
    np.testing.assert_array_equal(again.image, result.image)
    assert np.isnan(residual(task, result.image)[:, 5]).all()


def test_a_gap_wider_than_the_network_sees_is_filled() -> None:
    deep = np.broadcast_to(np.arange(40.0)[:, None, None], (40, 16, 16)) + 0 * SCENE[:1, :16, :16]
    missing = _missing(*range(8, 32), shape=deep.shape)
    result = restore(Inpaint(deep, missing=missing), settings=FILL).image
    assert np.abs(result - deep).max() < 2


def test_nan_voxels_and_constant_planes() -> None:
    image = SCENE.copy()
    image[3], image[7], image[2, 4:9, 4:9] = np.nan, 0, np.nan
    filled = restore(Inpaint(image, missing=np.zeros(image.shape, bool)), settings=FILL).image
    large = restore(SuperResolve(image, factor=(2, 1, 1)), settings=ENLARGE).image
    assert np.isfinite(filled).all()
    assert np.isfinite(large).all()
    constant = np.full((4, 20, 21), 7.0)
    flat = restore(SuperResolve(constant, factor=(3, 1, 1)), settings=ENLARGE).image
    np.testing.assert_allclose(flat, 7, atol=1e-3)


@pytest.mark.parametrize(
    ("factor", "depth"),
    [((3, 1, 1), 1), ((3, 1, 1), 2), ((1.5, 1, 1), 3), ((1, 2, 2), 5), (2, 2), ((4, 2, 1), 5)],
)
def test_an_enlarged_volume_agrees_with_the_small_one(factor: Any, depth: int) -> None:
    small = SCENE[:depth, :12, :13]
    task = SuperResolve(small, factor=factor)
    result = restore(task, settings=ENLARGE)
    assert result.image.shape == task.result_shape
    assert np.abs(residual(task, result.image)).mean() < 1
    np.testing.assert_array_equal(repeat(result.provenance, small).image, result.image)


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        (Denoise(SCENE), PAPER),
        (Inpaint(SCENE, missing=_missing(4)), PAPER),
        (SuperResolve(SCENE[:3, :12, :13], factor=(3, 1, 1)), PAPER),
        (SuperResolve(SCENE[:1, :12, :13], factor=2), PAPER),
        (Inpaint(SCENE, missing=_missing(4)), FILL),
        (SuperResolve(SCENE[:, :12, :13], factor=(3, 1, 1)), ENLARGE),
    ],
)
def test_a_volume_can_be_watched_stopped_and_run_on(task: Task, settings: Any) -> None:
    steps = iter_restore(task, settings=settings)
    steps.wants_image = lambda: True
    shapes = set()
    for step in steps:
        if step.image is not None:
            shapes.add(step.image.shape)
        if step.fitted == 2:
            steps.stop()
    assert shapes == {task.result_shape}
    assert "stopped" in steps.result.stop_reason
    steps.run_on()
    assert list(steps)[-1].result is not None


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 9])
def test_the_published_method_takes_any_depth(depth: int) -> None:
    image = np.stack([SCENE[:depth], SCENE[:depth]], axis=1)
    result = restore(Denoise(image, channel_axis=1), settings=PAPER)
    assert result.image.shape == image.shape
    assert estimate(Denoise(image, channel_axis=1), settings=PAPER).memory > 0


def test_the_published_method_fits_a_volume() -> None:
    settings = DeepImagePriorFit(
        HourglassNetwork(widths=(16, 16), skips=(4, 4)), iterations=150, input_depth=8
    )
    result = restore(Denoise(SCENE), settings=settings)
    assert _error(result.image) < 0.1 * SCENE.var()


def test_the_mask_of_a_volume_can_be_repainted() -> None:
    steps = iter_restore(Inpaint(SCENE, missing=_missing(4)), settings=FILL)
    for step in steps:
        if step.fitted == 3:
            steps.repaint(_missing(6))
    np.testing.assert_allclose(steps.result.image[4], SCENE[4], rtol=1e-6)
    assert not np.array_equal(steps.result.image[6], SCENE[6])


@pytest.mark.parametrize("name", ["fill", "enlarge"])
def test_the_cost_of_a_volume_grows_with_it(name: str) -> None:
    def cost(times: int) -> Any:
        image = np.tile(SCENE, (times, 2, 2))
        if name == "fill":
            dead = np.zeros(image.shape[1:], dtype=bool)
            dead[5] = True
            return estimate(Inpaint(image, missing=dead), settings=FILL, threads=1)
        return estimate(SuperResolve(image, factor=(2, 1, 1)), settings=ENLARGE, threads=1)

    assert cost(6).memory > 1.5 * cost(1).memory


def test_a_mask_of_another_volume_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(10, 24, 26\) or \(24, 26\)"):
        Inpaint(SCENE, missing=np.zeros((9, 24, 26), bool))
    with pytest.raises(ValueError, match="2 numbers"):
        SuperResolve(SCENE, factor=(2, 2))
