import gc
import os
import re
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_deep_image_prior import (
    CompactNetwork,
    DenoisingFit,
    InpaintingFit,
    Settings,
    SuperResolutionFit,
)
from napari_deep_image_prior.cli import main as cli
from napari_deep_image_prior.methods import registry

# set before napari reads it: the tests neither read nor change the user's settings
os.environ["NAPARI_CONFIG"] = str(
    Path(tempfile.mkdtemp(prefix="napari-settings-")) / "settings.yaml"
)
TINY = CompactNetwork(widths=(8,), depth=0)
QUICK = {
    "denoise": DenoisingFit(TINY, iterations=40, crop=16, batch=2, draws=1, region=24, trial=10**6),
    "inpaint": InpaintingFit(TINY, iterations=40, crop=16, batch=2),
    "super-resolve": SuperResolutionFit(TINY, iterations=40, crop=16, batch=2),
}
ENDLESS = {kind: replace(quick, iterations=10**6, patience=10**6) for kind, quick in QUICK.items()}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a display: `pytest -m "not gui"` runs the rest without one."""
    for item in items:
        if {"make_napari_viewer", "qtbot", "qapp"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.gui)


def pytest_collection_finish() -> None:
    """Exempt the imports from garbage collection: napari collects whenever a layer is removed."""
    gc.collect()
    gc.freeze()


def python_blocks(page: Path) -> list[str]:
    """Return the Python examples of a page of the documentation."""
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks]


def psnr(restored: np.ndarray, truth: np.ndarray) -> float:
    """Return the PSNR in dB of intensities 0..1, clipped to them."""
    return float(10 * np.log10(1 / np.mean((np.clip(restored.astype(float), 0, 1) - truth) ** 2)))


def use_settings(
    monkeypatch: pytest.MonkeyPatch, kind: str, settings: Settings, preset: str = "fast"
) -> None:
    """Replace the settings of a preset of a task."""
    method = registry.method_of(kind)
    changed = replace(method, presets={**method.presets, preset: settings})
    monkeypatch.setitem(registry._METHODS, kind, changed)


@pytest.fixture
def user_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: np.ndarray, quick_presets: None
) -> None:
    """Work in a folder with the files that the documentation's examples read."""
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("raw.tif", picture.astype(np.uint16))
    assert cli.main(["denoise", "raw.tif", "-o", "clean.tif"]) == 0


@pytest.fixture
def quick_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the preset fast take a second, for tests that do not depend on quality."""
    for kind, quick in QUICK.items():
        use_settings(monkeypatch, kind, quick)


@pytest.fixture
def endless_presets(monkeypatch: pytest.MonkeyPatch, quick_presets: None) -> None:
    """Make the preset fast run until it is stopped, even where a module asks for quick presets."""
    for kind, endless in ENDLESS.items():
        use_settings(monkeypatch, kind, endless)


@pytest.fixture
def picture() -> np.ndarray:
    """A small smooth picture with an edge, uint8 values as float."""
    y, x = np.mgrid[:24, :28]
    return 100 + 50 * np.sin(x / 4) + 40 * (y > 11)


@pytest.fixture
def hole() -> np.ndarray:
    missing = np.random.default_rng(1).random((24, 28)) < 0.2
    missing[10:14, 5:9] = True
    return missing


@pytest.fixture
def _no_leftovers() -> Iterator[None]:
    """Fail a test that leaves a restoration running."""
    from napari_deep_image_prior._napari.jobs.queue import Queue
    from napari_deep_image_prior._napari.viewer.state import all_states

    yield
    queues = [state.part(Queue) for state in all_states()]
    left = [
        job
        for queue in queues
        for job in {*queue.jobs, *queue.occupants, *queue.at_work}
        if job.is_active
    ]
    for queue in queues:
        queue.jobs.clear()
    assert not left, f"{len(left)} restorations are still running"
