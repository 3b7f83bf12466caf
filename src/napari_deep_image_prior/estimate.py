"""How long a restoration will take, and how much memory, found out by rehearsing it on a piece of the image.

The quick fits step on crops, whatever the size of the image: their pace is that of the
piece. What is done to the whole image (the classical estimate, the end of the fit, each
step of the published method) takes as many times longer as the image is larger.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from .arrays import channels_back, channels_first
from .denoising import JUDGEMENTS, PARTS
from .devices import choose_device
from .fit import run_to_end
from .prior import build_network, padded_shape
from .restoration import iter_restore
from .settings import CrossScaleFit, GuidedFit, MaskedFit, PriorFit
from .tasks import Inpaint

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from .settings import Settings
    from .steps import Steps
    from .tasks import Task

EDGE = 96
"""Edge of the piece in pixels."""
EDGE_ON_A_GPU = 1024
"""There a small piece would take as long as a large one."""
ENOUGH_STEPS, ENOUGH_SECONDS = 20, 1.0
"""Steps of the fit that are made, and, on a CPU, time after which fewer are enough."""
GROUPS_BYTES = 300e6
"""Memory of the groups of patches of the classical denoising, for each channel."""
OVERHEAD = 1.3
"""Memory of a network at work, in units of that of its layers' outputs; measured."""


@dataclass(frozen=True)
class Estimate:
    """What a restoration will take."""

    seconds: float
    """Time that it takes if it does not end early."""
    memory: float
    """Bytes at the most, beside the image itself and the program."""
    device: str
    """The device, named for people."""
    may_end_early: bool
    """Whether the fit is ended when it gains nothing more."""

    def __str__(self) -> str:
        most = "At most about" if self.may_end_early else "About"
        return f"{most} {_rounded(self.seconds)} and {max(self.memory, 1e8) / 1e9:.1f} GB on {self.device}."


