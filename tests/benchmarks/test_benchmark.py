"""benchmarks/benchmark.py, on tiny pictures under the names of its images."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import napari_deep_image_prior as dip
from napari_deep_image_prior.io.files import write_image
from napari_deep_image_prior.io.image_file import ImageFile
from tests.conftest import psnr, use_settings

pytestmark = pytest.mark.usefixtures("quick_presets")
WIDER = dip.CompactNetwork(widths=(12,))
GRAY_SUITES = ("denoise-25", "inpaint-50")


@pytest.fixture
def benchmark_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    folder = Path(__file__).parents[2] / "benchmarks"
    if not folder.exists():
        pytest.skip("the benchmarks are in the repository only")
    monkeypatch.syspath_prepend(str(folder))
    import benchmark

    # in this process, which has the quick presets
    monkeypatch.setattr(benchmark, "in_child", benchmark.measure)
    return benchmark


def _gray(size: int = 48) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return (120 + 60 * np.sin(x / 5) + 60 * (y > 20)).astype(np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    color = np.dstack([_gray(), 255 - _gray(), np.full_like(_gray(), 90)])
    raw = np.random.default_rng(0).poisson(_gray()).clip(0, 255).astype(np.uint8)
    for path, image in (
        ("inpainting11/house.png", _gray()),
        ("inpainting11/peppers.png", _gray()[::-1]),
        ("denoising9/house.png", color),
        ("set5/butterfly.png", color),
        ("microscopy/fmd_confocal_mice_raw.tif", raw),
        ("microscopy/fmd_confocal_mice_gt.tif", _gray()),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / path, ImageFile(image, 2 if image.ndim == 3 else None))
    return folder


@pytest.fixture
def command(benchmark_module: ModuleType, data: Path, tmp_path: Path) -> Callable[..., int]:
    def call(*more: str) -> int:
        where = ["--data", str(data), "--output", str(tmp_path / "out"), "--device", "cpu"]
        return benchmark_module.main([*where, *more])

    return call


def _records(tmp_path: Path) -> list[dict[str, Any]]:
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def test_the_table_agrees_with_the_psnr_of_the_same_fit(
    tmp_path: Path, command: Callable[..., int]
) -> None:
    assert (
        command("--tables", "quality", "--only", *GRAY_SUITES, "--methods", "fast", "biharmonic")
        == 0
    )
    text = (tmp_path / "out" / "benchmark.md").read_text()
    truth = _gray() / 255
    missing = np.random.default_rng(0).random(truth.shape) < 0.5
    tasks = {
        "denoise-25": dip.Denoise(
            truth + np.random.default_rng(0).normal(0, 25 / 255, truth.shape)
        ),
        "inpaint-50": dip.Inpaint(np.where(missing, 0, truth), missing=missing),
    }
    for suite, task in tasks.items():
        expected = psnr(dip.restore(task, seed=0, device="cpu").image, truth)
        found = {
            r["image"]: r
            for r in _records(tmp_path)
            if (r["suite"], r["method"]) == (suite, "fast")
        }
        assert found["house"]["psnr"] == pytest.approx(expected, abs=2e-3)
        mean = np.mean([record["psnr"] for record in found.values()])
        assert any(f"| fast | 2 of 4 | {mean:.2f} |" in line for line in text.splitlines())
    assert "some images only" in text, "the targets apply to all images"
    assert (tmp_path / "out" / "psnr-time.png").stat().st_size > 0


def test_every_suite_and_method_is_measured(
    tmp_path: Path, command: Callable[..., int], capsys: Any
) -> None:
    suites = ("denoise-color", "microscopy", "super-resolve")
    chosen = ("NLM", "wavelet", "TV", "bicubic", "start of fast", "fast")
    assert (
        command(
            "--tables", "quality", "--only", *suites, "--methods", *chosen, "--set", "iterations=10"
        )
        == 0
    )
    records = _records(tmp_path)
    assert {(record["suite"], record["method"]) for record in records} == {
        *((suite, name) for suite in suites[:2] for name in ("NLM", "wavelet", "TV")),
        ("super-resolve", "bicubic"),
        *((suite, name) for suite in suites for name in ("start of fast", "fast, iterations=10")),
    }
    assert all(record["memory"] > 50 and -1 <= record["ssim"] <= 1 for record in records)
    text = capsys.readouterr().out
    for record in (record for record in records if record["method"].startswith("fast,")):
        start = next(
            r for r in records if (r["suite"], r["method"]) == (record["suite"], "start of fast")
        )
        assert f"| {record['psnr']:.2f} | " in text
        assert f"{record['psnr'] - start['psnr']:+.2f} |" in text, (
            "the table of the comparison with the classical estimates"
        )


@pytest.mark.parametrize(
    ("suite", "kind", "wider"),
    [
        ("inpaint-50", "inpaint", dip.InpaintingFit(WIDER, crop=32)),
        ("denoise-25", "denoise", dip.DenoisingFit(WIDER, crop=32, draws=1)),
    ],
)
def test_the_start_of_a_fit_is_the_estimate_before_training(
    suite: str,
    kind: str,
    wider: dip.Settings,
    benchmark_module: ModuleType,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = benchmark_module.Job("quality", suite, "house", "start of fast", 0)
    conditions = benchmark_module.Conditions(data, "cpu", None)
    use_settings(monkeypatch, kind, wider)
    start = benchmark_module.measure(job, conditions)
    assert start["iterations"] == 1, "all that precedes the fit is done"
    use_settings(monkeypatch, kind, replace(wider, network=dip.CompactNetwork(widths=(8,))))
    assert benchmark_module.measure(job, conditions)["psnr"] == start["psnr"]


def test_finished_measurements_are_not_repeated(
    tmp_path: Path,
    benchmark_module: ModuleType,
    command: Callable[..., int],
    monkeypatch: Any,
    capsys: Any,
) -> None:
    asked = (
        "--tables",
        "quality",
        "noise",
        "--only",
        "inpaint-50",
        "sigma-25",
        "--methods",
        "biharmonic",
    )
    assert command(*asked) == 0
    path = tmp_path / "out" / "results.jsonl"
    table = (tmp_path / "out" / "benchmark.md").read_text()
    whole = path.read_text().splitlines()
    assert len(whole) == 1 + 4

    path.write_text("\n".join(whole)[:-20])  # interrupted while the last line was written
    measured = []
    measure = benchmark_module.measure
    monkeypatch.setattr(
        benchmark_module,
        "in_child",
        lambda job, where: measured.append(job.image) or measure(job, where),
    )
    monkeypatch.setattr(benchmark_module, "measure", lambda *_: pytest.fail("measured again"))
    assert command(*asked) == 0
    assert measured == ["peppers"]
    assert "3 of 4 measurements are already done" in capsys.readouterr().err
    again = path.read_text().splitlines()
    assert again[:4] == whole[:4]
    assert json.loads(again[4])["psnr"] == json.loads(whole[4])["psnr"]
    assert (
        table.splitlines()[2:5] == (tmp_path / "out" / "benchmark.md").read_text().splitlines()[2:5]
    )


def test_different_conditions_need_another_folder(
    command: Callable[..., int], capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    asked = ("--tables", "noise", "--only", "sigma-25", "--images", "house")
    assert command(*asked, "--threads", "1") == 0
    with pytest.raises(SystemExit, match="2"):
        command(*asked, "--threads", "2")
    assert "use another --output" in capsys.readouterr().err


def test_the_time_of_the_published_method_is_that_of_all_its_iterations(
    tmp_path: Path, command: Callable[..., int], monkeypatch: Any
) -> None:
    few = dip.DeepImagePriorFit(dip.HourglassNetwork(widths=(4,), skips=(0,)), iterations=10**6)
    use_settings(monkeypatch, "inpaint", few, "paper")
    asked = (
        "--tables",
        "quality",
        "--only",
        "inpaint-50",
        "--images",
        "house",
        "--methods",
        "paper time",
        "fast",
    )
    assert command(*asked) == 0
    paper, fast = _records(tmp_path)
    assert 10**6 * 1e-4 < paper["seconds"] < 10**6
    text = (tmp_path / "out" / "benchmark.md").read_text()
    assert f"| 1/{paper['seconds'] / fast['seconds']:.0f} |" in text


def test_regret_is_the_best_iterate_minus_the_result(
    tmp_path: Path, command: Callable[..., int]
) -> None:
    assert (
        command(
            "--tables",
            "regret",
            "--only",
            "inpaint-80",
            "--images",
            "house",
            "--set",
            "iterations=60",
        )
        == 0
    )
    (record,) = _records(tmp_path)
    assert record["best"] >= record["last"]
    assert record["best_at"] in (20, 40)
    text = (tmp_path / "out" / "benchmark.md").read_text()
    assert f"| {record['best'] - record['psnr']:+.2f} |" in text


def test_a_measurement_in_its_own_process_is_the_same(
    benchmark_module: ModuleType, data: Path
) -> None:
    bench_measure = sys.modules["bench_measure"]
    job = benchmark_module.Job("quality", "inpaint-50", "house", "biharmonic", 0)
    conditions = benchmark_module.Conditions(data, "cpu", None)
    here, there = (
        measure(job, conditions) for measure in (bench_measure.measure, bench_measure.in_child)
    )
    assert here["psnr"] == there["psnr"]
    assert 50 < there["memory"] <= here["memory"], "this process uses more memory"


def test_the_noise_table_holds_the_estimate(tmp_path: Path, command: Callable[..., int]) -> None:
    assert command("--tables", "noise", "--only", "sigma-50", "counts-10", "--images", "house") == 0
    gaussian, photon = _records(tmp_path)
    assert gaussian["true"] == 50
    clean = 10 * (_gray() / _gray().max())
    assert photon["true"] == pytest.approx(np.sqrt(clean.mean()), abs=1e-3)
    text = (tmp_path / "out" / "benchmark.md").read_text()
    assert f"| house |  |  |  | {gaussian['estimate']:.1f} |" in text
    assert f"| house |  |  | {photon['estimate'] / photon['true']:.2f}" in text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--set", "nonsense=1"), "nonsense"),
        (("--images", "nobody"), "nothing to measure"),
    ],
)
def test_invalid_requests_are_reported_before_the_work(
    more: tuple[str, ...], message: str, command: Callable[..., int], capsys: Any
) -> None:
    with pytest.raises(SystemExit, match="2"):
        command("--tables", "quality", *more)
    assert message in capsys.readouterr().err
