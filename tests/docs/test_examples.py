"""The examples of the gallery run and show a figure."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from tests.test_package import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.usefixtures("quick_presets")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_shows_a_figure(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    try:
        names = runpy.run_path(str(path))
        assert pyplot.get_fignums()
    finally:
        pyplot.close("all")
    if "again" in names:
        np.testing.assert_array_equal(names["again"].image, names["result"].image)
    if "missing" in names and "result" in names:
        known = ~names["missing"]
        np.testing.assert_array_equal(names["result"].image[known], names["damaged"][known])
    assert "False" not in capsys.readouterr().out
