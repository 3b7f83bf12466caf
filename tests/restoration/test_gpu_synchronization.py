"""The loop does not wait for a GPU: a step reads no value from it.

No GPU is needed: the test intercepts the torch operations that hand a number to Python, on
tensors of the kinds that are on the device. Random positions are integers, drawn on the CPU
whatever the device.
"""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import napari_deep_image_prior as dip
from napari_deep_image_prior.fitting.loop import Fit
from napari_deep_image_prior.fitting.recovery import CHECK_EVERY
from napari_deep_image_prior.methods import biharmonic as filling
from napari_deep_image_prior.methods.registry import method_of
from napari_deep_image_prior.patches.estimates import nonlocal_estimates
from napari_deep_image_prior.patches.nl_ridge import HALVINGS
from tests.conftest import QUICK

WAITING = {"aten._local_scalar_dense.default", "aten.nonzero.default", "aten.is_nonzero.default"}
PRIOR = dip.DeepImagePriorFit(
    dip.HourglassNetwork(widths=(4, 4), skips=(2, 2)), iterations=40, input_depth=3, averaging=0.9
)


class Watch(TorchDispatchMode):
    """Counts the operations that would wait for a GPU."""

    is_stepping = False

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if str(function) in WAITING and args[0].dtype != torch.int64 and not self.is_stepping:
            self.waits += 1
        return function(*args, **(kwargs or {}))


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Fit.__init__

    def begin(self: Fit, *args: Any, **kwargs: Any) -> None:
        begun(self, *args, **kwargs)
        self._on_cpu = False

    stepped = torch.optim.Adam.step

    def step(self: torch.optim.Adam) -> None:
        Watch.is_stepping = True  # Adam counts its steps on the CPU, whatever the device
        stepped(self)
        Watch.is_stepping = False

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    monkeypatch.setattr(Fit, "__init__", begin)
    monkeypatch.setattr(filling, "_is_free_to_read", lambda _answer: False)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [*QUICK.items(), ("denoise", PRIOR), ("inpaint", PRIOR), ("super-resolve", PRIOR)],
)
@pytest.mark.usefixtures("as_on_a_gpu")
def test_steps_between_two_checks_do_not_wait_for_the_gpu(
    kind: str, settings: dip.Settings, picture: np.ndarray
) -> None:
    task: Any = {
        "denoise": lambda: dip.Denoise(picture, noise_std=5),
        "inpaint": lambda: dip.Inpaint(
            picture, missing=np.random.default_rng(0).random(picture.shape) < 0.5
        ),
        "super-resolve": lambda: dip.SuperResolve(picture, factor=2),
    }[kind]()
    served_by = method_of(task.kind).restorer(settings)
    restorer = served_by.for_task(task, settings, torch.device("cpu"), 0)
    steps = restorer.steps()
    for step in steps:
        if step.misfit is not None:  # the fit has started and checked its first step
            break
    with Watch() as watch:
        list(itertools.islice(steps, CHECK_EVERY - 2))
        assert watch.waits == 0
        next(steps)
    assert watch.waits == 1, "the check at every tenth step is counted"


def test_the_first_estimate_of_denoising_does_not_wait_for_the_gpu() -> None:
    noisy = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (2, 1, 40, 33))).float()
    with Watch() as watch:
        list(nonlocal_estimates(noisy, 1.0, torch.ones_like(noisy), torch.ones(HALVINGS, 2)))
    assert watch.waits == 0


@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_a_fill_is_the_same_whether_or_not_it_reads_from_the_device(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    observed = torch.from_numpy(random.random((2, 1, 30, 21))).float()
    known = torch.from_numpy(random.random((2, 1, 30, 21)) > share).float()
    looked = filling.biharmonic_fill(observed, known, 3)
    monkeypatch.setattr(filling, "_is_free_to_read", lambda _answer: False)
    torch.testing.assert_close(filling.biharmonic_fill(observed, known, 3), looked)
