"""OME-Zarr images are restored into OME-Zarr images; a run that was killed is continued."""

import errno
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest

from napari_deep_image_prior.cli.main import main
from napari_deep_image_prior.io.image_file import FileError
from napari_deep_image_prior.io.ome_zarr import fill_levels, open_ome_zarr

from .conftest import make_store, scene

zarr = pytest.importorskip("zarr")
yaozarrs = pytest.importorskip("yaozarrs")


def restored(source, output, fit_file, *more):
    return main(["denoise", str(source), "-o", str(output), "--with-fit", str(fit_file), *more])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_result_keeps_axes_scales_chunks_type_and_version(tmp_path, fit_file, version):
    image = scene(2, 40, 56).astype(np.uint16)
    source = make_store(tmp_path / "in.zarr", image, "zyx", version)
    assert restored(source, tmp_path / "out.zarr", fit_file, "--tile", "32") == 0
    before, after = (open_ome_zarr(tmp_path / name) for name in ("in.zarr", "out.zarr"))
    assert after.version == before.version == version
    assert after.metadata == before.metadata
    assert after.array.dtype == np.uint16
    assert after.array.chunks == before.array.chunks
    assert after.spacing("zyx") == (1.0, 0.5, 0.5)
    yaozarrs.validate_zarr_store(str(tmp_path / "out.zarr"))
    result, halved = after.array[:].astype(float), after.levels[1][:].astype(float)
    assert 30 < (result - image).std() < 80
    means = result.reshape(2, 20, 2, 28, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(halved, means, atol=0.51)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_run_that_was_killed_is_continued_to_the_same_result(tmp_path, fit_file):
    source = make_store(tmp_path / "in.zarr", scene(8, 48, 48), "tyx")
    output, whole = tmp_path / "out.zarr", tmp_path / "whole.zarr"
    command = [sys.executable, "-c", "from napari_deep_image_prior.cli import run; run()"]
    command += ["denoise", str(source), "-o", str(output), "--with-fit", str(fit_file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        done = output / "deep_image_prior" / "done" / "c"
        until = time.monotonic() + 120
        while running.poll() is None and not any(done.glob("*")) and time.monotonic() < until:
            with suppress(subprocess.TimeoutExpired):
                running.wait(0.01)
        running.send_signal(signal.SIGKILL)
    flags = zarr.open_group(str(output), mode="r")["deep_image_prior"]["done"][:]
    assert 0 < flags.sum() < 8
    kept = {path: path.stat().st_mtime_ns for path in done.glob("*")}
    assert restored(source, output, fit_file) == 0
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert restored(source, whole, fit_file) == 0
    np.testing.assert_array_equal(open_ome_zarr(output).array[:], open_ome_zarr(whole).array[:])


def test_a_finished_result_is_not_made_again(tmp_path, fit_file, capsys):
    source = make_store(tmp_path / "in.zarr", scene(32, 32))
    assert restored(source, tmp_path / "out.zarr", fit_file) == 0
    assert restored(source, tmp_path / "out.zarr", fit_file) == 0
    assert "is complete, nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["other settings", "something else", "the input"])
def test_nothing_is_overwritten_without_being_asked(tmp_path, fit_file, capsys, what):
    source = make_store(tmp_path / "in.zarr", scene(32, 32))
    output = tmp_path / "out.zarr"
    if what == "other settings":
        assert restored(source, output, fit_file) == 0
        more, message = ["--seed", "3"], "with other settings (seed)"
    elif what == "something else":
        make_store(output, scene(32, 32))
        more, message = [], "exists and is not a result"
    else:
        output, more, message = source, ["--overwrite"], "would overwrite the input"
    before = sorted(path.name for path in output.rglob("*"))
    assert restored(source, output, fit_file, *more) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in output.rglob("*")) == before
    if what != "the input":
        assert restored(source, output, fit_file, *more, "--overwrite") == 0


@pytest.mark.parametrize("what", ["folder", "file", "around the input", "inside the input"])
def test_what_is_not_a_store_is_never_deleted(tmp_path, fit_file, capsys, what):
    output, place = tmp_path / "out.zarr", tmp_path / "in.zarr"
    message = "is not deleted"
    if what == "folder":
        output.mkdir()
        (output / "thesis.txt").write_text("mine")
    elif what == "file":
        output.write_text("mine")
        message = "is not a folder"
    elif what == "around the input":
        zarr.create_group(str(output))
        place, message = output / "A", "contains the input"
    else:
        output, message = place / "labels.zarr", "is inside the input"
    source = make_store(place, scene(32, 32))
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    assert restored(source, output, fit_file, "--overwrite") == 2
    assert message in capsys.readouterr().err
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_a_store_with_several_images_says_how_to_choose(tmp_path):
    zarr.create_group(
        str(tmp_path / "plate.zarr"),
        zarr_format=2,
        attributes={"plate": {"wells": [{"path": "A/1"}], "version": "0.4"}},
    )
    with pytest.raises(FileError, match=r"is a plate with 1 wells; choose a field, as .*A/1/0"):
        open_ome_zarr(tmp_path / "plate.zarr")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "is not an OME-Zarr image"),
        ({"ome": {"version": "0.5", "multiscales": [{"axes": []}]}}, "metadata are invalid"),
        ({"ome": {"version": "0.5", "multiscales": "x"}}, "metadata are invalid"),
        ({"ome": 3}, "metadata are invalid"),
        ({"ome": {"plate": 3}}, "is a plate with 0 wells"),
        ({"ome": {"well": {"images": [{}]}}}, "is a well"),
    ],
)
def test_a_damaged_store_is_one_line(tmp_path, attributes, message):
    zarr.create_group(str(tmp_path / "bad.zarr"), zarr_format=3, attributes=attributes)
    with pytest.raises(FileError, match=message):
        open_ome_zarr(tmp_path / "bad.zarr")


