"""A result is repeated from its provenance."""

import ast
import json
import os
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_deep_image_prior as dip
from napari_deep_image_prior.restoration.repeat import repeated_task
from napari_deep_image_prior.restoration.script import script
from tests.conftest import QUICK


def _tasks(picture: np.ndarray, hole: np.ndarray) -> list[Any]:
    colors = np.stack([picture, picture[::-1], 255 - picture], axis=-1).astype(np.uint8)
    return [
        dip.Denoise(picture.astype(np.float32), noise="gaussian", noise_std=4),
        dip.Denoise(colors, channel_axis=-1, strength=0.6),
        dip.Denoise(np.where(hole, 9e3, picture), outliers="fill"),
        dip.Inpaint(np.where(hole, np.nan, picture), missing=hole),
        dip.Inpaint(colors, missing=hole, channel_axis=-1),
        dip.SuperResolve(picture.astype(np.uint16), factor=(2, 3)),
    ]


@pytest.mark.parametrize("index", range(6))
def test_a_result_is_repeated_bit_for_bit_from_its_provenance(
    picture: np.ndarray, hole: np.ndarray, index: int
) -> None:
    task = _tasks(picture, hole)[index]
    first = dip.restore(task, settings=QUICK[task.kind], seed=5, dtype="same", threads=1)
    made = json.loads(json.dumps(first.provenance))  # as from a file
    again = dip.repeat(made, np.array(task.image))
    np.testing.assert_array_equal(again.image, first.image)
    assert again.image.dtype == first.image.dtype
    told = json.loads(json.dumps(again.provenance))
    assert told | {"seconds": made["seconds"]} == made


@pytest.mark.usefixtures("quick_presets")
def test_the_name_of_the_preset_is_kept_while_it_means_the_same(picture: np.ndarray) -> None:
    made = dip.restore(dip.Denoise(picture)).provenance
    assert dip.repeat(made, picture).provenance["preset"] == "fast"
    changed = made | {"settings": made["settings"] | {"iterations": 30}}
    assert dip.repeat(changed, picture).provenance["preset"] is None


@pytest.mark.parametrize("kind", list(QUICK))
def test_a_stopped_fit_is_repeated_up_to_the_same_step(
    picture: np.ndarray, hole: np.ndarray, kind: str
) -> None:
    task = {task.kind: task for task in _tasks(picture, hole)}[kind]
    with dip.iter_restore(task, settings=QUICK[kind]) as steps:
        for step in steps:
            if step.iteration == 11:
                steps.stop()
    assert steps.result.provenance["stopped_after"] == 11
    again = dip.repeat(steps.result.provenance, task.image)
    np.testing.assert_array_equal(again.image, steps.result.image)
    assert again.stop_reason == steps.result.stop_reason
    whole = dip.restore(task, settings=QUICK[kind])
    assert whole.provenance["stopped_after"] is None
    assert whole.iterations > again.iterations


@pytest.mark.parametrize("kind", list(QUICK))
def test_a_stop_that_comes_after_the_fit_changes_nothing(
    picture: np.ndarray, hole: np.ndarray, kind: str
) -> None:
    task = {task.kind: task for task in _tasks(picture, hole)}[kind]
    whole = dip.restore(task, settings=QUICK[kind])
    finishing = 0
    with dip.iter_restore(task, settings=QUICK[kind]) as steps:
        for step in steps:
            finishing += step.note == "finishing"
            if finishing == 2:  # the first is the last step of the fit
                steps.stop()
    assert finishing >= 2
    assert steps.result.stop_reason == whole.stop_reason
    assert steps.result.provenance["stopped_after"] is None
    np.testing.assert_array_equal(steps.result.image, whole.image)


def _run_on(picture: np.ndarray, hole: np.ndarray) -> tuple[dict[str, Any], str]:
    with dip.iter_restore(dip.Denoise(picture), settings=QUICK["denoise"]) as steps:
        list(steps)
        steps.run_on(10)
        list(steps)
    return steps.result.provenance, "run on after its end"


def _repainted(picture: np.ndarray, hole: np.ndarray) -> tuple[dict[str, Any], str]:
    with dip.iter_restore(dip.Inpaint(picture, missing=hole), settings=QUICK["inpaint"]) as steps:
        next(steps)
        steps.repaint(hole[::-1])
        list(steps)
    return steps.result.provenance, "mask was repainted"


