"""Arrays of any size are restored tile by tile, alike on every scheduler."""

from dataclasses import replace

import dask
import dask.array as da
import numpy as np
import pytest

import napari_deep_image_prior as dip
from napari_deep_image_prior.tiling.array import restore_tiles
from napari_deep_image_prior.tiling.learning import learned_plan, representative
from napari_deep_image_prior.tiling.plan import plan_of
from napari_deep_image_prior.tiling.tiles import tiles_of

from .conftest import SETTINGS, scene


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def test_tiles_cover_an_array_once_and_read_what_is_around_them():
    shape, covered = (3, 50, 70), np.zeros((3, 50, 70), int)
    for tile in tiles_of(shape, (1, 16, 32), (0, 8, 8)):
        covered[tile.inner] += 1
        read = np.arange(covered.size).reshape(shape)[tile.outer]
        own = np.arange(covered.size).reshape(shape)[tile.inner]
        np.testing.assert_array_equal(read[tile.own((1, 1, 1))], own)
    assert (covered == 1).all()


def test_results_agree_where_tiles_meet():
    image = scene(160, 160)
    plan = plan_of(image.shape, image.dtype, kind="denoise", axes="yx", options={}, tile=80)
    *_, plan = learned_plan(replace(plan, settings=SETTINGS), image)
    tiled, whole = (np.empty_like(image) for _ in range(2))
    restore_tiles(plan, image, tiled, {})
    restore_tiles(replace(plan, edges=image.shape), image, whole, {})
    squares = (tiled - whole) ** 2
    at_border = np.zeros(image.shape, bool)
    at_border[76:84] = at_border[:, 76:84] = True
    # the noise has a variance of 3600
    assert squares[at_border].mean() < 1
    assert np.abs(whole - image).std() > 20


def test_a_lazy_result_has_a_block_for_each_tile_and_computes_only_what_is_asked():
    stack = da.from_array(np.stack([scene(40, 56), scene(40, 56, seed=1)]), chunks=(1, 20, 20))
    lazy = dip.restore_array(stack, axes="tyx", settings=SETTINGS, tile=32)
    assert lazy.shape == stack.shape
    assert lazy.dtype == np.float32
    assert lazy.numblocks == (2, 2, 2)
    part = lazy[1, 32:, 32:].compute()
    assert part.shape == (8, 24)
    assert np.isfinite(part).all()


def test_channels_have_noise_of_their_own():
    image = scene(48, 48)
    stack = np.stack([image, 10 * scene(48, 48, seed=2)])
    said = []
    result = dip.restore_array(stack, axes="cyx", settings=SETTINGS, show=said.append).compute()
    assert any(text.startswith("channel 1: ") for text in said)
    for channel, noise in zip(range(2), (60, 600), strict=True):
        removed = (stack[channel] - result[channel]).std()
        assert 0.5 * noise < removed < 1.2 * noise


def test_a_volume_in_another_order_of_axes_is_restored_as_a_volume():
    volume = np.moveaxis(scene(6, 40, 40), 0, -1)  # y, x, z
    result = dip.restore_array(
        volume, axes="yxz", volume=True, settings=SETTINGS, spacing=(1.0, 1.0, 1.0)
    )
    assert result.compute().shape == (40, 40, 6)


def test_a_plane_without_data_stays_as_it_is():
    stack = np.stack([scene(32, 32), np.full((32, 32), np.nan, np.float32)])
    result = dip.restore_array(stack, axes="tyx", settings=SETTINGS).compute()
    assert np.isfinite(result[0]).all()
    assert np.isnan(result[1]).all()


def test_parts_without_contrast_are_not_learned_from():
    image = np.zeros((64, 512), np.float32)
    image[:, 448:] = scene(64, 64)
    plan = plan_of(image.shape, image.dtype, kind="denoise", axes="yx", options={}, tile=64)
    (task,) = representative(plan, image, 0)
    assert np.ptp(task.image) > 0


def test_a_channel_that_no_part_was_learned_from_is_one_line():
    stack = np.stack([scene(32, 32), np.full((32, 32), np.nan, np.float32)])
    plan = plan_of(stack.shape, stack.dtype, kind="denoise", axes="cyx", options={})
    *_, plan = learned_plan(replace(plan, settings=SETTINGS), stack)
    with pytest.raises(dip.RestorationError, match="none of the parts of this channel"):
        plan.restored(1, scene(1, 32, 32), {})