def test_a_result_must_be_a_store(tmp_path, fit_file, capsys):
    source = make_store(tmp_path / "in.zarr", scene(32, 32))
    assert restored(source, tmp_path / "out.tif", fit_file) == 2
    assert "must end with .zarr" in capsys.readouterr().err


def test_a_fit_that_would_not_be_saved_is_refused(tmp_path, capsys):
    source = make_store(tmp_path / "in.zarr", scene(32, 32))
    command = ["denoise", str(source), "-o", str(tmp_path / "out.zarr")]
    assert main([*command, "--save-fit", str(tmp_path / "f.safetensors")]) == 2
    assert "--save-fit is for one file" in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_one_line(tmp_path, fit_file, capsys, monkeypatch):
    monkeypatch.setattr("napari_deep_image_prior.cli.stores.PATIENCE", 1)
    source = make_store(tmp_path / "in.zarr", scene(32, 32))
    address = ["--scheduler", "tcp://127.0.0.1:9"]
    assert restored(source, tmp_path / "out.zarr", fit_file, *address) == 2
    assert "no dask scheduler answers there" in capsys.readouterr().err


def test_processes_give_the_result_of_one(tmp_path, fit_file):
    source = make_store(tmp_path / "in.zarr", scene(2, 32, 32), "tyx")
    for name, more in (("one.zarr", []), ("two.zarr", ["--workers", "2"])):
        assert restored(source, tmp_path / name, fit_file, *more) == 0
    one, two = (open_ome_zarr(tmp_path / name).array[:] for name in ("one.zarr", "two.zarr"))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("chunks", "shards", "expected"),
    [
        ((2, 16, 16), None, (1, 16, 16)),
        ((4, 40, 40), None, (1, 32, 32)),
        ((1, 16, 16), (1, 32, 32), (1, 16, 16)),
        ((1, 16, 16), (2, 32, 32), (1, 16, 16)),
        ((1, 64, 64), (4, 128, 128), (1, 32, 32)),
    ],
)
def test_tiles_never_share_a_chunk_or_shard(tmp_path, fit_file, chunks, shards, expected):
    source = make_store(tmp_path / "in.zarr", scene(4, 40, 40), "zyx")
    shutil.rmtree(source / "0")
    array = zarr.open_group(str(source)).create_array(
        "0", shape=(4, 40, 40), chunks=chunks, shards=shards, dtype="f4"
    )
    array[:] = scene(4, 40, 40)
    assert restored(source, tmp_path / "out.zarr", fit_file, "--tile", "32") == 0
    result = open_ome_zarr(tmp_path / "out.zarr").array
    assert result.chunks == expected
    assert result.shards == (shards if shards == (1, 32, 32) else None)
    assert 20 < (result[:] - array[:]).std() < 80


