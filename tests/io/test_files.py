import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from napari_deep_image_prior.arrays import selection
from napari_deep_image_prior.io.files import check_folder, is_result, read_image, write_image
from napari_deep_image_prior.io.image_file import FileError, ImageFile, result_file

GRAY = np.random.default_rng(0).integers(0, 250, (9, 11)).astype(np.uint8)
COLOR = np.random.default_rng(0).integers(0, 250, (9, 11, 3)).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ome.tif"])
@pytest.mark.parametrize(
    ("image", "axis"),
    [
        (GRAY, None),
        (GRAY.astype(np.uint16) * 200, None),
        (COLOR, 2),
        (np.dstack([COLOR, GRAY]), 2),
    ],
    ids=["gray", "16 bit", "color", "transparent"],
)
def test_images_survive_writing_and_reading(
    tmp_path: Path, suffix: str, image: np.ndarray, axis: int | None
) -> None:
    path = tmp_path / f"picture{suffix}"
    write_image(path, ImageFile(image, axis), {"seed": 3})
    found = read_image(path)
    np.testing.assert_array_equal(found.image, image)
    assert found.image.dtype == image.dtype
    assert found.channel_axis == axis


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int16", "uint32", "int64", "uint64"]
)
@pytest.mark.parametrize(("shape", "axis"), [((9, 11), None), ((2, 9, 11), 0), ((9, 11, 5), 2)])
def test_tiff_stores_any_dtype_and_any_channels(
    tmp_path: Path, dtype: str, shape: tuple[int, ...], axis: int | None
) -> None:
    image = np.random.default_rng(0).normal(100, 30, shape).astype(dtype)
    path = tmp_path / "stack.tif"
    write_image(path, ImageFile(image, axis))
    found = read_image(path)
    first = image if axis is None else np.moveaxis(image, axis, 0)
    np.testing.assert_array_equal(found.image, first)
    assert found.image.dtype == (np.float32 if dtype == "float16" else dtype)
    assert found.channel_axis == (None if axis is None else 0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int64"])
@pytest.mark.parametrize(
    ("planes", "shape", "axis"),
    [
        ("Z", (4, 9, 11), None),
        ("T", (2, 9, 11), None),
        ("TZ", (2, 4, 9, 11), None),
        ("ZT", (2, 4, 9, 11), None),
        ("T", (2, 3, 9, 11), 1),
        ("Z", (3, 2, 9, 11), 0),
        ("TZ", (2, 3, 4, 9, 11), 1),
        ("Z", (4, 9, 11, 3), 3),
        ("T", (4, 9, 11, 5), 3),
        ("TZH", (2, 2, 4, 9, 11), None),
    ],
)
def test_stacks_survive_writing_and_reading(
    tmp_path: Path, dtype: str, planes: str, shape: tuple[int, ...], axis: int | None
) -> None:
    image = np.random.default_rng(0).normal(100, 30, shape).astype(dtype)
    write_image(tmp_path / "stack.tif", ImageFile(image, axis, planes=planes), {"seed": 3})
    found = read_image(tmp_path / "stack.tif")
    colors = dtype.startswith("u") and axis == len(shape) - 1 and shape[-1] == 3
    if axis == len(shape) - 1 and not colors:
        image, axis = np.moveaxis(image, -1, -3), len(shape) - 3
    assert (found.planes, found.channel_axis, found.provenance) == (planes, axis, {"seed": 3})
    np.testing.assert_array_equal(found.image, image)


def test_voxel_size_and_time_step_are_kept(tmp_path: Path) -> None:
    spacing = {"Z": (2.5, "µm"), "T": (30.0, "s")}
    write_image(
        tmp_path / "a.tif",
        ImageFile(
            np.zeros((2, 3, 9, 11), np.uint8), None, (0.5, 0.5), "µm", (), None, "TZ", spacing
        ),
    )
    assert read_image(tmp_path / "a.tif").spacing == spacing
    assert read_image(tmp_path / "a.tif").pixel_size == (0.5, 0.5)
    notes = {"axes": "TZYX", "unit": "um", "spacing": 2.5, "finterval": 30.0}
    tifffile.imwrite(
        tmp_path / "ij.tif", np.zeros((2, 3, 9, 11), np.uint8), imagej=True, metadata=notes
    )
    found = read_image(tmp_path / "ij.tif")
    assert (found.planes, found.spacing) == ("TZ", spacing)


def test_a_pixel_size_without_a_unit_of_length_is_ignored(tmp_path: Path) -> None:
    notes = {"axes": "ZYX", **{f"PhysicalSize{axis}": 2 for axis in "XYZ"}}
    notes |= {f"PhysicalSize{axis}Unit": "reference frame" for axis in "XYZ"}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 9, 11), np.uint8), ome=True, metadata=notes)
    found = read_image(tmp_path / "a.tif")
    assert (found.pixel_size, found.unit, found.spacing) == (None, "", {})