def _on_the_way(picture: np.ndarray, hole: np.ndarray) -> tuple[dict[str, Any], str]:
    with dip.iter_restore(dip.Denoise(picture), settings=QUICK["denoise"]) as steps:
        next(steps)
        return steps.provenance("chosen by the user"), "before its end"


@pytest.mark.parametrize("steer", [_run_on, _repainted, _on_the_way])
def test_a_fit_that_was_steered_is_not_repeated(
    picture: np.ndarray, hole: np.ndarray, steer: Any
) -> None:
    made, words = steer(picture, hole)
    made = json.loads(json.dumps(made))
    for again in (lambda: dip.repeat(made, picture), lambda: script(made)):
        with pytest.raises(ValueError, match=words) as caught:
            again()
        assert "\n" not in str(caught.value)
    assert repeated_task(made, picture).kind == made["task"]["kind"], (
        "the requested settings are still known"
    )


def test_another_image_is_refused(picture: np.ndarray) -> None:
    made = dip.restore(dip.Denoise(picture), settings=QUICK["denoise"]).provenance
    other = picture.copy()
    other[3, 4] += 1e-9
    for image, words in [
        (other, "pixels differ"),
        (picture[:, 1:], r"shape \(24, 27\), not float64 of shape \(24, 28\)"),
        (picture.astype(np.uint8), "uint8"),
        (np.stack([picture] * 3), "another image"),
    ]:
        with pytest.raises(ValueError, match=words) as caught:
            dip.repeat(made, image)
        assert "\n" not in str(caught.value)
    swapped = picture.astype(picture.dtype.newbyteorder(">"))
    assert dip.repeat(made, swapped).iterations == made["iterations"], "only the byte order differs"


@pytest.mark.parametrize(
    "change",
    [
        {"task": None},
        {"task": {}},
        {"settings": None},
        {"settings": {"method": "Magic"}},
        {"device": "abacus"},
    ],
)
def test_what_is_no_provenance_is_refused_in_one_line(
    picture: np.ndarray, change: dict[str, Any]
) -> None:
    made = dip.restore(dip.Denoise(picture), settings=QUICK["denoise"]).provenance
    with pytest.raises(ValueError, match=r"not a provenance record|Magic|abacus") as caught:
        dip.repeat(made | change, picture)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".png", None])
def test_the_script_gives_the_same_image(
    picture: np.ndarray, hole: np.ndarray, suffix: str | None, tmp_path: Path
) -> None:
    stack = np.stack([picture, picture + 9]).astype(np.uint8)
    missing = np.zeros_like(hole) if suffix is None else hole
    task = dip.Denoise(stack[1]) if suffix is None else dip.Inpaint(stack[1], missing=missing)
    source = {"layer": "cells", "plane": [1], "path": None, "rgb": False}
    if suffix is not None:
        source["path"] = str(tmp_path / f"it's a stack{suffix}")
        write = {
            ".tif": tifffile.imwrite,
            ".npy": np.save,
            ".png": lambda path, _: Image.fromarray(stack[1]).save(path),
        }
        write[suffix](source["path"], stack)
        source["plane"] = [] if suffix == ".png" else [1]
    first = dip.restore(task, settings=QUICK[task.kind], seed=2)
    text = script(first.provenance | {"source": source})
    if suffix is None:
        assert (
            "# put the image here as an array: uint8, shape (24, 28), layer 'cells', plane 1"
            in text
        )
        with pytest.raises(ValueError, match="another image"):
            exec(text, {})
        text = text.replace("image = ...", "image = given")
    names: dict[str, Any] = {"given": stack[1]}
    exec(text, names)
    np.testing.assert_array_equal(names["restored"], first.image)


@pytest.mark.parametrize(("axis", "index"), [(0, "[1]"), (1, "[:, 1]"), (3, "[..., 1]")])
def test_the_script_selects_the_channel_of_the_layer(
    picture: np.ndarray, axis: int, index: str, tmp_path: Path
) -> None:
    channels = np.stack([picture, picture[::-1]]).astype(np.uint8)
    stack = np.stack([channels, 255 - channels], axis=1)  # (C, Z, Y, X)
    np.save(tmp_path / "a.npy", np.moveaxis(stack, 0, axis))
    first = dip.restore(dip.Denoise(stack[1, 0]), settings=QUICK["denoise"])
    source = {"layer": "cells", "plane": [0], "path": str(tmp_path / "a.npy"), "rgb": False}
    text = script(first.provenance | {"source": source})
    assert f"){index}[0]\n" in text
    names: dict[str, Any] = {}
    exec(text, names)
    np.testing.assert_array_equal(names["restored"], first.image)


