"""Results saved and opened again, through napari's own menus' paths."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog

from napari_deep_image_prior import restore_layer
from napari_deep_image_prior._napari.jobs.current import active_run
from napari_deep_image_prior._napari.layers.files import get_reader, read_layer
from napari_deep_image_prior.io.files import read_image, write_image
from napari_deep_image_prior.io.image_file import FileError, ImageFile
from tests._napari.conftest import PLUGIN, open_panel

pytestmark = [pytest.mark.usefixtures("_no_leftovers", "quick_presets")]


def _stack_result(viewer: Any, picture: np.ndarray) -> tuple[Any, Any]:
    source = viewer.add_image(
        np.stack([picture] * 3),
        name="cells",
        scale=(2, 0.5, 0.25),
        units=("um",) * 3,
        translate=(0, 3, 4),
        rotate=10,
    )
    viewer.dims.set_current_step(0, 1)
    return source, restore_layer(viewer, source, task="super-resolve", factor=2, block=True).layer


def test_a_saved_result_opens_unchanged(
    viewer: Any, picture: np.ndarray, tmp_path: Path, qtbot: Any
) -> None:
    source, result = _stack_result(viewer, picture)
    saved = result.save(str(tmp_path / "a.dip.ome.tif"))
    assert saved == [str(tmp_path / "a.dip.ome.tif")]
    found = read_image(tmp_path / "a.dip.ome.tif")
    assert (found.pixel_size, found.unit, found.channel_names) == (
        (0.25, 0.125),
        "µm",
        (result.name,),
    )
    viewer.layers.remove(result)
    again = viewer.open(str(tmp_path / "a.dip.ome.tif"), plugin=PLUGIN)[0]
    np.testing.assert_array_equal(again.data, result.data)
    assert again.name == "cells super-resolved"
    assert again.contrast_limits == result.contrast_limits
    assert again.metadata["deep_image_prior"]["source"]["layer"] == "cells"
    assert again.units == source.units
    for corner in [(0, 0, 0), (0, 47, 55)]:
        np.testing.assert_allclose(again.data_to_world(corner), result.data_to_world(corner))
    widget = open_panel(viewer, "Results")
    widget.result.value = again
    widget.run_again.native.click()
    run = active_run(viewer)
    run.wait()
    np.testing.assert_array_equal(run.layer.data, result.data)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_color_results_stay_in_color(
    viewer: Any, picture: np.ndarray, tmp_path: Path, dtype: str
) -> None:
    colors = np.stack([picture, picture[::-1], 255 - picture], axis=-1)
    colors = colors.astype("uint8") if dtype == "uint8" else (colors / 256).astype("float32")
    result = restore_layer(
        viewer, viewer.add_image(colors, rgb=True, scale=(2, 2)), block=True
    ).layer
    result.save(str(tmp_path / "a.dip.ome.tif"))
    again = viewer.open(str(tmp_path / "a.dip.ome.tif"), plugin=PLUGIN)[0]
    assert again.rgb
    np.testing.assert_array_equal(again.data, result.data)
    np.testing.assert_allclose(again.scale, result.scale)


def test_results_of_the_command_line_open_with_pixel_size_and_channels(
    viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = open_panel(viewer, "Results")

    def opened(name: str) -> list[Any]:
        before = len(viewer.layers)
        monkeypatch.setattr(
            QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / name) if name else "", "")
        )
        widget.open.native.click()
        return viewer.layers[before:]

    stained = ImageFile(np.ones((2, 9, 11), np.uint16), 0, (0.5, 0.25), "µm", ("DAPI", "GFP"))
    write_image(tmp_path / "a.tif", stained, {"seed": 1})
    layers = opened("a.tif")
    assert [layer.name for layer in layers] == ["DAPI", "GFP"]
    for layer in layers:
        assert tuple(layer.scale) == (0.5, 0.25)
        assert layer.metadata["deep_image_prior"] == {"seed": 1}
    assert widget.result.value is layers[-1]
    for name in ("b.tif", "c.png"):
        write_image(tmp_path / name, ImageFile(np.ones((9, 11), np.uint16)), {"seed": 1})
        assert opened(name)[0].name == name[0]
    write_image(tmp_path / "d.png", ImageFile(np.ones((9, 11, 3), np.uint8), 2), {"seed": 1})
    assert opened("d.png")[0].rgb
    write_image(tmp_path / "e.tif", ImageFile(np.ones((9, 11), np.uint8)))
    for name, words in [
        ("e.tif", "has no provenance"),
        ("none.tif", "no such file"),
        ("", "Nothing was opened"),
    ]:
        assert opened(name) == []
        assert words in widget.status.value


def test_other_tiffs_open_without_a_question(viewer: Any, tmp_path: Path) -> None:
    for name in ("a.tif", "b.ome.tif"):
        tifffile.imwrite(tmp_path / name, np.ones((9, 11), np.uint8))
        viewer.open(str(tmp_path / name))  # would be refused if there were two readers
    assert len(viewer.layers) == 2


def test_only_files_with_provenance_are_claimed(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "other.tif", np.ones((9, 11), np.uint8))
    (tmp_path / "broken.tif").write_bytes(b"II*\0")
    write_image(tmp_path / "ours.tif", ImageFile(np.ones((9, 11), np.uint8)), {"seed": 1})
    assert get_reader(str(tmp_path / "other.tif")) is None
    assert get_reader(str(tmp_path / "broken.tif")) is None
    assert get_reader(str(tmp_path / "none.tif")) is None
    assert get_reader([str(tmp_path / "ours.tif")]) is None
    assert get_reader(str(tmp_path / "ours.tif")) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"rgb": False},
        {"rgb": True},
        {"scale": [0, 1]},
        {"scale": [1, float("nan")]},
        {"contrast_limits": [float("nan")] * 2},
        {"rotate": [0, 0]},
        {"affine": {}},
        {"leading": [2]},
        {"units": ["furlong?", "x"]},
        {"name": 10_000 * "<b>"},
    ],
)
def test_a_placement_from_a_file_is_checked(
    picture: np.ndarray, tmp_path: Path, wrong: Any
) -> None:
    path = tmp_path / "a.dip.ome.tif"
    placement = {"scale": [2, 3], "rgb": False, "name": "cells", "metadata": {}, "visible": False}
    write_image(path, ImageFile(picture), {"seed": 1, "placement": placement})
    ((_data, options, _kind),) = read_layer(str(path))
    assert options["metadata"] == {"deep_image_prior": {"seed": 1}}
    assert (options["scale"], "visible" in options) == ([2, 3], False)
    changed = placement | wrong if wrong and set(wrong) != {"rgb"} else wrong
    write_image(path, ImageFile(picture), {"seed": 1, "placement": changed})
    with pytest.raises(FileError, match="its placement cannot be used"):
        read_layer(str(path))


def test_layers_of_other_plugins_are_saved_too(
    viewer: Any, picture: np.ndarray, tmp_path: Path
) -> None:
    pyramid = viewer.add_image([picture, picture[::2, ::2]], multiscale=True, name="cells")
    pyramid.save(str(tmp_path / "a.ome.tif"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif").image, picture)
    assert get_reader(str(tmp_path / "a.ome.tif")) is None


@pytest.mark.parametrize("channel_axis", [None, 1])
def test_a_saved_stack_opens_unchanged(
    viewer: Any, picture: np.ndarray, tmp_path: Path, channel_axis: int | None
) -> None:
    stack = np.stack([np.stack([picture, picture[::-1]])] * 3)  # (T, C or Z, Y, X)
    labels = ("t", "z" if channel_axis is None else "c", "y", "x")
    units = ("s", "um" if channel_axis is None else "pixel", "um", "um")
    source = viewer.add_image(
        stack, name="cells", scale=(30, 2, 0.5, 0.25), units=units, axis_labels=labels
    )
    result = restore_layer(viewer, source, planes="all", block=True).layer
    result.save(str(tmp_path / "a.dip.ome.tif"))
    found = read_image(tmp_path / "a.dip.ome.tif")
    assert (found.pixel_size, found.channel_axis) == ((0.5, 0.25), channel_axis)
    assert found.spacing == {"T": (30.0, "s")} | (
        {"Z": (2.0, "µm")} if channel_axis is None else {}
    )
    viewer.layers.remove(result)
    again = viewer.open(str(tmp_path / "a.dip.ome.tif"), plugin=PLUGIN)[0]
    np.testing.assert_array_equal(again.data, result.data)
    for name in ("name", "axis_labels", "units"):
        assert getattr(again, name) == getattr(result, name)
    np.testing.assert_allclose(again.scale, result.scale)
    assert (
        again.metadata["deep_image_prior"]["planes"]
        == result.metadata["deep_image_prior"]["planes"]
    )


def test_stacks_of_the_command_line_open_with_their_voxel_size(viewer: Any, tmp_path: Path) -> None:
    spacing = {"Z": (2.0, "µm")}
    stack = ImageFile(
        np.ones((4, 9, 11), np.uint16), None, (0.5, 0.25), "µm", planes="Z", spacing=spacing
    )
    write_image(tmp_path / "a.tif", stack, {"seed": 1})
    (layer,) = read_layer(str(tmp_path / "a.tif"))
    opened = viewer.add_image(layer[0], **layer[1])
    assert (tuple(opened.scale), opened.axis_labels) == ((2.0, 0.5, 0.25), ("z", "y", "x"))
    stained = ImageFile(
        np.ones((4, 2, 9, 11), np.uint16), 1, (0.5, 0.25), "µm", ("DAPI", "GFP"), planes="Z"
    )
    write_image(tmp_path / "b.tif", stained, {"seed": 1})
    (layer,) = read_layer(str(tmp_path / "b.tif"))
    opened = viewer.add_image(layer[0], **layer[1])
    assert [one.name for one in opened] == ["DAPI", "GFP"]
    assert [one.data.shape for one in opened] == [(4, 9, 11)] * 2
    assert tuple(opened[0].scale) == (1.0, 0.5, 0.25)


def test_the_save_button_asks_for_a_name_and_reports_the_outcome(
    viewer: Any, picture: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, result = _stack_result(viewer, picture)
    result.name = "cells/2: 'a'"
    widget = open_panel(viewer, "Results")
    widget.result.value = result
    asked = []

    def answer(name: str) -> None:
        def get_name(_parent: Any, _title: str, suggested: str, _filter: str) -> tuple[str, str]:
            asked.append(suggested)
            return name, ""

        monkeypatch.setattr(QFileDialog, "getSaveFileName", get_name)
        widget.save.native.click()

    answer("")
    assert asked == ["cells_2_ _a_.dip.ome.tif"]
    assert widget.status.value == "Nothing was saved."
    answer(str(tmp_path / "mine"))
    assert widget.status.value == f"Saved as {tmp_path / 'mine.dip.ome.tif'}"
    assert (tmp_path / "mine.dip.ome.tif").exists()
    answer(str(tmp_path / "nowhere" / "a.ome.tif"))
    assert "does not exist" in widget.status.value

    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    answer(str(tmp_path / "a.ome.tif"))
    assert "is not writable" in widget.status.value