def test_unnamed_axes_count_planes_and_are_named_when_written(
    tmp_path: Path,
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 9, 11), np.uint8), photometric="minisblack")
    found = read_image(tmp_path / "a.tif")
    assert (len(found.planes), found.leading) == (1, (4,))
    write_image(tmp_path / "b.tif", found)
    assert read_image(tmp_path / "b.tif").planes == "Z"
    write_image(tmp_path / "c.tif", ImageFile(np.zeros((2, 4, 9, 11), np.uint8), planes="??"))
    assert read_image(tmp_path / "c.tif").planes == "TZ"


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((2, 4, 9, 11), 1), ((2, 4, 9, 11), None), ((2, 9, 11, 3), 3), ((9, 11), None)],
)
def test_a_stack_is_split_into_planes_with_their_indices(
    shape: tuple[int, ...], axis: int | None
) -> None:
    image = np.arange(np.prod(shape)).reshape(shape)
    planes = "TZ"[: len(shape) - 2 - (axis is not None)]
    again = np.zeros_like(image)
    count = 0
    for index, part in ImageFile(image, axis, planes=planes).parts():
        assert part.image.ndim == 2 + (axis is not None)
        assert part.planes == ""
        assert part.channel_count == (1 if axis is None else shape[axis])
        again[selection(index)] = part.image
        count += 1
    np.testing.assert_array_equal(again, image)
    assert count == image.size // part.image.size


def test_pixel_size_and_channel_names_are_kept_and_the_size_shrinks_with_the_pixels(
    tmp_path: Path,
) -> None:
    source = ImageFile(np.zeros((2, 9, 11), np.uint16), 0, (0.25, 0.5), "µm", ("DAPI", "GFP"))
    write_image(tmp_path / "a.tif", source)
    found = read_image(tmp_path / "a.tif")
    assert (found.pixel_size, found.unit, found.channel_names) == (
        (0.25, 0.5),
        "µm",
        ("DAPI", "GFP"),
    )
    large = result_file(found, np.zeros((2, 36, 44), np.uint16))
    assert large.pixel_size == (0.0625, 0.125)
    stack = ImageFile(
        np.zeros((5, 9, 11), np.uint16),
        None,
        (0.25, 0.5),
        "µm",
        planes="Z",
        spacing={"Z": (2.0, "µm")},
    )
    large = result_file(stack, np.zeros((5, 18, 33), np.uint16))
    assert (large.pixel_size, large.spacing) == ((0.125, 0.5 / 3), stack.spacing)


def test_the_pixel_size_of_imagej_files_is_read(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "ij.tif", GRAY, imagej=True, resolution=(4, 2), metadata={"unit": "um"}
    )
    found = read_image(tmp_path / "ij.tif")
    assert found.pixel_size == (0.5, 0.25)
    assert found.unit == "µm"
    write_image(tmp_path / "again.tif", found)
    assert read_image(tmp_path / "again.tif").unit == "µm"


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_provenance_is_in_the_file(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / name, ImageFile(GRAY), {"seed": 3})
    if name.endswith("png"):
        with Image.open(tmp_path / name) as picture:
            assert json.loads(picture.text["deep_image_prior"]) == {"seed": 3}
    else:
        with tifffile.TiffFile(tmp_path / name) as tiff:
            assert "deep_image_prior" in tiff.ome_metadata


