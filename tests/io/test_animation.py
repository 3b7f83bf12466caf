"""Animated GIFs of a restoration."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

import napari_deep_image_prior as dip
from napari_deep_image_prior.io.image_file import FileError


def _read(path: Path) -> tuple[list[np.ndarray], list[int]]:
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0, "it loops forever"
        frames = [
            (np.asarray(frame.convert("RGB")), frame.info["duration"])
            for frame in ImageSequence.Iterator(gif)
        ]
    return [frame for frame, _ in frames], [duration for _, duration in frames]


def test_the_images_follow_one_another_at_their_times(tmp_path: Path, picture: np.ndarray) -> None:
    images = [
        picture.astype(dtype) + step
        for dtype, step in [("float64", 0), ("uint8", 20), ("float32", 40)]
    ]
    dip.write_animation(tmp_path / "a.gif", images, seconds=3, contrast_limits=(0, 255))
    frames, durations = _read(tmp_path / "a.gif")
    assert durations == [1000, 1000, 3000]
    for frame, image in zip(frames, images, strict=True):
        np.testing.assert_allclose(frame[..., 0], image, atol=2)


def test_the_contrast_is_that_of_the_last_image_and_colors_are_colors(
    tmp_path: Path, picture: np.ndarray
) -> None:
    last = np.stack([picture, 0 * picture, picture[::-1]])
    first = np.where(picture > 150, np.nan, last - 50)
    dip.write_animation(tmp_path / "a.gif", [first, last], channel_axis=0)
    frames, _ = _read(tmp_path / "a.gif")
    assert frames[1][..., 0].max() > 250
    assert (frames[1][..., 1] < 20).all()
    assert frames[0].astype(float).mean() < frames[1].astype(float).mean()


def test_images_that_cannot_be_animated_are_refused_and_nothing_is_written(
    tmp_path: Path, picture: np.ndarray
) -> None:
    cases: list[tuple[Any, Any, Any, str]] = [
        ("a.gif", [], None, "no image"),
        ("a.gif", [picture, picture[1:]], None, "differ in shape"),
        ("a.gif", [np.stack([picture] * 2)], 0, "three colors"),
        ("a.gif", [np.stack([picture] * 2)], None, "three colors"),
        ("a.mp4", [picture], None, "is a .gif file"),
        ("nowhere/a.gif", [picture], None, "does not exist"),
    ]
    for name, images, axis, words in cases:
        with pytest.raises(ValueError, match=words) as caught:
            dip.write_animation(tmp_path / name, images, channel_axis=axis)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_animation(
    tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    dip.write_animation(tmp_path / "a.gif", [picture])
    before = (tmp_path / "a.gif").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(FileError, match="No space left"):
        dip.write_animation(tmp_path / "a.gif", [picture, picture])
    assert (tmp_path / "a.gif").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
