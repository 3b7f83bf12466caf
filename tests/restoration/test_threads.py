"""CPU threads: one core is left free, and waiting threads sleep."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import napari_deep_image_prior as dip
from napari_deep_image_prior.restoration import threads
from tests.conftest import QUICK


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 1), (8, 7)])
def test_one_core_is_left_free(monkeypatch: pytest.MonkeyPatch, cores: int, expected: int) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: cores)
    monkeypatch.setattr("torch.get_num_threads", lambda: 64)
    assert threads.default_threads() == expected


def test_a_limit_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 8)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    assert threads.default_threads() == 2


def test_the_provenance_names_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    result = dip.restore(dip.Denoise(noisy), settings=dip.DeepImagePriorFit(iterations=1))
    assert result.provenance["threads"] == 1
    assert "1 thread" in result.provenance["device_name"]


@pytest.mark.parametrize(
    "start",
    [
        "import napari_deep_image_prior._napari.panels.history",
        "from napari_deep_image_prior.cli.main import main; main(['--version'])",
    ],
)
def test_threads_wait_passively_where_the_program_starts(start: str) -> None:
    code = (
        "import os\n"
        f"try: {start}\n"
        "except SystemExit: pass\n"
        "print(os.environ.get('OMP_WAIT_POLICY'))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split()[-1] == "PASSIVE"


@pytest.mark.parametrize("mode", ["no_grad", "inference_mode"])
def test_the_modes_of_the_caller_do_not_matter_and_remain(mode: str) -> None:
    def fitted() -> dip.Restoration:
        noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
        return dip.restore(dip.Denoise(noisy), settings=QUICK["denoise"], threads=1)

    expected = fitted().image
    before = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("medium")
    try:
        with getattr(torch, mode)():
            assert np.array_equal(fitted().image, expected)
            assert not torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_default_dtype(before[0])
        torch.set_float32_matmul_precision(before[1])