@pytest.mark.parametrize(
    ("name", "dtype"), [("a.png", "uint8"), ("a.tif", "uint8"), ("a.tif", "int64")]
)
def test_a_result_keeps_its_provenance(tmp_path: Path, name: str, dtype: str) -> None:
    made = {"seed": 3, "found": "µ = 2 <&>", "task": {"kind": "denoise"}}
    write_image(tmp_path / name, ImageFile(GRAY.astype(dtype)), made)
    found = read_image(tmp_path / name)
    assert found.provenance == made
    write_image(tmp_path / name, found)
    assert read_image(tmp_path / name).provenance == made, "it stays with the image"
    assert result_file(found, GRAY).provenance is None, "another image has other provenance"


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", '{"deep_image_prior": 3}', '{"other": {}}'])
def test_the_descriptions_of_other_programs_are_no_provenance(tmp_path: Path, text: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, description=text, metadata=None)
    tifffile.imwrite(tmp_path / "b.tif", GRAY, ome=True, metadata={"Description": text})
    tifffile.imwrite(tmp_path / "c.tif", GRAY, metadata={"Description": text})
    tifffile.imwrite(tmp_path / "d.tif", GRAY, imagej=True)
    notes = PngImagePlugin.PngInfo()
    notes.add_text("deep_image_prior", text)
    Image.fromarray(GRAY).save(tmp_path / "e.png", pnginfo=None if text.startswith('{"') else notes)
    for path in tmp_path.iterdir():
        assert read_image(path).provenance is None


def test_color_of_16_bits_is_not_silently_reduced_to_8(tmp_path: Path) -> None:
    write_image(tmp_path / "color.png", ImageFile(COLOR, 2))
    content = bytearray((tmp_path / "color.png").read_bytes())
    content[24] = 16  # the bit depth in the header
    (tmp_path / "deep.png").write_bytes(content)
    with pytest.raises(FileError, match="save it as TIFF"):
        read_image(tmp_path / "deep.png")


def test_palettes_bitmaps_and_single_planes_are_read_as_displayed(tmp_path: Path) -> None:
    Image.fromarray(COLOR).convert("P").save(tmp_path / "p.png")
    assert read_image(tmp_path / "p.png").image.shape == (9, 11, 3)
    Image.fromarray(GRAY).convert("1").save(tmp_path / "b.png")
    assert read_image(tmp_path / "b.png").image.dtype == np.uint8
    tifffile.imwrite(tmp_path / "one.tif", GRAY[None, None])
    assert read_image(tmp_path / "one.tif").image.shape == (9, 11)


def test_an_unreadable_file_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "text.tif").write_text("hello")
    (tmp_path / "empty.tif").write_bytes(b"")
    tifffile.imwrite(
        tmp_path / "turned.tif", np.zeros((9, 11, 4), np.uint8), metadata={"axes": "YXZ"}
    )
    for name, words in [
        ("nothing.png", "no such file"),
        ("text.png", "cannot be read"),
        ("text.tif", "cannot be read"),
        ("empty.tif", "cannot be read"),
        ("turned.tif", "do not end with Y and X"),
        ("a.jpg", "unknown file type"),
    ]:
        with pytest.raises(FileError, match=words) as caught:
            read_image(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("planes", ["ZZ", "TT", "?Z", "Q?"])
def test_axes_of_the_same_name_are_distinguished(tmp_path: Path, planes: str) -> None:
    image = np.arange(2 * 3 * 9 * 11, dtype=np.uint16).reshape(2, 3, 9, 11)
    write_image(tmp_path / "a.tif", ImageFile(image, planes=planes))
    found = read_image(tmp_path / "a.tif")
    assert set(found.planes) == set("TZ")
    np.testing.assert_array_equal(found.image, image)


def test_an_image_that_cannot_be_written_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="too many for a TIFF"):
        write_image(
            tmp_path / "a.tif", ImageFile(np.zeros((1,) * 7 + (9, 11), np.uint8), planes="???????")
        )
    assert list(tmp_path.iterdir()) == []


