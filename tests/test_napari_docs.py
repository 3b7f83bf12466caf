"""The README's snippets that need a window."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.usefixtures("quick_presets", "_no_leftovers")
def test_the_snippet_with_a_viewer_runs(make_napari_viewer: Any, picture: np.ndarray, monkeypatch: Any) -> None:
    viewer = make_napari_viewer()
    monkeypatch.setattr("napari.Viewer", lambda: viewer)
    code = "\n".join(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
    names = {"noisy": picture, "image": picture, "small": picture, "holes": picture > 180}
    exec(compile(code, str(README), "exec"), names)
    assert viewer.layers["cells denoised"].metadata["deep_image_prior"]["task"]["kind"] == "denoise"
