"""A run of the published method that can be broken off and taken up again: it takes hours on a CPU."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, TypeAlias

import torch

from ..arrays import channels_back
from ..prior_fit import PriorRestorer
from ..restorers import choose_restorer
from ..settings import settings_to_dict
from .published import AVERAGE, LAST, RESTORED, TWO_RUNS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ..settings import PriorFit
    from .cases import Case

Reporter: TypeAlias = "Callable[[int, int, float | None, float | None], None]"
"""Is told steps done, steps in all, seconds left and PSNR so far."""
CHECKPOINT_SECONDS = 60.0
PART = ".part"
"""Suffix of a checkpoint."""
CURVE_POINTS = 200
"""How often a run of the published method looks at its PSNR."""


class PublishedRun:
    """A fit by the published settings that can be broken off and taken up again."""

    def __init__(self, case: Case, settings: PriorFit, seed: int, device: torch.device, part: Path) -> None:
        restorer = choose_restorer(case.task, settings, device, seed)
        if not isinstance(restorer, PriorRestorer):
            raise TypeError(f"{type(settings).__name__} is not the published method.")
        self.restorer, self.seconds = restorer, 0.0
        self.curve: list[tuple[int, float, float]] = []
        self._case, self._settings, self._part = case, settings, part
        # what a checkpoint must have been made with
        self._identity = json.dumps(
            [settings_to_dict(settings), seed, case.image, list(case.task.result_shape), str(device)]
        )
        self._done = 0
        self._psnr: dict[str, float] = {}
        self._take_up()

    def to_its_end(self, report: Reporter) -> dict[str, float]:
        """Do the steps that are left and return the PSNR of each reading of the result."""
        began = saved = time.perf_counter()
        before, first = self.seconds, self._done
        for progress in self.restorer.steps():
            self._done = progress.iteration
            now = time.perf_counter()
            self.seconds = before + now - began
            self._look()
            if now - saved > CHECKPOINT_SECONDS:
                self._save()
                saved = now
            left = (now - began) / (self._done - first) * (progress.total - self._done)
            report(self._done, progress.total, left, self.curve[-1][-1] if self.curve else None)
        final = TWO_RUNS if self._settings.runs > 1 else RESTORED
        return {**self._psnr, final: self._case.psnr(self.image())}

    def _look(self) -> None:
        """Note the PSNR now and then, and at the end of the first run."""
        each = self._settings.iterations
        is_due = self._done % max(1, each // CURVE_POINTS) == 0 or self._done in (1, each)
        if self._case.truth is None or self._done > each or not is_due:
            return
        outputs = self.restorer.last_output(), self.restorer.estimate()
        last, average = (self._case.psnr(self._oriented(image)) for image in outputs)
        self.curve.append((self._done, round(last, 3), round(average, 3)))
        if self._done == each and self._settings.runs > 1:
            self._psnr = {LAST: last, AVERAGE: average}

    def image(self) -> NDArray[np.float64]:
        """Return the image as restored so far."""
        return self._oriented(self.restorer.estimate())

    def _oriented(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        oriented: NDArray[np.float64] = channels_back(image, self._case.task.channel_axis)
        return oriented

    def _save(self) -> None:
        beside = self._part.with_suffix(".part-new")
        state = self.restorer.state()
        torch.save([self._identity, self._done, self.seconds, self.curve, self._psnr, state], beside)
        beside.replace(self._part)

    def _take_up(self) -> None:
        """Go on from the checkpoint, if there is one that fits."""
        if not self._part.exists():
            return
        try:
            identity, done, seconds, curve, psnr, state = torch.load(self._part, weights_only=True)
        except Exception as error:  # torch raises whatever a broken file leads it to
            raise ValueError(
                f"{self._part}: cannot be read ({type(error).__name__}); delete it to start over."
            ) from error
        if identity != self._identity:
            raise ValueError(
                f"{self._part}: was made with other settings or on another device; delete it to start over."
            )
        self.restorer.resume(state)
        self._done, self.seconds, self.curve, self._psnr = done, seconds, curve, psnr
