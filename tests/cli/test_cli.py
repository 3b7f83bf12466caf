"""The command line, run in this process where only exit status and output matter."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_deep_image_prior import RestorationError, Steps
from napari_deep_image_prior.cli import restore as restore_command
from napari_deep_image_prior.cli.main import main
from napari_deep_image_prior.cli.masks import read_mask
from napari_deep_image_prior.cli.termination import Terminated
from napari_deep_image_prior.io.files import read_image, write_image
from napari_deep_image_prior.io.image_file import ImageFile

pytestmark = pytest.mark.usefixtures("quick_presets")


@pytest.fixture
def files(tmp_path: Path, picture: np.ndarray, hole: np.ndarray) -> Path:
    write_image(tmp_path / "in.png", ImageFile(picture.astype(np.uint8)))
    write_image(tmp_path / "in.tif", ImageFile(picture.astype(np.uint16), None, (0.5, 0.5), "µm"))
    write_image(tmp_path / "mask.png", ImageFile(hole.astype(np.uint8)))
    write_image(
        tmp_path / "color-mask.png", ImageFile(np.dstack([hole * 255] * 3).astype(np.uint8), 2)
    )
    alpha = np.dstack([hole * 255] * 3 + [np.full(hole.shape, 255)]).astype(np.uint8)
    write_image(tmp_path / "opaque-mask.png", ImageFile(alpha, 2))
    write_image(tmp_path / "narrow.png", ImageFile(hole[:, :9].astype(np.uint8)))
    write_image(tmp_path / "empty.png", ImageFile(np.zeros_like(hole, dtype=np.uint8)))
    stack = np.stack([picture, picture]).astype(np.float32)
    write_image(tmp_path / "stack.tif", ImageFile(stack, planes="Z"))
    write_image(tmp_path / "black.tif", ImageFile(stack * [[[1]], [[np.nan]]], planes="Z"))
    (tmp_path / "text.png").write_text("hello")
    tifffile.imwrite(tmp_path / "nan.tif", np.full((9, 9), np.nan, np.float32))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        (["denoise", "in.png"], (24, 28)),
        (["denoise", "in.png", "--strength", "0.5"], (24, 28)),
        (["inpaint", "in.png", "--missing", "mask.png"], (24, 28)),
        (["inpaint", "in.png", "--missing", "color-mask.png"], (24, 28)),
        (["inpaint", "in.png", "--missing", "opaque-mask.png"], (24, 28)),
        (["super-resolve", "in.png", "--factor", "2"], (48, 56)),
        (["super-resolve", "in.png", "--factor", "1.5"], (36, 42)),
    ],
    ids=str,
)
def test_each_command_writes_its_image(
    files: Path, arguments: list[str], shape: tuple[int, int], capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(files)
    assert main([*arguments, "-o", "out.png"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("out.png: ")
    assert "iterations in" in printed.out
    assert printed.err == ""
    result = read_image(files / "out.png").image
    assert result.shape == shape
    assert result.dtype == np.uint8


def test_tiff_keeps_dtype_pixel_size_and_provenance(files: Path) -> None:
    out = files / "out.tif"
    assert (
        main(
            ["super-resolve", str(files / "in.tif"), "--factor", "2", "-o", str(out), "--seed", "5"]
        )
        == 0
    )
    found = read_image(out)
    assert found.image.dtype == np.uint16
    assert found.pixel_size == (0.25, 0.25)
    with tifffile.TiffFile(out) as tiff:
        assert "seed" in tiff.ome_metadata
    assert main(["denoise", str(files / "in.tif"), "-o", str(out), "--dtype", "float32"]) == 0
    assert read_image(out).image.dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "axis", "shape"),
    [
        (["denoise", "stack.tif"], None, (3, 24, 28)),
        (["denoise", "channels.tif"], 1, (2, 3, 24, 28)),
        (["super-resolve", "stack.tif", "--factor", "2"], None, (3, 48, 56)),
        (["inpaint", "stack.tif", "--missing", "mask.png"], None, (3, 24, 28)),
        (["inpaint", "channels.tif", "--missing", "mask.png"], 1, (2, 3, 24, 28)),
        (["inpaint", "stack.tif", "--missing", "masks.tif"], None, (3, 24, 28)),
    ],
    ids=str,
)
def test_each_plane_of_a_stack_is_restored_independently(
    files: Path,
    picture: np.ndarray,
    arguments: list[str],
    axis: int | None,
    shape: tuple[int, ...],
    monkeypatch: Any,
) -> None:
    monkeypatch.chdir(files)
    stack = np.stack([picture, picture[::-1], 255 - picture]).astype(np.uint16)
    spacing = {"Z": (2.0, "µm")}
    write_image("stack.tif", ImageFile(stack, None, (0.5, 0.5), "µm", planes="Z", spacing=spacing))
    write_image(
        "channels.tif",
        ImageFile(np.stack([stack, stack[:, ::-1]]), 1, (0.5, 0.5), "µm", planes="T"),
    )
    masks = np.zeros(stack.shape, np.uint8)
    masks[1, 5:9, 4:8] = 1
    write_image("masks.tif", ImageFile(masks, planes="Z"))
    assert main([*arguments, "-o", "out.tif", "--seed", "3"]) == 0
    found = read_image("out.tif")
    assert (found.image.shape, found.channel_axis, found.image.dtype) == (shape, axis, np.uint16)
    assert found.planes == ("Z" if axis is None else "T")
    if axis is None:
        assert found.spacing == spacing
    given = read_image(arguments[1])
    if "masks.tif" in arguments:
        np.testing.assert_array_equal(
            found.image[[0, 2]], stack[[0, 2]], "nothing is missing there"
        )
        np.testing.assert_array_equal(found.image[1][masks[1] == 0], stack[1][masks[1] == 0])
        assert [plane["index"] for plane in found.provenance["planes"]] == [[1]]
        return
    # the last plane alone gives the same, except with a warm start
    (index, alone) = list(given.parts())[-1]
    write_image("alone.tif", alone)
    assert (
        main([arguments[0], "alone.tif", *arguments[2:], "-o", "alone-out.tif", "--seed", "3"]) == 0
    )
    if arguments[0] == "inpaint":
        assert found.provenance["planes"][-1]["warm_start"]
    else:
        np.testing.assert_array_equal(found.image[index[0]], read_image("alone-out.tif").image)


def test_finished_planes_are_written_even_if_another_fails(
    files: Path, picture: np.ndarray, monkeypatch: Any, capsys: Any
) -> None:
    stack = np.stack([picture, picture + 1]).astype(np.float32)
    write_image(files / "two.tif", ImageFile(stack, planes="Z"))
    advance = Steps.__next__

    def fail_on_the_second(steps: Steps) -> Any:
        if np.array_equal(steps.task.image, stack[1]):
            raise RestorationError("the fit diverged.")
        return advance(steps)

    monkeypatch.setattr(Steps, "__next__", fail_on_the_second)
    assert main(["denoise", str(files / "two.tif"), "-o", str(files / "out.tif")]) == 1
    assert "fit failed, left unrestored: plane 1, the fit diverged." in capsys.readouterr().err
    found = read_image(files / "out.tif").image
    np.testing.assert_array_equal(found[1], stack[1])
    assert (found[0] != stack[0]).any()


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_mask_without_named_axes_has_one_plane_for_each_image_plane(
    files: Path, picture: np.ndarray, count: int
) -> None:
    stack = np.stack([picture] * count).astype(np.uint16)
    write_image(files / "many.tif", ImageFile(stack, planes="Z"))
    masks = np.zeros(stack.shape, np.uint8)
    masks[1, 5:9, 4:8] = 1
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # the planes are meant to be mistaken for colors
        tifffile.imwrite(files / "plain.tif", masks)
    arguments = ["inpaint", str(files / "many.tif"), "--missing", str(files / "plain.tif")]
    assert main([*arguments, "-o", str(files / "out.tif")]) == 0
    assert [plane["index"] for plane in read_image(files / "out.tif").provenance["planes"]] == [[1]]


@pytest.mark.parametrize(("planes", "index"), [("T", [[1, 0], [1, 1]]), ("Z", [[0, 1], [1, 1]])])
def test_a_mask_with_named_axes_is_aligned_by_their_names(
    files: Path, picture: np.ndarray, planes: str, index: list[list[int]]
) -> None:
    write_image(
        files / "many.tif",
        ImageFile(np.stack([np.stack([picture] * 2)] * 2).astype(np.uint16), planes="TZ"),
    )
    masks = np.zeros((2, 24, 28), np.uint8)
    masks[1, 5:9, 4:8] = 1
    write_image(files / "masks.tif", ImageFile(masks, planes=planes))
    arguments = ["inpaint", str(files / "many.tif"), "--missing", str(files / "masks.tif")]
    assert main([*arguments, "-o", str(files / "out.tif")]) == 0
    assert [plane["index"] for plane in read_image(files / "out.tif").provenance["planes"]] == index


BAD = [
    (["denoise", "nothing.png", "-o", "out.png"], "no such file"),
    (["denoise", "text.png", "-o", "out.png"], "cannot be read"),
    (["denoise", "nan.tif", "-o", "out.tif"], "no finite pixel"),
    (["denoise", "in.png", "-o", "out.jpg"], "unknown file type"),
    (["denoise", "in.png", "-o", "in.png"], "overwrite"),
    (["denoise", "in.png", "-o", "out.png", "--dtype", "float32"], "write a .tif"),
    (["denoise", "in.png", "-o", "nowhere/out.png"], "does not exist"),
    (["denoise", "in.png", "-o", "out.png", "--preset", "slow"], "slow"),
    (["denoise", "in.png", "-o", "out.png", "--device", "abacus"], "abacus"),
    (["denoise", "in.png", "-o", "out.png", "--seed", "-1"], "seed"),
    (["denoise", "in.png", "-o", "out.png", "--noise", "pink"], "pink"),
    (["denoise", "in.png"], "required"),
    (["denoise", "in.png", "-o", "out.png", "--dtype", "int3"], "int3"),
    (["inpaint", "in.png", "-o", "out.png"], "--missing"),
    (["inpaint", "in.png", "--missing", "narrow.png", "-o", "out.png"], "(24, 9)"),
    (["inpaint", "in.png", "--missing", "text.png", "-o", "out.png"], "cannot be read"),
    (["super-resolve", "in.png", "--factor", "0", "-o", "out.png"], "factor"),
    (["super-resolve", "in.png", "--factor", "many", "-o", "out.png"], "factor"),
    (["super-resolve", "in.png", "--factor", "inf", "-o", "out.png"], "factor"),
    (["denoise", "in.png", "-o", "out.png", "--threads", "0"], "threads"),
    (["denoise", ".", "-o", "out.png"], "must be a folder"),
    (["denoise", "stack.tif", "-o", "out.png"], "cannot hold a stack"),
    (
        ["inpaint", "stack.tif", "--missing", "narrow.png", "-o", "out.tif"],
        "does not match the stack",
    ),
    (
        ["inpaint", "stack.tif", "--missing", "empty.png", "-o", "out.tif"],
        "no pixel is missing in any plane",
    ),
    (["sharpen", "in.png"], "sharpen"),
    ([], "COMMAND"),
]


@pytest.mark.parametrize(
    ("arguments", "words"),
    BAD,
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_bad_input_is_one_line_status_2_and_no_file(
    files: Path, arguments: list[str], words: str, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    try:
        status = main(arguments)
    except SystemExit as error:  # argparse's own messages
        status = error.code
    assert status == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("deep-image-prior: error: ")
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert sorted(files.iterdir()) == before


def test_a_failed_fit_is_one_line_status_1_and_no_file(
    files: Path, capsys: Any, monkeypatch: Any
) -> None:
    def fail(*_args: Any) -> None:
        raise RestorationError("not enough memory: crop it")

    monkeypatch.setattr(
        "napari_deep_image_prior.cli.restore.run_with_progress", lambda *_args, **_kwargs: fail()
    )
    assert main(["denoise", str(files / "in.png"), "-o", str(files / "out.png")]) == 1
    assert capsys.readouterr().err == "deep-image-prior: error: not enough memory: crop it\n"
    assert not (files / "out.png").exists()


def test_a_folder_is_restored_image_by_image_and_a_bad_one_is_reported(
    files: Path, capsys: Any
) -> None:
    folder, out = files / "many", files / "results"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes((files / "in.png").read_bytes())
    (folder / "bad.png").write_text("hello")
    assert main(["denoise", str(folder), "-o", str(out)]) == 2
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.png"]
    assert capsys.readouterr().err.count("\n") == 1


def test_the_headless_demo_writes_pictures_and_figures(
    tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    out = tmp_path / "deep" / "out"
    assert main(["demo", "--headless", "--output", str(out)]) == 0
    figures = json.loads((out / "figures.json").read_text())
    assert [figure["sample"] for figure in figures] == [
        "noisy tissue",
        "scratched portrait",
        "small cat",
    ]
    for figure in figures:
        stem = figure["sample"].replace(" ", "-")
        before, after, truth = (
            read_image(out / f"{stem}-{name}.png").image for name in ("before", "after", "truth")
        )
        assert before.shape == after.shape == truth.shape
        assert read_image(out / f"{stem}.png").image.shape[1] == 3 * truth.shape[1]
        assert figure["psnr_after"] > figure["psnr_before"]
    assert len(capsys.readouterr().out.splitlines()) == 5
    # without a display the demo falls back to pictures
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(
        "napari_deep_image_prior.cli.demo.write_demo",
        lambda options: 7 if options.output == out else 0,
    )
    if sys.platform == "linux":
        assert main(["demo", "--output", str(out)]) == 7
        assert "there is no display" in capsys.readouterr().err


def test_a_plane_without_data_is_kept_and_reported(
    files: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(files)
    assert main(["denoise", "black.tif", "-o", "out.tif"]) == 0
    assert "plane 1 has no data; kept as is" in capsys.readouterr().err
    restored = read_image("out.tif").image
    assert np.isfinite(restored[0]).all()
    assert np.isnan(restored[1]).all()
    stained = np.stack([np.stack([restored[0], restored[i]]) for i in (0, 1, 0)])
    tifffile.imwrite("film.ome.tif", stained, metadata={"axes": "TCYX"})
    assert main(["denoise", "film.ome.tif", "-o", "film.tif"]) == 0
    assert "plane 1 has no data in a channel; kept as is" in capsys.readouterr().err
    np.testing.assert_array_equal(read_image("film.tif").image[1], stained[1])
    assert np.isfinite(read_image("film.tif").image[[0, 2]]).all()


def test_inputs_and_other_files_are_not_overwritten(
    files: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(files)
    inpaint = ["inpaint", "in.png", "--missing", "mask.png", "-o"]
    mask, other = (Path(name).read_bytes() for name in ("mask.png", "narrow.png"))
    assert main([*inpaint, "mask.png", "--overwrite"]) == 2
    assert "would overwrite the mask" in capsys.readouterr().err
    assert main([*inpaint, "narrow.png"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (Path("mask.png").read_bytes(), Path("narrow.png").read_bytes()) == (mask, other)
    assert main([*inpaint, "narrow.png", "--overwrite"]) == 0
    assert Path("narrow.png").read_bytes() != other
    assert main([*inpaint, "narrow.png"]) == 0  # its own result may be replaced


def test_the_masks_of_a_folder_are_not_overwritten(
    files: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(files)
    for folder, name in (("images", "in.png"), ("masks", "mask.png")):
        Path(folder).mkdir()
        Path(folder, "a.png").write_bytes(Path(name).read_bytes())
    arguments = ["inpaint", "images", "--missing", "masks", "-o", "masks", "--overwrite"]
    assert main(arguments) == 2
    assert "would overwrite the mask" in capsys.readouterr().err
    assert Path("masks/a.png").read_bytes() == Path("mask.png").read_bytes()


def test_an_interrupted_folder_is_continued(files: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(files)
    Path("out").mkdir()
    Path("folder").mkdir()
    for name in ("a.png", "b.png"):
        Path("folder", name).write_bytes(Path("in.png").read_bytes())
    Path("out/a.png").write_bytes(b"kept")
    assert main(["denoise", "folder", "-o", "out", "--skip-existing"]) == 0
    assert Path("out/a.png").read_bytes() == b"kept"
    assert read_image("out/b.png").provenance is not None
    assert "skipped" in capsys.readouterr().out


def test_other_contents_of_a_file_are_reported(files: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(files)
    with tifffile.TiffWriter("two.tif") as tiff:
        tiff.write(np.full((24, 28), 9, np.uint8))
        tiff.write(np.full((8, 9), 9, np.uint8))
    assert main(["denoise", "two.tif", "-o", "out.tif"]) == 0
    assert "the file holds 1 more (8x9)" in capsys.readouterr().err


def test_the_command_is_installed(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("deep-image-prior")
    shown = subprocess.run(
        [command, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    for name in ("denoise", "inpaint", "super-resolve", "demo"):
        assert name in shown.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that can be handled")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_terminated_command_reports_it_and_leaves_no_file(
    files: Path, capsys: Any, monkeypatch: Any, name: str
) -> None:
    number = getattr(signal, name)
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())

    def end(*_args: object, **_options: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr("napari_deep_image_prior.io.files.write_tiff", end)
    inherited = signal.signal(number, signal.SIG_DFL)  # ignored if the tests run under nohup
    try:
        assert main(["denoise", "in.tif", "-o", "out.tif"]) == 128 + number
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, inherited)
    assert "terminated" in capsys.readouterr().err
    assert sorted(files.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no nohup")
def test_a_hang_up_is_ignored_where_it_was(files: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(files)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    original = write_image

    def write(*args: Any) -> None:
        signal.raise_signal(signal.SIGHUP)
        original(*args)

    monkeypatch.setattr("napari_deep_image_prior.cli.restore.write_image", write)
    try:
        assert main(["denoise", "in.tif", "-o", "out.tif"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


class _FullStream:
    def isatty(self) -> bool:
        return True

    def write(self, _text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("stream", [None, _FullStream()])
def test_a_full_or_closed_standard_error_loses_no_result(
    files: Path, monkeypatch: Any, stream: Any
) -> None:
    monkeypatch.chdir(files)
    monkeypatch.setattr(sys, "stderr", stream)
    assert main(["denoise", "in.tif", "-o", "out.tif"]) == 0
    assert main(["denoise", "none.tif", "-o", "out.tif"]) == 2
    assert read_image("out.tif").provenance is not None


def test_dim_counts_are_not_rounded_away(files: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(files)
    counts = np.random.default_rng(0).poisson(0.15, (32, 32)).astype(np.uint16)
    tifffile.imwrite("dim.tif", counts)
    assert main(["denoise", "dim.tif", "-o", "out.tif"]) == 0
    assert "the result is float32" in capsys.readouterr().err
    assert read_image("out.tif").image.dtype == np.float32
    assert main(["denoise", "dim.tif", "-o", "same.tif", "--dtype", "same"]) == 0
    assert "would lose" not in capsys.readouterr().out
    assert read_image("same.tif").image.dtype == np.uint16


def test_a_console_that_cannot_show_a_name_does_not_fail(files: Path) -> None:
    (files / "in.png").rename(files / "zell\u00e9 \u03bc.png")
    command = [
        Path(sys.executable).with_name("deep-image-prior"),
        "denoise",
        "zell\u00e9 \u03bc.png",
    ]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*command, "-o", "zell\u00e9 \u03bc.jpg"],
        capture_output=True,
        text=True,
        check=False,
        cwd=files,
        env=environment,
    )
    assert done.returncode == 2
    assert "unknown file type" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_standard_output_does_not_hide_the_result(
    files: Path, capsys: Any, monkeypatch: Any
) -> None:
    def refuse(_text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(files)
    monkeypatch.setattr(sys.stdout, "write", refuse)
    assert main(["denoise", "in.png", "-o", "out.png"]) == 0
    assert "out.png: 40 iterations" in capsys.readouterr().err


def test_an_interruption_during_the_imports_is_one_line() -> None:
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'numpy': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "import napari_deep_image_prior.cli\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "deep-image-prior: error: interrupted.\n"


def _strokes(hole: np.ndarray, kind: str) -> np.ndarray:
    """Return a mask as drawn in a paint program, (Y, X) or (Y, X, 4)."""
    random = np.random.default_rng(0)
    opaque = (255 * hole).astype(np.uint8)
    if kind == "compressed":
        noise = np.rint(np.abs(random.normal(0, 4, hole.shape)))
        return np.where(hole, 255 - noise, noise).astype(np.uint8)
    if kind == "black strokes":
        return np.dstack([np.zeros((*hole.shape, 3), np.uint8), opaque])
    return np.dstack([np.full((*hole.shape, 3), 255, np.uint8), opaque])


@pytest.mark.parametrize("kind", ["compressed", "black strokes", "white strokes"])
def test_masks_of_paint_programs_mark_what_was_painted(
    files: Path, hole: np.ndarray, kind: str, capsys: Any
) -> None:
    strokes = _strokes(hole, kind)
    write_image(files / "painted.png", ImageFile(strokes, None if strokes.ndim == 2 else 2))
    source = read_image(files / "in.png")
    found = read_mask(source, files / "in.png", files / "painted.png")
    np.testing.assert_array_equal(found, hole)
    assert ("the mask has noise" in capsys.readouterr().err) == (kind == "compressed")


def test_a_float_mask_with_rounding_errors_marks_what_was_painted(
    files: Path, hole: np.ndarray, capsys: Any
) -> None:
    noise = np.random.default_rng(0).normal(0, 1e-6, hole.shape).astype(np.float32)
    tifffile.imwrite(files / "mask.tif", hole + noise)
    found = read_mask(read_image(files / "in.png"), files / "in.png", files / "mask.tif")
    np.testing.assert_array_equal(found, hole)
    assert "the mask has noise" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_few_pixels_of_many_labels_are_no_noise(files: Path, dtype: type) -> None:
    labels = np.zeros((24, 28), dtype)
    labels[::8, ::8] = np.linspace(1, 250, 12).astype(int).reshape(3, 4)
    tifffile.imwrite(files / "labels.tif", labels)
    found = read_mask(read_image(files / "in.png"), files / "in.png", files / "labels.tif")
    np.testing.assert_array_equal(found, labels != 0)


@pytest.mark.parametrize("labels", [[0, 1, 2, 250], [0, 255], list(range(256))])
def test_labels_are_no_compression_noise(files: Path, labels: list[int], capsys: Any) -> None:
    mask = np.resize(np.array(labels, dtype=np.uint8), (24, 28))
    write_image(files / "labels.png", ImageFile(mask))
    found = read_mask(read_image(files / "in.png"), files / "in.png", files / "labels.png")
    np.testing.assert_array_equal(found, mask != 0)
    assert capsys.readouterr().err == ""


def test_an_inverted_mask_and_missing_data_are_reported_in_one_line(
    files: Path, picture: np.ndarray, hole: np.ndarray, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(files)
    known = np.zeros(hole.shape, dtype=np.uint8)
    known[3:6] = 1
    write_image(files / "inverted.png", ImageFile(1 - known))
    assert main(["inpaint", "in.png", "--missing", "inverted.png", "-o", "a.png"]) == 0
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "in.png: " in line
    assert "invert it" in line
    write_image(files / "gaps.tif", ImageFile(np.where(hole, -9999, picture).astype(np.float32)))
    assert main(["denoise", "gaps.tif", "-o", "filled.tif"]) == 0
    printed = capsys.readouterr()
    assert "of the pixels are -9999 and count as unknown (no data).\n" in printed.err
    assert "no data" in printed.out
    assert read_image(files / "filled.tif").image.min() > -500


def test_transparency_of_an_image_is_reported(
    files: Path, picture: np.ndarray, hole: np.ndarray, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(files)
    colors = np.dstack([picture] * 3 + [255 * hole]).astype(np.uint8)
    write_image(files / "clear.png", ImageFile(colors, 2))
    assert main(["denoise", "clear.png", "-o", "out.png"]) == 0
    assert "its transparency is restored like a color" in capsys.readouterr().err


def test_too_little_space_is_reported_before_the_fit(
    files: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(files)
    usage = shutil.disk_usage(files)._replace(free=24 * 28 * 2 * 2)  # two planes or images
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert main(["denoise", "in.tif", "-o", "a.tif", "--dtype", "same"]) == 0
    capsys.readouterr()
    monkeypatch.setattr("napari_deep_image_prior.cli.restore.run_with_progress", pytest.fail)
    for arguments in (
        ["super-resolve", "in.tif", "--factor", "2", "--dtype", "same"],
        ["denoise", "stack.tif"],
    ):
        assert main([*arguments, "-o", "b.tif"]) == 2
        assert "MB are free there" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_named_pipe_is_neither_read_nor_taken_for_a_result(
    files: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(files)
    os.mkfifo("pipe.tif")
    assert main(["denoise", "pipe.tif", "-o", "a.tif"]) == 2
    assert "is not a file" in capsys.readouterr().err
    assert main(["denoise", "in.tif", "-o", "pipe.tif"]) == 2
    assert "is not a result" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="Linux only")
def test_a_folder_in_which_no_file_can_be_made_is_refused_before_the_fit(
    files: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("napari_deep_image_prior.cli.restore.run_with_progress", pytest.fail)
    assert main(["denoise", str(files / "in.tif"), "-o", "/proc/a.tif"]) == 2
    assert "the folder /proc is not writable" in capsys.readouterr().err


def test_a_contrast_that_float32_would_lose_is_written_as_float64(
    files: Path, picture: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    out = files / "out.tif"
    write_image(files / "offset.tif", ImageFile(1e12 + picture))
    assert main(["denoise", str(files / "offset.tif"), "-o", str(out), "--dtype", "float32"]) == 0
    assert "float32 is too coarse for its contrast; the result is float64" in (
        capsys.readouterr().err
    )
    restored = read_image(out).image
    assert restored.dtype == np.float64
    assert np.ptp(restored) > 20


@pytest.mark.parametrize("end", [KeyboardInterrupt, partial(Terminated, 15)])
@pytest.mark.parametrize(
    ("step", "state"), [("write_image", "was written"), ("check_space", "was not written")]
)
def test_an_interruption_says_whether_the_output_was_written(
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    end: Callable[[], BaseException],
    step: str,
    state: str,
) -> None:
    done = getattr(restore_command, step)

    def interrupted(*arguments: Any) -> None:
        done(*arguments)
        raise end()

    out = files / "out.tif"
    out.write_bytes((files / "in.tif").read_bytes())
    before = out.read_bytes()
    monkeypatch.setattr(restore_command, step, interrupted)
    assert main(["denoise", str(files / "in.tif"), "-o", str(out), "--overwrite"]) > 128
    assert capsys.readouterr().err.strip().endswith(f"{out} {state}.")
    assert (out.read_bytes() != before) is (state == "was written")
