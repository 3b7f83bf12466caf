"""The notebooks of the documentation are run, as by Restart and Run All."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_package import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def _code(path: Path) -> list[str]:
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_has_no_stored_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.usefixtures("quick_presets")
def test_the_session_runs_and_shows_what_it_claims(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for number, code in enumerate(_code(ROOT / "docs" / "notebooks" / "session.ipynb")):
        exec(compile(code, f"session.ipynb, code cell {number}", "exec"), names)
    assert names["after"].psnr > names["before"].psnr + 3
    assert names["gained"] > names["lost"] + 3
    np.testing.assert_array_equal(names["again"].image, names["result"].image)
    known = ~names["missing"]
    np.testing.assert_array_equal(names["filled"].image[known], names["damaged"][known])
    assert "photon noise" in capsys.readouterr().out


def test_the_notebooks_are_in_the_documentation() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    for path in NOTEBOOKS:
        assert f"notebooks/{path.stem}" in index