def estimate(
    task: Task,
    *,
    preset: str = "fast",
    settings: Settings | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Estimate:
    """Find out in about three seconds what a restoration will take; the arguments are those of `restore`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_deep_image_prior import Denoise, PriorFit
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> estimate(Denoise(noisy), settings=PriorFit(iterations=100), device="cpu").may_end_early
    False
    """
    return run_to_end(estimating(task, preset=preset, settings=settings, device=device, threads=threads))


def estimating(
    task: Task, *, preset: str, settings: Settings | None, device: str, threads: int | None
) -> Generator[None, None, Estimate]:
    """Do the same as `estimate`; yields after each step, so that it can be left."""
    planned = iter_restore(task, preset=preset, settings=settings, device=device, threads=threads)
    chosen, where = planned.settings, choose_device(device)
    edge = EDGE if where.type == "cpu" else EDGE_ON_A_GPU
    if isinstance(chosen, PriorFit):  # its network is as large as the result
        edge = max(8, round(edge * _input_size(task)[0] / _size(task)[0]))
    else:
        edge = max(edge, chosen.crop)
    piece = _piece(task, edge)
    rehearsed = replace(chosen, draws=1) if isinstance(chosen, GuidedFit) else chosen
    before = _allocated(where, start=True)
    with iter_restore(piece, settings=rehearsed, device=device, threads=threads) as steps:
        steps.wants_image = lambda: False
        phases = yield from _rehearsed(steps, on_cpu=where.type == "cpu")
    seconds = _seconds(phases, chosen, _size(task), _size(piece))
    if where.type == "cuda":
        memory = (_allocated(where) - before) * _ratio(chosen, _size(task), _size(piece))
    else:
        memory = _memory(task, chosen)
    return Estimate(seconds, memory, planned.device, not isinstance(chosen, PriorFit))


@dataclass(frozen=True)
class _Phases:
    """The seconds of the parts of a rehearsal."""

    setup: float
    classical: float
    """Of one classical denoising of the piece."""
    step: float
    """Of one step of the fit."""
    finish: float
    steps: int
    """Steps that the fit would make at most."""


def _rehearsed(steps: Steps, *, on_cpu: bool) -> Generator[None, None, _Phases]:
    """Make the first steps of a fit, stop it and time its parts."""
    at: dict[int, float] = {}
    fitted: list[float] = []
    total = 0
    start = time.perf_counter()
    for step in steps:
        now = time.perf_counter() - start
        at.setdefault(step.iteration, now)
        if step.fitted > len(fitted):
            fitted.append(now)
            total = step.total - (step.iteration - step.fitted)
        # a GPU is waited for at steps 1, 10, 20: only there the clock tells the truth
        is_slow = on_cpu and len(fitted) > 2 and now - fitted[0] > ENOUGH_SECONDS
        if is_slow or len(fitted) >= ENOUGH_STEPS:
            steps.stop()
        yield
    end = time.perf_counter() - start
    pace = (fitted[-1] - fitted[0]) / (len(fitted) - 1) if len(fitted) > 1 else fitted[0]
    if isinstance(steps.settings, GuidedFit):
        classical = at[2 * PARTS] - at[PARTS]  # the second, the first one has the setting up in it
        return _Phases(0.0, classical, pace, end - fitted[-1], total)
    return _Phases(max(fitted[0] - pace, 0.0), 0.0, pace, end - fitted[-1], total)


def _seconds(phases: _Phases, settings: Settings, whole: tuple[int, int], piece: tuple[int, int]) -> float:
    """Scale the parts of a rehearsal on a `piece` to the `whole` image, both the (Y, X) of results."""
    ratio = _ratio(settings, whole, piece)
    if isinstance(settings, PriorFit):
        return phases.steps * phases.step * ratio + phases.setup + phases.finish * ratio
    fit = phases.steps * phases.step
    if not isinstance(settings, GuidedFit):
        networks = settings.networks if isinstance(settings, CrossScaleFit) else 1  # one of them was rehearsed
        return fit + (phases.setup + phases.finish * networks) * ratio
    region = _ratio(settings, (min(whole[0], settings.region), min(whole[1], settings.region)), piece)
    classical = phases.classical * (ratio + (settings.draws + 1 + JUDGEMENTS) * region)
    views = max(phases.finish - JUDGEMENTS * phases.classical, 0)
    return fit + classical + views * (ratio + JUDGEMENTS * region) / (1 + JUDGEMENTS)


def _ratio(settings: Settings, whole: tuple[int, int], piece: tuple[int, int]) -> float:
    if isinstance(settings, PriorFit):
        whole, piece = (padded_shape(shape, settings.network) for shape in (whole, piece))
    return whole[0] * whole[1] / (piece[0] * piece[1])


def _memory(task: Task, settings: Settings) -> float:
    """Return an upper bound from the outputs of the network's layers for the whole result."""
    channels = len(channels_first(np.asarray(task.image), task.channel_axis))
    height, width = _size(task)
    if isinstance(settings, PriorFit):
        height, width = padded_shape((height, width), settings.network)
        depth = settings.input_depth if settings.input == "noise" else 2
    else:
        depth = channels * (2 if isinstance(settings, GuidedFit | MaskedFit) else 1)
    network = build_network(settings.network, depth, channels, seed=0).to("meta")
    outputs = 0

    def count(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:  # noqa: ANN401  (torch's hook)
        nonlocal outputs
        outputs += output.numel()

    for module in network.modules():
        if not any(module.children()):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.empty((1, depth, height, width), device="meta"))  # shapes only: nothing is computed
    groups = GROUPS_BYTES * channels if isinstance(settings, GuidedFit) else 0.0
    return OVERHEAD * outputs * 4 + groups


def _allocated(device: torch.device, *, start: bool = False) -> int:
    """Return a GPU's memory in use at the start, or since then at the most; 0 elsewhere."""
    if device.type != "cuda":
        return 0
    if start:
        torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.max_memory_allocated(device)


def _size(task: Task) -> tuple[int, int]:
    """Return the height and width of the result."""
    height, width = (size for axis, size in enumerate(task.result_shape) if axis != task.channel_axis)
    return height, width


def _input_size(task: Task) -> tuple[int, int]:
    height, width = channels_first(np.asarray(task.image), task.channel_axis).shape[1:]
    return height, width


def _piece(task: Task, edge: int) -> Task:
    """Return the same task for the middle of the image."""
    height, width = _input_size(task)
    rows, columns = (slice(max(0, (size - edge) // 2), max(0, (size - edge) // 2) + edge) for size in (height, width))

    def cut(array: NDArray[Any]) -> NDArray[Any]:
        return channels_back(channels_first(array, task.channel_axis)[:, rows, columns].copy(), task.channel_axis)

    image = np.nan_to_num(cut(np.asarray(task.image)), posinf=0, neginf=0)
    if not isinstance(task, Inpaint):
        return replace(task, image=image)
    missing = cut(np.asarray(task.missing))
    if missing.all() or not missing.any():  # the pace does not depend on where the holes are
        missing = np.indices(missing.shape).sum(axis=0) % 2 == 0
    return replace(task, image=image, missing=missing)


def _rounded(seconds: float) -> str:
    """Say a time no more exactly than it is known."""
    if seconds < 10:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.{1 if seconds < 36000 else 0}f} h"
