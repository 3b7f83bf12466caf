"""deep-image-prior reproduce, on tiny pictures under the names of the published ones."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_deep_image_prior.cli.main import main
from napari_deep_image_prior.io.files import read_image, write_image
from napari_deep_image_prior.io.image_file import ImageFile
from napari_deep_image_prior.reproduction import measuring, published_run, run
from napari_deep_image_prior.reproduction.examples import EXAMPLES
from napari_deep_image_prior.reproduction.measuring import read_figure
from napari_deep_image_prior.reproduction.plans import Request, plan
from napari_deep_image_prior.reproduction.published import EXPERIMENTS, TABLES
from tests.conftest import psnr

pytestmark = pytest.mark.usefixtures("quick_presets")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    y, x = np.mgrid[:48, :50]
    gray = (120 + 60 * np.sin(x / 5) + 60 * (y > 20)).astype(np.uint8)
    color = np.dstack([gray, 255 - gray, np.full_like(gray, 90)])
    for path, image in (
        ("inpainting11/house.png", gray),
        ("inpainting11/boat.png", gray[::-1, :40]),
        ("denoising9/house.png", color),
        ("set5/butterfly.png", color),
        ("set14/bridge.png", gray),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / path, ImageFile(image, 2 if image.ndim == 3 else None))
    return folder


@pytest.fixture
def reproduce(images: Path, tmp_path: Path) -> Callable[..., int]:
    def call(experiment: str, *more: str) -> int:
        where = ["--images", str(images), "--output", str(tmp_path / "out")]
        return main(
            ["reproduce", experiment, *where, "--iterations", "4", "--device", "cpu", *more]
        )

    return call


def _luma(image: np.ndarray) -> np.ndarray:
    if image.ndim == 2:
        image = np.dstack([image] * 3)
    y = 16 + 65.481 * image[..., 0] + 128.553 * image[..., 1] + 24.966 * image[..., 2]
    return y[4:-4, 4:-4] / 255


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_tables_agree_with_the_psnr_of_the_written_images(
    experiment: str, images: Path, tmp_path: Path, reproduce: Callable[..., int], capsys: Any
) -> None:
    assert reproduce(experiment, "--preset", "fast", "paper") == 0
    text = (tmp_path / "out" / f"{experiment}.md").read_text()
    paths = sorted((tmp_path / "out").glob("*/*.json"))
    assert paths
    for path in paths:
        figure = json.loads(path.read_text())
        table = TABLES[figure["table"]]
        truth = read_image(images / table.folder / f"{figure['image']}.png").image / 255
        file = read_image(path.with_suffix(".tif"))
        restored = (
            file.image
            if file.channel_axis is None
            else np.moveaxis(file.image, file.channel_axis, -1)
        )
        if table.kind == "super-resolve":
            truth = truth[8:40, 9:41]  # the middle 32x32 of 48x50
            expected = psnr(_luma(np.clip(restored, 0, 1)), _luma(truth))
        else:
            expected = psnr(restored, truth)
        assert restored.shape == truth.shape
        *_, final = figure["psnr"].values()
        if "known pixels kept" in figure["psnr"]:
            missing = np.random.default_rng(0).random(truth.shape) < 0.5
            expected = psnr(np.where(missing, restored, truth), truth)
        assert final == pytest.approx(expected, abs=1e-3)
        short = ", SHORTENED to 4 of" if figure["method"] == "paper" else ""
        final_name = list(figure["psnr"])[-1]
        label = (
            f"ours, {figure['method']}" if figure["settings"] else f"{figure['method']} (run here)"
        )
        reading = "" if final_name == "restored" else f", {final_name}"
        section = text.split(f"## {table.title}\n")[1].split("\n## ")[0]
        (row,) = [
            line for line in section.splitlines() if line.startswith(f"| {label}{reading}{short}")
        ][:1]
        cells = row.split(" | ")
        assert cells[1 + table.images.index(figure["image"])] == f"{final:.2f}", (path.name, row)
        assert figure["seed"] == 0
        assert "cpu" in figure["device"]
        assert figure["versions"]["torch"]
        if figure["method"] == "paper":
            assert figure["curve"][-1][0] == figure["iterations"] == 4
    assert "ours, best |" in text
    assert _rows(text, "ours, best")[0].count(" - ") == len(EXPERIMENTS[experiment][0].images)
    assert "not measured" in _rows(text, "ours, best")[0]
    assert "cannot be compared" in text, "the pictures are not of the published size"
    assert "so not measured" in capsys.readouterr().err


def _rows(text: str, label: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"| {label}")]


def test_the_published_denoising_has_three_readings(
    tmp_path: Path, reproduce: Callable[..., int]
) -> None:
    assert reproduce("denoising", "--preset", "paper") == 0
    text = (tmp_path / "out" / "denoising.md").read_text()
    figure = json.loads((tmp_path / "out" / "denoising" / "house-paper-4.json").read_text())
    assert list(figure["psnr"]) == ["last iterate", "moving average", "two runs averaged"]
    assert figure["curve"][-1][1:] == pytest.approx(
        [figure["psnr"]["last iterate"], figure["psnr"]["moving average"]], abs=1e-3
    )
    for reading in figure["psnr"]:
        assert f"ours, paper, {reading}, SHORTENED to 4 of 1800 iterations" in text


def test_an_interrupted_run_continues_where_it_stopped(
    tmp_path: Path, images: Path, reproduce: Callable[..., int], monkeypatch: Any, capsys: Any
) -> None:
    asked = ("denoising", "--preset", "paper")
    assert reproduce(*asked) == 0
    path = tmp_path / "out" / "denoising" / "house-paper-4.json"
    unbroken = json.loads(path.read_text())
    path.unlink()

    measured = measuring.measure

    def broken_off(*arguments: Any) -> Any:
        def report(step: int, *_: Any) -> None:
            if step == 6:
                raise KeyboardInterrupt

        return measured(*arguments[:-1], report)

    monkeypatch.setattr(run, "measure", broken_off)
    assert reproduce(*asked) == 130
    assert capsys.readouterr().err.endswith("interrupted; run the same command to continue.\n")
    assert path.with_suffix(".part").exists()
    assert not path.exists()

    steps = []
    monkeypatch.setattr(
        run,
        "measure",
        lambda *arguments: measured(*arguments[:-1], lambda step, *_: steps.append(step)),
    )
    assert reproduce(*asked) == 0
    assert steps == [7, 8], "the first steps are not repeated"
    again = json.loads(path.read_text())
    assert again["psnr"] == unbroken["psnr"]
    assert again["curve"] == unbroken["curve"]
    assert not path.with_suffix(".part").exists()


def test_finished_measurements_are_not_repeated(
    tmp_path: Path, reproduce: Callable[..., int], monkeypatch: Any, capsys: Any
) -> None:
    asked = ("inpainting", "--preset", "fast", "--only", "house")
    assert reproduce(*asked) == 0
    table = (tmp_path / "out" / "inpainting.md").read_text()
    monkeypatch.setattr(run, "measure", lambda *_: pytest.fail("measured again"))
    assert reproduce(*asked) == 0
    assert "4 of 4 figures are done; see" in capsys.readouterr().out
    assert (tmp_path / "out" / "inpainting.md").read_text() == table


def test_the_switches_make_separate_rows(tmp_path: Path, reproduce: Callable[..., int]) -> None:
    for switches in ("2017", "today"):
        asked = ("--only", "butterfly", "set5-x4", "--preset", "paper", "--switches", switches)
        assert reproduce("super-resolution", *asked) == 0
    then, now = (
        json.loads((tmp_path / "out" / "set5-x4" / f"butterfly-paper{name}-4.json").read_text())
        for name in ("", "-today")
    )
    assert (
        then["settings"]["network"]["align_corners"],
        then["settings"]["network"]["norm_gain"],
    ) == (True, "uniform")
    assert (
        now["settings"]["network"]["align_corners"],
        now["settings"]["network"]["norm_gain"],
    ) == (False, "ones")
    text = (tmp_path / "out" / "super-resolution.md").read_text()
    assert len(_rows(text, "ours, paper, SHORTENED")) == 2, "in the table and in its conditions"
    assert len(_rows(text, "ours, paper, today's switches, SHORTENED")) == 2
    assert not list((tmp_path / "out" / "set14-x4").glob("*")), "only Set5 was requested"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--only", "nonsense"), "choose from"),
        (("--only", "hill"), "has none of the images inpainting11/hill.png"),
        (("--iterations", "0"), "--iterations 0"),
        (("--images", "nowhere"), "is not a folder"),
        (("--threads", "0"), "--threads 0"),
        (("--device", "cuda:7"), "is not available"),
    ],
)
def test_invalid_requests_are_reported_in_one_line(
    more: tuple[str, ...], message: str, reproduce: Callable[..., int], capsys: Any
) -> None:
    assert reproduce("inpainting", *more) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_an_unavailable_baseline_does_not_affect_the_others(
    tmp_path: Path, reproduce: Callable[..., int], monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "sporco.util", None)
    assert reproduce("inpainting", "--preset", "fast", "--only", "house") == 1
    assert "convolutional sparse coding" in capsys.readouterr().err
    text = (tmp_path / "out" / "inpainting.md").read_text()
    assert "not measured" in _rows(text, "convolutional sparse coding (run here)")[0]
    assert "not measured" not in _rows(text, "ours, fast")[0]


def test_more_iterations_than_published_are_limited_to_the_published_number(
    tmp_path: Path, reproduce: Callable[..., int]
) -> None:
    request = Request(
        "inpainting", tmp_path / "images", tmp_path, ("house",), ("paper",), iterations=11001
    )
    (job,) = [job for job in plan(request)[0] if job.method == "paper"]
    assert job.settings.iterations == 11000
    assert job.path.name == "house-paper.json"


def test_an_image_of_another_kind_is_refused_with_its_file(
    tmp_path: Path, images: Path, reproduce: Callable[..., int], capsys: Any
) -> None:
    color = read_image(images / "denoising9" / "house.png")
    write_image(images / "inpainting11" / "house.png", color)
    assert reproduce("inpainting", "--preset", "fast", "--only", "house") == 1
    assert "house.png: must be an 8-bit gray picture" in capsys.readouterr().err


def test_a_figure_made_with_other_settings_is_not_reused(
    tmp_path: Path, reproduce: Callable[..., int], capsys: Any
) -> None:
    asked = ("inpainting", "--preset", "fast", "--only", "house")
    assert reproduce(*asked) == 0
    path = tmp_path / "out" / "inpainting" / "house-fast.json"
    path.write_text(path.read_text().replace('"iterations": 40', '"iterations": 41'))
    assert reproduce(*asked) == 2
    assert "other settings" in capsys.readouterr().err


@pytest.mark.parametrize("spoil", ["torn", "foreign"])
def test_a_checkpoint_that_does_not_fit_is_reported_and_kept(
    spoil: str,
    tmp_path: Path,
    images: Path,
    reproduce: Callable[..., int],
    monkeypatch: Any,
    capsys: Any,
) -> None:
    asked = ("denoising", "--preset", "paper")
    monkeypatch.setattr(
        published_run.PublishedRun,
        "_record_psnr",
        lambda _self: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    assert reproduce(*asked) == 130
    monkeypatch.undo()
    part = tmp_path / "out" / "denoising" / "house-paper-4.part"
    if spoil == "torn":
        part.write_bytes(part.read_bytes()[:1000])
    else:
        image = read_image(images / "denoising9" / "house.png")
        write_image(images / "denoising9" / "house.png", ImageFile(255 - image.image, 2))
    assert reproduce(*asked) == 1
    assert "delete it to start over" in capsys.readouterr().err
    assert part.exists()


def test_a_full_disk_does_not_end_a_fit(
    tmp_path: Path, reproduce: Callable[..., int], monkeypatch: Any, capsys: Any
) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError("no space left")

    monkeypatch.setattr(published_run, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(published_run.torch, "save", full)
    assert reproduce("denoising", "--preset", "paper") == 0
    assert "the fit continues" in capsys.readouterr().err
    assert (tmp_path / "out" / "denoising" / "house-paper-4.json").exists()


def test_a_file_that_is_no_figure_is_reported(
    tmp_path: Path, reproduce: Callable[..., int], capsys: Any
) -> None:
    path = tmp_path / "out" / "inpainting" / "house-biharmonic.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert reproduce("inpainting", "--preset", "fast", "--only", "house") == 2
    assert "delete it to measure it again" in capsys.readouterr().err


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.key)
def test_the_published_means_are_those_of_the_published_figures(table: Any) -> None:
    for row in table.rows:
        if row.psnr:
            assert len(row.psnr) == len(table.images)
            assert row.mean == pytest.approx(fmean(row.psnr), abs=0.011)


def test_all_measures_every_table_whose_images_are_present(
    tmp_path: Path, images: Path, reproduce: Callable[..., int], capsys: Any
) -> None:
    for path in (images / "denoising9").iterdir():
        path.unlink()
    assert reproduce("all", "--preset", "fast") == 1, "two experiments have no images"
    assert "denoising: " in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").glob("*.md")} == {
        "inpainting.md",
        "super-resolution.md",
    }


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """Small pictures under the names of the published ones."""
    folder = tmp_path / "images"
    random = np.random.default_rng(0)
    for name in ("kate", "library", "vase"):
        write_image(_made(folder / "inpainting" / f"{name}.png"), ImageFile(_colorful(random), 2))
        mask = np.full((64, 72), 255, np.uint8)
        mask[20:30, 30:40] = 0
        write_image(folder / "inpainting" / f"{name}_mask.png", ImageFile(mask))
    write_image(_made(folder / "restoration" / "kate.png"), ImageFile(_colorful(random), 2))
    Image.fromarray(_colorful(random)).save(_made(folder / "denoising" / "snail.jpg"))
    return folder


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _colorful(random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 256, (64, 72, 3), dtype=np.uint8)


def test_the_pictures_are_placed_side_by_side(examples: Path, tmp_path: Path) -> None:
    where = ["--images", str(examples), "--output", str(tmp_path / "out"), "--device", "cpu"]
    assert (
        main(["reproduce", "pictures", *where, "--iterations", "2", "--preset", "fast", "paper"])
        == 0
    )
    text = (tmp_path / "out" / "pictures.md").read_text()
    for example in EXAMPLES.values():
        figures = [
            read_figure(path)
            for path in (tmp_path / "out" / "pictures").glob(f"{example.key}-*.json")
        ]
        assert len(figures) == 2 + len(example.variants)
        assert all(bool(figure.psnr) == example.has_truth for figure in figures)
        assert f"](pictures/{example.key}.png)" in text
        picture = read_image(tmp_path / "out" / "pictures" / f"{example.key}.png").image
        assert picture.shape == (64, 72 * (1 + len(figures)) + 8 * len(figures), 3)
    assert "ours, paper, U-Net, SHORTENED to 2 of 3001 iterations" in text
    given = read_image(tmp_path / "out" / "pictures" / "vase.png").image[:, :72]
    assert (given[20:30, 30:40] == 0).all(), "the hole is shown as in the input"


def test_the_page_agrees_with_its_json() -> None:
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location(
        "reproduction", root / "benchmarks" / "reproduction.py"
    )
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    document = (root / "docs" / "reproduction.md").read_text()
    for key in (*TABLES, "pictures"):
        assert f"<!-- {key} -->" in document
    assert script.inserted(document) == document, "run: python benchmarks/reproduction.py tables"
