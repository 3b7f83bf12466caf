"""The package as a whole: imports, layers, types, style, manifest, documentation."""

import doctest
import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from packaging.version import Version

import napari_deep_image_prior as dip
from napari_deep_image_prior.cli import main as cli
from tests.conftest import python_blocks

ROOT = Path(__file__).parent.parent
PAGES = [
    "README.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")),
]
SOURCE = ROOT / "src" / "napari_deep_image_prior"


def _run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_import_is_quick_and_loads_neither_napari_qt_nor_torch() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import napari_deep_image_prior as dip;"
        "print(time.perf_counter() - start);"
        "heavy = ('napari', 'qtpy', 'PyQt6', 'PySide6', 'torch', 'skimage');"
        "print([name for name in heavy if name in sys.modules]);"
        "dip.Denoise; print([name for name in ('napari', 'qtpy', 'torch') if name in sys.modules])"
    )
    lines = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert float(lines[0]) < 0.3
    assert lines[1] == lines[2] == "[]"


def test_every_public_name_is_there() -> None:
    for name in dip.__all__:
        assert getattr(dip, name).__doc__, f"{name} needs a docstring"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", dip.__version__)
    with pytest.raises(AttributeError, match="Nonsense"):
        dip.Nonsense  # noqa: B018


def test_imports_point_one_way() -> None:
    # not `python -m`: this module has no main block, and would pass whatever the imports are
    linted = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run(
        [sys.executable, "-c", linted], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.skipif(
    Version(version("torch")) < Version("2.13"),
    reason="the type stubs of older torch and numpy differ; the newest versions are checked",
)
def test_types_are_strict() -> None:
    _run("mypy")


def test_style_is_clean() -> None:
    _run("ruff", "check", ".")
    _run("ruff", "format", "--check", ".")


def test_the_manifest_is_valid() -> None:
    _run("npe2", "validate", "napari_deep_image_prior", "--imports")


@pytest.mark.parametrize(
    "name",
    [
        module.name
        for module in pkgutil.walk_packages([str(SOURCE)], "napari_deep_image_prior.")
        if "._napari" not in module.name and not module.ispkg
    ],
)
def test_examples_in_docstrings_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    failures, _ = doctest.testmod(importlib.import_module(name))
    assert failures == 0


@pytest.mark.usefixtures("quick_presets", "user_folder")
@pytest.mark.parametrize("page", PAGES)
def test_python_in_the_documentation_runs(page: str, picture: np.ndarray, hole: np.ndarray) -> None:
    names = {
        "noisy": picture,
        "image": picture,
        "holes": hole,
        "small": picture,
        "print": lambda *_values: None,
    }
    for code in python_blocks(ROOT / page):
        if "napari.Viewer" not in code:  # those run with a window in docs/test_viewer_examples.py
            exec(compile(code, page, "exec"), names)


@pytest.mark.parametrize("page", PAGES)
def test_command_lines_in_the_documentation_parse(page: str) -> None:
    for line in (ROOT / page).read_text().splitlines():
        if line.startswith("deep-image-prior "):
            cli._parser().parse_args(shlex.split(line, comments=True)[1:])


def test_the_documentation_builds_without_a_warning_and_has_every_public_name(
    tmp_path: Path,
) -> None:
    # without figures in the gallery: its examples run in tests/docs/test_examples.py
    without = ("-D", "plot_gallery=0")
    _run("sphinx", "-W", "--keep-going", "-q", "-b", "html", *without, "docs", str(tmp_path))
    reference = (tmp_path / "api.html").read_text()
    assert [
        name for name in dip.__all__ if f'id="napari_deep_image_prior.{name}"' not in reference
    ] == []


def test_pictures_in_the_documentation_are_small_and_used() -> None:
    text = "".join((ROOT / page).read_text() for page in PAGES)
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.name in text
        limit = 2_000_000 if picture.suffix == ".gif" else 250_000
        assert picture.stat().st_size < limit, f"{picture.name} is too large for the repository"


def test_modules_are_short() -> None:
    for path in SOURCE.rglob("*.py"):
        assert path.read_text().count("\n") <= 400, f"{path.name} is too long: split it"
