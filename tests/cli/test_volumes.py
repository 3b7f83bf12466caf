"""Volumes on the command line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior import repeat
from napari_deep_image_prior.cli.main import main
from napari_deep_image_prior.io.files import read_image, write_image
from napari_deep_image_prior.io.image_file import ImageFile

pytestmark = pytest.mark.usefixtures("quick_presets")
VOLUME = (100 + np.random.default_rng(0).normal(0, 10, (4, 26, 30))).astype(np.float32)


def _write(folder: Path, image: np.ndarray, planes: str, axis: int | None = None) -> Path:
    path = folder / "in.tif"
    file = ImageFile(
        image, axis, (0.5, 0.5), "µm", planes=planes, spacing={"Z": (2000.0, "nm")}, is_color=False
    )
    write_image(path, file)
    return path


@pytest.mark.parametrize(
    ("planes", "shape", "axis"),
    [("Z", (4, 26, 30), None), ("TZ", (2, 4, 26, 30), None), ("Z", (4, 2, 26, 30), 1)],
)
def test_a_volume_is_restored_as_one(
    tmp_path: Path, planes: str, shape: tuple[int, ...], axis: int | None
) -> None:
    image = np.broadcast_to(VOLUME if axis is None else VOLUME[:, None], shape).copy()
    path, out = _write(tmp_path, image, planes, axis), tmp_path / "out.tif"
    assert main(["denoise", str(path), "-o", str(out), "--volume"]) == 0
    result = read_image(out)
    assert result.image.shape == shape
    assert result.planes == planes
    assert result.spacing == {"Z": (2000.0, "nm")}
    assert result.provenance is not None
    # in the unit of the pixels
    assert result.provenance["task"]["spacing"] == pytest.approx([2.0, 0.5, 0.5])
    again = repeat(result.provenance, read_image(path).image)
    np.testing.assert_array_equal(again.image, result.image)
    assert result.image.std() < 0.5 * image.std()


def test_a_given_spacing_comes_before_that_of_the_file(tmp_path: Path) -> None:
    path, out = _write(tmp_path, VOLUME, "Z"), tmp_path / "out.tif"
    assert main(["denoise", str(path), "-o", str(out), "--volume", "--spacing", "3", "1", "1"]) == 0
    provenance = read_image(out).provenance
    assert provenance is not None
    assert provenance["task"]["spacing"] == [3.0, 1.0, 1.0]


def test_an_unknown_spacing_is_reported(tmp_path: Path, capsys: Any) -> None:
    path, out = tmp_path / "in.tif", tmp_path / "out.tif"
    write_image(path, ImageFile(VOLUME, planes="Z"))
    assert main(["denoise", str(path), "-o", str(out), "--volume"]) == 0
    assert "size of its voxels is unknown" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("planes", "shape", "arguments", "message"),
    [
        ("", (26, 30), ["--volume"], "holds no volume, because it is one image"),
        ("Z", (4, 26, 30), ["--spacing", "1", "1", "1"], "add --volume"),
        ("Z", (4, 26, 30), ["--volume", "--spacing", "1", "0", "1"], "three positive numbers"),
    ],
)
def test_what_is_no_volume_is_refused(
    tmp_path: Path,
    planes: str,
    shape: tuple[int, ...],
    arguments: list[str],
    message: str,
    capsys: Any,
) -> None:
    image = np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)
    path, out = _write(tmp_path, image, planes), tmp_path / "out.tif"
    assert main(["denoise", str(path), "-o", str(out), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("planes", "axis", "shape", "expected"),
    [("Z", None, (4, 9, 9), 0), ("TZ", 0, (2, 3, 4, 9, 9), 2), ("TQ", None, (2, 2, 9, 9), None),
     ("Q", None, (2, 9, 9), 0), ("", None, (9, 9), None), ("", 2, (9, 9, 3), None)],
)  # fmt: skip
def test_the_axis_of_the_planes_of_a_volume(
    planes: str, axis: int | None, shape: tuple[int, ...], expected: int | None
) -> None:
    assert ImageFile(np.zeros(shape), axis, planes=planes).depth_axis == expected


@pytest.mark.parametrize(
    ("planes", "shape", "axis"),
    [("Z", (4, 26, 30), None), ("TZ", (2, 4, 26, 30), None), ("Z", (4, 2, 26, 30), 1)],
)
def test_a_missing_plane_of_a_volume_is_filled(
    tmp_path: Path, planes: str, shape: tuple[int, ...], axis: int | None
) -> None:
    image = np.broadcast_to(VOLUME if axis is None else VOLUME[:, None], shape).copy()
    path, out, mask = (
        _write(tmp_path, image, planes, axis),
        tmp_path / "out.tif",
        tmp_path / "m.tif",
    )
    missing = np.zeros(VOLUME.shape, dtype=np.uint8)
    missing[2] = 1
    write_image(mask, ImageFile(missing, planes="Z"))
    arguments = ["inpaint", str(path), "-o", str(out), "--missing", str(mask), "--volume"]
    assert main(arguments) == 0
    result = read_image(out).image
    marked = np.broadcast_to(missing[:, None] if axis == 1 else missing, shape) != 0
    np.testing.assert_array_equal(result[~marked], image[~marked])
    assert (result[marked] != image[marked]).any()
    assert abs(result[marked].mean() - 100) < 5


def test_a_volume_is_enlarged_along_z(tmp_path: Path) -> None:
    path, out = _write(tmp_path, VOLUME, "Z"), tmp_path / "out.tif"
    arguments = ["super-resolve", str(path), "-o", str(out), "--factor", "4,1,1", "--volume"]
    assert main(arguments) == 0
    result = read_image(out)
    assert result.image.shape == (16, 26, 30)
    assert result.spacing == {"Z": (500.0, "nm")}
    assert result.pixel_size == (0.5, 0.5)


def test_a_series_of_volumes_is_enlarged_along_z(tmp_path: Path) -> None:
    path, out = _write(tmp_path, np.stack([VOLUME, VOLUME]), "TZ"), tmp_path / "out.tif"
    arguments = ["super-resolve", str(path), "-o", str(out), "--factor", "2,1,1", "--volume"]
    assert main(arguments) == 0
    assert read_image(out).image.shape == (2, 8, 26, 30)