def test_arrays_in_a_group_of_the_image_are_restored(tmp_path, fit_file):
    source = make_store(tmp_path / "in.zarr", scene(32, 32))
    (source / "data").mkdir()
    for name in "01":
        (source / name).rename(source / "data" / name)
    described = source / "zarr.json"
    described.write_text(described.read_text().replace('"path": "', '"path": "data/'))
    assert restored(source, tmp_path / "out.zarr", fit_file) == 0
    assert open_ome_zarr(tmp_path / "out.zarr").array[:].std() > 0


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((10**9, 10**9), "f4", "tiles, more than"),
        ((0, 16), "f4", "is empty"),
        ((16,), "f4", "has 1 axes, but its metadata name 2"),
        ((16, 16), "M8[s]", "an image has numbers"),
        (None, "", "must be an array, but is a group"),
    ],
)
def test_an_odd_array_is_one_line(tmp_path, fit_file, capsys, shape, dtype, message):
    source = make_store(tmp_path / "in.zarr", scene(32, 32))
    shutil.rmtree(source / "0")
    group = zarr.open_group(str(source))
    if shape is None:
        group.create_group("0")
    else:
        group.create_array("0", shape=shape, dtype=dtype, chunks=(16,) * len(shape))
    assert restored(source, tmp_path / "out.zarr", fit_file) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize(
    "sizes", [(40, 20), (41, 20), (41, 21), (40, 27), (45, 18), (40, 40), (8, 16)]
)
def test_levels_of_any_ratio_show_the_whole_image(sizes):
    ramp = np.linspace(0, 1, sizes[0])
    level = zarr.create_array({}, shape=(sizes[1],), chunks=(5,), dtype="f8")
    for _ in fill_levels([zarr.array(ramp), level]):
        pass
    np.testing.assert_allclose(level[:], np.linspace(0, 1, sizes[1]), atol=1 / min(sizes))


def test_the_size_of_a_pixel_is_in_micrometers_where_that_matters(tmp_path):
    source = make_store(tmp_path / "in.zarr", scene(32, 32))
    assert open_ome_zarr(source).spacing("yx", in_micrometers=True) is None
    described = source / "zarr.json"
    text = described.read_text().replace('"type": "space"', '"type": "space", "unit": "nanometer"')
    described.write_text(text)
    assert open_ome_zarr(source).spacing("yx", in_micrometers=True) == (0.0005, 0.0005)


def test_a_folder_of_stores_says_how_to_choose(tmp_path, fit_file, capsys):
    make_store(tmp_path / "in.zarr", scene(32, 32))
    assert restored(tmp_path, tmp_path / "out", fit_file) == 2
    assert "has Zarr stores; restore one at a time" in capsys.readouterr().err


def test_another_field_of_a_plate_does_not_continue_the_result_of_one(tmp_path, fit_file, capsys):
    plate = tmp_path / "plate.zarr"
    for well in "12":
        make_store(plate / "A" / well / "0", scene(32, 32, seed=int(well)))
    assert restored(plate / "A/1/0", tmp_path / "out.zarr", fit_file) == 0
    assert restored(plate / "A/2/0", tmp_path / "out.zarr", fit_file) == 2
    assert "with other settings (source)" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_says_how_to_continue(tmp_path, fit_file, capsys, monkeypatch, number):
    source = make_store(tmp_path / "in.zarr", scene(2, 32, 32), "tyx")
    monkeypatch.setattr(
        "napari_deep_image_prior.cli.stores.ProgressLine.show",
        lambda _, text: "1 of 2 tiles" in text and signal.raise_signal(number),
    )
    assert restored(source, tmp_path / "out.zarr", fit_file) == 128 + number
    monkeypatch.undo()
    error = capsys.readouterr().err
    assert "the same command continues where" in error
    assert error.count("\n") == 1
    assert restored(source, tmp_path / "out.zarr", fit_file) == 0
    assert "1 of them kept" in capsys.readouterr().out


def test_a_full_disk_is_one_line_and_the_run_can_be_continued(
    tmp_path, fit_file, capsys, monkeypatch
):
    source = make_store(tmp_path / "in.zarr", scene(32, 32))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr("napari_deep_image_prior.tiling.array._written", full)
        assert restored(source, tmp_path / "out.zarr", fit_file) == 2
    assert "(No space left on device); the same command continues it" in capsys.readouterr().err
    assert restored(source, tmp_path / "out.zarr", fit_file) == 0