def test_inpainting_takes_a_mask_of_a_plane_and_keeps_known_pixels():
    stack = np.stack([scene(40, 40)] * 2)
    missing = np.zeros((40, 40), bool)
    missing[10:14, 10:14] = True
    settings = dip.InpaintingFit(dip.CompactNetwork(widths=(8,), depth=0), iterations=2, crop=16)
    result = np.empty_like(stack)
    dip.restore_array(
        stack, result, task="inpaint", axes="zyx", missing=missing, settings=settings, tile=32
    )
    np.testing.assert_allclose(result[:, ~missing], stack[:, ~missing], rtol=1e-5)
    assert (result[:, missing] != stack[:, missing]).any()


def test_enlarging_gives_a_larger_array():
    settings = dip.SuperResolutionFit(
        dip.CompactNetwork(widths=(8,), depth=0), iterations=2, crop=16
    )
    lazy = dip.restore_array(
        scene(40, 56), task="super-resolve", axes="yx", factor=2, settings=settings, tile=32
    )
    assert lazy.shape == (80, 112)
    assert lazy.compute().shape == (80, 112)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axes": "y"}, "must name each of the 2 axes"),
        ({"axes": "yz"}, "must contain x"),
        ({"preset": "paper", "settings": None}, "has no tiles"),
        ({"tile": 3}, "must be a whole number of pixels"),
        ({"destination": np.empty((3, 3))}, "destination has shape"),
        ({"task": "inpaint", "settings": None, "missing": np.zeros((3, 3), bool)}, "the mask has"),
    ],
)
def test_an_invalid_argument_is_refused_before_anything_is_read(change, message):
    how = {"axes": "yx", "settings": SETTINGS, **change}
    with pytest.raises(ValueError, match=message):
        dip.restore_array(np.ones((32, 32), np.float32), **how)


def test_an_array_without_data_is_refused_with_one_line():
    with pytest.raises(dip.RestorationError, match="no part of the array has data"):
        dip.restore_array(np.full((32, 32), np.nan), axes="yx", settings=SETTINGS)


def test_a_cluster_that_loses_a_worker_gives_the_same_array(tmp_path):
    zarr = pytest.importorskip("zarr")
    distributed = pytest.importorskip("distributed")
    image = scene(3, 48, 48)
    source = zarr.create_array(
        tmp_path / "in.zarr", shape=image.shape, chunks=(1, 16, 16), dtype="f4"
    )
    source[:] = image
    arrays = [
        zarr.create_array(tmp_path / f"{n}.zarr", shape=image.shape, chunks=(1, 16, 16), dtype="f4")
        for n in range(2)
    ]
    how = {"axes": "tyx", "settings": SETTINGS, "tile": 32}
    dip.restore_array(source, arrays[0], **how)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, memory_limit=0, dashboard_address=None
    )
    killed = []

    def kill_one(text):
        if "tiles" in text and not killed:
            name, nanny = next(iter(cluster.workers.items()))
            nanny.process.process.kill()
            killed.append(name)

    with dask.config.set(scheduler=None), cluster, distributed.Client(cluster):
        dip.restore_array(source, arrays[1], show=kill_one, **how)
    assert killed
    np.testing.assert_array_equal(arrays[0][:], arrays[1][:])


def test_a_destination_whose_chunks_tiles_would_share_is_refused(tmp_path):
    zarr = pytest.importorskip("zarr")
    result = zarr.create_array(
        tmp_path / "r.zarr", shape=(4, 32, 32), chunks=(4, 16, 16), dtype="f4"
    )
    with pytest.raises(ValueError, match="tiles would share chunks"):
        dip.restore_array(scene(4, 32, 32), result, axes="zyx", settings=SETTINGS)


def test_a_point_spread_function_may_be_as_large_as_a_tile_or_the_image():
    psf = np.zeros((65, 65))
    psf[32, 32] = 1
    plan = plan_of((200, 100), "f4", kind="deconvolve", axes="yx", options={"psf": psf}, tile=32)
    assert plan.halos == (65, 65)
    assert min(part.stop - part.start for tile in plan.tiles for part in tile.outer) >= 65
    volume = {"psf": np.ones((9, 9, 9))}
    plan_of((12, 40, 40), "f4", kind="deconvolve", axes="zyx", options=volume, volume=True)
    with pytest.raises(ValueError, match="larger than the image"):
        plan_of((40, 40), "f4", kind="deconvolve", axes="yx", options={"psf": psf})