def test_the_script_asks_for_an_image_that_is_no_longer_in_the_file(
    picture: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", picture + 1)
    first = dip.restore(dip.Denoise(picture), settings=QUICK["denoise"])
    source = {"layer": "cells", "plane": [], "path": str(tmp_path / "a.npy"), "rgb": False}
    assert "image = ...\n" in script(first.provenance | {"source": source})


def test_the_script_of_a_color_picture_leaves_out_the_transparency(
    picture: np.ndarray, tmp_path: Path
) -> None:
    colors = np.stack([picture, picture, picture, 0 * picture + 255], axis=-1).astype(np.uint8)
    Image.fromarray(colors).save(tmp_path / "a.png")
    first = dip.restore(dip.Denoise(colors[..., :3], channel_axis=-1), settings=QUICK["denoise"])
    names: dict[str, Any] = {}
    source = {"layer": "cells", "plane": [], "path": str(tmp_path / "a.png"), "rgb": True}
    exec(script(first.provenance | {"source": source}), names)
    np.testing.assert_array_equal(names["restored"], first.image)


def test_a_masked_array_is_restored_and_repeated(picture: np.ndarray, hole: np.ndarray) -> None:
    masked = np.ma.masked_array(picture.astype(np.uint16), hole)
    masked.data[hole] = 60_000
    first = dip.restore(dip.Denoise(masked), settings=QUICK["denoise"])
    assert first.image.max() < 1000
    np.testing.assert_array_equal(dip.repeat(first.provenance, masked).image, first.image)


def test_missing_data_are_filled_with_a_warning(picture: np.ndarray, hole: np.ndarray) -> None:
    image = np.where(hole, -3.4028234663852886e38, picture).astype(np.float32)
    for task in (dip.Denoise(image), dip.Inpaint(image, missing=np.zeros_like(hole))):
        with pytest.warns(UserWarning, match=r"-3\.4.*count as unknown \(no data\)"):
            result = dip.restore(task, settings=QUICK[task.kind])
        assert result.image.min() > -500
        assert "no data" in result.provenance["found"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_script_does_not_wait_for_a_named_pipe(picture: np.ndarray, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.npy"
    os.mkfifo(pipe)
    made = dip.restore(dip.Denoise(picture), settings=QUICK["denoise"]).provenance
    source = {"layer": "pipe", "plane": [], "path": str(pipe), "rgb": False}
    writer = Thread(target=lambda: pipe.write_bytes(b""), daemon=True)  # ends a reader that waits
    writer.start()
    assert f"np.load({str(pipe)!r})" in script(made | {"source": source})
    assert writer.is_alive()
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))


@pytest.mark.parametrize(
    "path",
    [r"\\server\share\x.tif", r"\\?\C:\new\x.npy", "//server/{a}/x.tif", "\\\\s\\'\n\"\\x.png"],
)
def test_the_script_reads_the_very_path_of_the_file(path: str, picture: np.ndarray) -> None:
    made = dip.restore(dip.Denoise(picture), settings=dip.DeepImagePriorFit(iterations=1))
    source = {"path": path, "layer": "x", "plane": [], "rgb": False}
    text = script(made.provenance | {"source": source})
    values = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
    assert path in values


@pytest.mark.parametrize(
    "path", [r"\\server\a.npy", "//server/a.npy", r"\\?\UNC\server\a.npy", r"\??\UNC\server\a.npy"]
)
def test_a_script_contacts_no_server_that_a_record_names(
    path: str, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = dip.restore(dip.Denoise(picture), settings=dip.DeepImagePriorFit(iterations=1))
    touched: list[str] = []
    for name in ("is_file", "exists", "stat"):
        monkeypatch.setattr(Path, name, lambda each, **_: touched.append(str(each)))
    source = {"path": path, "layer": "x", "plane": [], "rgb": False}
    assert f"np.load({path!r})" in script(made.provenance | {"source": source})
    assert not touched
    script(made.provenance | {"source": source | {"path": "local.npy"}})
    assert touched == ["local.npy"]
