"""One fit for many images on the command line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_deep_image_prior import load_fitted, repeat
from napari_deep_image_prior.cli import fits
from napari_deep_image_prior.cli.main import main
from napari_deep_image_prior.io.files import read_image, write_image
from napari_deep_image_prior.io.image_file import ImageFile
from napari_deep_image_prior.methods.denoising.restorer import DenoisingRestorer

pytestmark = pytest.mark.usefixtures("quick_presets")


@pytest.fixture
def folder(tmp_path: Path, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    stack = (picture + rng.normal(0, 10, (6, *picture.shape))).astype(np.float32)
    write_image("stack.tif", ImageFile(stack, planes="T"))
    empty = stack.copy()
    empty[:5] = np.nan
    write_image("empty.tif", ImageFile(empty, planes="T"))
    write_image("one.tif", ImageFile(stack[0]))
    write_image("colors.tif", ImageFile(stack[:2], 0))
    return tmp_path


def _image(path: str) -> np.ndarray:
    return read_image(path).image


def test_a_fit_is_saved_and_used_again(folder: Path, capsys: Any) -> None:
    assert main(["denoise", "stack.tif", "-o", "a.tif", "--save-fit", "f.safetensors"]) == 0
    assert "f.safetensors: fitted to 4 image(s)" in capsys.readouterr().out
    fitted = load_fitted("f.safetensors")
    assert len(fitted.learned_from) == fits.MOST_IMAGES
    record = read_image("a.tif").provenance
    assert record is not None
    assert record["fitted"] == fitted.sha256
    assert [plane["iterations"] for plane in record["planes"]] == [0] * 6
    assert main(["denoise", "stack.tif", "-o", "b.tif", "--with-fit", "f.safetensors"]) == 0
    np.testing.assert_array_equal(_image("a.tif"), _image("b.tif"))
    again = repeat(record, _image("stack.tif"), fitted=fitted)
    np.testing.assert_array_equal(again.image, _image("a.tif"))
    # of one image, for a folder
    Path("many").mkdir()
    Path("one.tif").replace("many/one.tif")
    assert main(["denoise", "many", "-o", "out", "--with-fit", "f.safetensors"]) == 0
    np.testing.assert_array_equal(_image("out/one.tif"), _image("a.tif")[0])


def test_a_stack_is_fitted_once_or_each(folder: Path) -> None:
    for name, how in [("each", []), ("each2", ["--fit", "each"]), ("once", ["--fit", "once"])]:
        assert main(["denoise", "stack.tif", "-o", f"{name}.tif", *how]) == 0
    np.testing.assert_array_equal(_image("each.tif"), _image("each2.tif"))
    assert (_image("each.tif") != _image("once.tif")).any()
    # there is nothing to share
    assert main(["denoise", "one.tif", "-o", "o.tif", "--fit", "once"]) == 0
    assert "fitted" not in (read_image("o.tif").provenance or {})


def test_planes_without_data_are_no_example(folder: Path, capsys: Any) -> None:
    assert main(["denoise", "empty.tif", "-o", "a.tif", "--fit", "once"]) == 0
    assert capsys.readouterr().err.count("plane 0 has no data") == 1
    assert np.isfinite(_image("a.tif")[5]).all()


def test_an_interrupted_fit_writes_nothing(
    folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DenoisingRestorer, "fitting", interrupt)
    before = set(folder.iterdir())
    assert main(["denoise", "stack.tif", "-o", "a.tif", "--save-fit", "f.safetensors"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stack.tif", "--with-fit", "none.safetensors"], "no such file"),
        (["stack.tif", "--with-fit", "one.tif"], "is not a fitted network"),
        (["stack.tif", "--save-fit", "f.tif"], "must end with .safetensors"),
        (["stack.tif", "--save-fit", "none/f.safetensors"], "does not exist"),
        (["stack.tif", "--save-fit", "other.safetensors"], "use --overwrite"),
        ([".", "--save-fit", "f.safetensors"], "for one file"),
        (["stack.tif", "--preset", "paper", "--save-fit", "f.safetensors"], "only for Denoise"),
        (["colors.tif", "--with-fit", "f1.safetensors"], "fitted to planes with 1 channel"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_one_line(
    folder: Path, arguments: list[str], message: str, capsys: Any
) -> None:
    Path("other.safetensors").write_text("mine")
    if "f1.safetensors" in arguments:
        saved = ["-o", "b.tif", "--save-fit", "f1.safetensors"]
        assert main(["denoise", "one.tif", *saved]) == 0
    capsys.readouterr()
    assert main(["denoise", *arguments, "-o", "a.tif"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not Path("a.tif").exists()
    assert Path("other.safetensors").read_text() == "mine"


def test_other_tasks_have_no_such_option(folder: Path, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["super-resolve", "one.tif", "-o", "a.tif", "--factor", "2", "--fit", "once"])
    assert "--fit" in capsys.readouterr().err