def test_names_that_do_not_match_the_channels_are_omitted(tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif", ImageFile(COLOR.astype(np.float32), 2, channel_names=("RGB",)))
    assert read_image(tmp_path / "a.tif").image.shape == (3, 9, 11)


def test_a_png_of_floats_or_stacks_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"cannot hold a stack; write a \.tif"):
        write_image(tmp_path / "a.png", ImageFile(np.stack([GRAY, GRAY]), planes="Z"))
    with pytest.raises(FileError, match=r"write a \.tif"):
        write_image(tmp_path / "a.png", ImageFile(GRAY.astype(np.float32)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_full_disk_leaves_the_old_file_and_no_other(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    write_image(path, ImageFile(GRAY))

    def fail(part: Path, *_args: Any) -> None:
        part.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = "_write_png" if name.endswith("png") else "write_tiff"
    monkeypatch.setattr(f"napari_deep_image_prior.io.files.{writer}", fail)
    with pytest.raises(FileError, match="No space left"):
        write_image(path, ImageFile(GRAY + 1))
    monkeypatch.undo()
    assert [found.name for found in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(read_image(path).image, GRAY)


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    old, new = tmp_path / ".out-0123456789ab.tif", tmp_path / ".out-0123456789ac.tif"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    write_image(tmp_path / "out.tif", ImageFile(GRAY))
    assert not old.exists()
    assert new.exists()  # may still be in use


def test_what_a_png_holds_besides_its_image_is_noted(tmp_path: Path) -> None:
    gray, path = np.arange(48, dtype=np.uint8).reshape(6, 8), tmp_path / "a.png"
    first, second = Image.fromarray(gray), Image.fromarray(gray + 100)
    first.save(path, save_all=True, append_images=[second])
    assert "holds 1 more" in read_image(path).notes[0]
    first.save(path, transparency=7)
    assert read_image(path).notes == ("its transparency is left out.",)
    first.convert("RGB").quantize(8).save(path, transparency=2)
    assert read_image(path).notes == ("its transparency is left out.",)
    first.save(path)
    assert read_image(path).notes == ()


def test_asking_whether_a_file_is_a_result_says_nothing(tmp_path: Path, caplog: Any) -> None:
    path = tmp_path / "cut.ome.tif"
    tifffile.imwrite(path, np.stack([GRAY] * 3), photometric="minisblack")
    path.write_bytes(path.read_bytes()[:300])
    assert not is_result(path)
    assert not caplog.text


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_color_profile_and_the_resolution_of_a_picture_are_kept(
    tmp_path: Path, suffix: str
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(COLOR).save(tmp_path / "in.png", icc_profile=profile, dpi=(300, 150))
    source = read_image(tmp_path / "in.png")
    write_image(tmp_path / f"out{suffix}", result_file(source, np.repeat(COLOR, 2, axis=0)))
    found = read_image(tmp_path / f"out{suffix}")
    assert found.color_profile == profile
    assert (found.pixel_size, found.unit) == (pytest.approx((1 / 300, 1 / 300), rel=1e-4), "in")
    with Image.open(tmp_path / f"out{suffix}") as picture:
        assert picture.info["icc_profile"] == profile
        assert picture.info["dpi"] == pytest.approx((300, 300), rel=1e-4)


def test_a_plain_tiff_keeps_the_description(tmp_path: Path) -> None:
    for name, image in (("a.tif", GRAY.astype(np.int64)), ("b.tif", GRAY)):
        write_image(tmp_path / name, ImageFile(image, description="cell 5"), {"seed": 1})
        assert read_image(tmp_path / name).description == "cell 5"
        assert read_image(tmp_path / name).provenance == {"seed": 1}


def test_pages_that_the_metadata_do_not_count_are_reported_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    stack = np.arange(2 * 3 * 9 * 11, dtype=np.uint16).reshape(2, 3, 9, 11)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TCYX"})
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[0].tags["BitsPerSample"].offset
    written = bytearray(path.read_bytes().replace(b"channels=3", b"chAnnels=3"))
    path.write_bytes(written)
    found = read_image(path)
    assert found.image.shape == (2, 9, 11)
    assert found.notes == (
        "4 more pages of the file are left out: its metadata do not count them.",
    )
    written[place + 5] = 255  # the count of the bits per sample
    path.write_bytes(written)
    with pytest.raises(FileError, match="do not match"):
        read_image(path)


def test_a_signal_during_the_check_of_a_folder_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch = Path.touch

    def interrupted(path: Path, **how: Any) -> None:
        touch(path, **how)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "touch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check_folder(tmp_path / "result.tif")
    assert not list(tmp_path.iterdir())
