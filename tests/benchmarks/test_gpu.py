import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_all_presets_are_timed_and_agree_with_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    output = tmp_path / "gpu.json"
    arguments = ["--device", "cpu", "--sizes", "32", "--steps", "2", "--output", str(output)]
    assert gpu.main(arguments) == 0
    report = json.loads(output.read_text())
    assert len(report["measurements"]) == 9
    for one in report["measurements"]:
        assert 0 < one["step"] < one["whole"]
    assert set(report["largest difference to the CPU"].values()) == {0.0}
    printed = capsys.readouterr().out
    assert printed.count("| 32 |") == 9
    assert gpu.main([*arguments, "--limit", "0"]) == 0
    assert "left out for lack of time: denoise fast 32" in capsys.readouterr().out
    del sys.modules["gpu"]
