"""The documentation's snippets that need a window."""

from typing import Any

import numpy as np
import pytest

from tests.conftest import python_blocks
from tests.test_package import PAGES, ROOT


def _needs_a_window(page: str) -> bool:
    return any("napari.Viewer" in block for block in python_blocks(ROOT / page))


@pytest.mark.usefixtures("quick_presets", "user_folder", "_no_leftovers")
@pytest.mark.parametrize("page", [page for page in PAGES if _needs_a_window(page)])
def test_the_snippets_with_a_viewer_run(
    page: str, make_napari_viewer: Any, picture: np.ndarray, hole: np.ndarray, monkeypatch: Any
) -> None:
    monkeypatch.setattr("napari.Viewer", make_napari_viewer)
    names = {"noisy": picture, "image": picture, "small": picture, "holes": hole}
    names["print"] = lambda *_values: None
    exec(compile("\n".join(python_blocks(ROOT / page)), page, "exec"), names)
    run = names.get("run")
    assert run is None or run.layer.metadata["deep_image_prior"]["task"]["kind"] == run.task.kind
