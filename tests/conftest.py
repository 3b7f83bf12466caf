from collections.abc import Iterator

import numpy as np
import pytest

from napari_deep_image_prior import settings
from napari_deep_image_prior.settings import CrossScaleFit, GuidedFit, LeanSettings, MaskedFit

TINY = LeanSettings(widths=(8,), depth=0)
QUICK = {
    "denoise": GuidedFit(TINY, iterations=40, crop=16, batch=2, draws=1, region=24),
    "inpaint": MaskedFit(TINY, iterations=40, crop=16, batch=2),
    "super-resolve": CrossScaleFit(TINY, iterations=40, crop=16, batch=2),
}
ENDLESS = {kind: type(quick)(TINY, iterations=10**6, patience=10**6, crop=16, batch=2) for kind, quick in QUICK.items()}


@pytest.fixture
def quick_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the preset fast take a second: what is tested with it does not depend on quality."""
    for kind, quick in QUICK.items():
        monkeypatch.setitem(settings._FAST, kind, quick)


@pytest.fixture
def endless_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the preset fast go on until it is told to end."""
    for kind, endless in ENDLESS.items():
        monkeypatch.setitem(settings._FAST, kind, endless)


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
    from napari_deep_image_prior._napari import run, spread

    yield
    left = [*run._active, *spread._active]
    run._active.clear()
    spread._active.clear()
    assert not left, f"{len(left)} restorations are still running"
