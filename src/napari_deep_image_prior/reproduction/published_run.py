"""A run of the published method with checkpoints, as it takes hours on a CPU."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from ..arrays import channels_back
from ..encoding import fingerprint
from ..io.console import complain
from ..methods.deep_image_prior.restorer import DeepImagePriorRestorer
from ..methods.inpainting.task import Inpaint
from ..methods.registry import settings_to_dict
from ..restoration.base import RestorationError
from .published import AVERAGE, LAST, PASTED, RESTORED, TWO_RUNS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from ..methods.deep_image_prior.settings import DeepImagePriorFit
    from .cases import Case

Reporter: TypeAlias = "Callable[[int, int, float | None, float | None], None]"
"""Receives the steps done, the total, the seconds left and the PSNR."""
CHECKPOINT_SECONDS = 60.0
PART = ".part"
"""Suffix of a checkpoint."""
CURVE_POINTS = 200
"""Number of PSNR measurements in a run."""


class PublishedRun:
    """A fit with the published settings that can be interrupted and resumed."""

    def __init__(
        self, case: Case, settings: DeepImagePriorFit, seed: int, device: torch.device, part: Path
    ) -> None:
        self.restorer = DeepImagePriorRestorer.for_task(case.task, settings, device, seed)
        self.seconds = 0.0
        self.curve: list[tuple[int, float, float]] = []
        self._case, self._settings, self._part = case, settings, part
        # the conditions of a checkpoint; another GPU is accepted
        made_with = [settings_to_dict(settings), seed, case.image, device.type, torch.__version__]
        self._identity = json.dumps([*made_with, fingerprint(np.asarray(case.task.image))])
        self._done = 0
        self._readings: dict[str, float] = {}
        self._resume()

    def to_its_end(self, report: Reporter) -> dict[str, float]:
        """Run the remaining steps, and return the PSNR of each kind of result."""
        began = saved = time.perf_counter()
        before, first = self.seconds, self._done
        try:
            for progress in self.restorer.steps():
                self._done = progress.iteration
                now = time.perf_counter()
                self.seconds = before + now - began
                self._record_psnr()
                if now - saved > CHECKPOINT_SECONDS:
                    self._save()
                    saved = now
                left = (now - began) / (self._done - first) * (progress.total - self._done)
                report(self._done, progress.total, left, self.curve[-1][-1] if self.curve else None)
        except KeyboardInterrupt:
            self._save()
            raise
        return {**self._readings, **self._final()}

    def _final(self) -> dict[str, float]:
        image = self.image()
        if self._settings.runs > 1:
            return {TWO_RUNS: self._case.psnr(image)}
        readings = {RESTORED: self._case.psnr(image)}
        if isinstance(self._case.task, Inpaint):
            missing, given = np.asarray(self._case.task.missing), np.asarray(self._case.task.image)
            readings[PASTED] = self._case.psnr(np.where(missing, image, given))
        return readings

    def _record_psnr(self) -> None:
        """Record the PSNR of the first run at regular steps."""
        each = self._settings.iterations
        is_due = self._done % max(1, each // CURVE_POINTS) == 0 or self._done in (1, each)
        if self._case.truth is None or self._done > each or not is_due:
            return
        outputs = self.restorer.last_output(), self.restorer.estimate()
        last, average = (self._case.psnr(self._oriented(image)) for image in outputs)
        self.curve.append((self._done, round(last, 3), round(average, 3)))
        if self._settings.runs > 1:  # the last ones of the run remain
            self._readings = {LAST: last, AVERAGE: average}

    def image(self) -> NDArray[np.float64]:
        """Return the current result."""
        return self._oriented(self.restorer.estimate())

    def _oriented(self, image: NDArray[np.float64]) -> NDArray[np.float64]:
        oriented: NDArray[np.float64] = channels_back(image, self._case.task.channel_axis)
        return oriented

    def _save(self) -> None:
        """Write a checkpoint; a full disk must not end the fit."""
        beside = self._part.with_suffix(f".part-{os.getpid()}")
        state = self.restorer.state()
        try:
            torch.save(
                [self._identity, self._done, self.seconds, self.curve, self._readings, state],
                beside,
            )
            beside.replace(self._part)
        except (
            OSError,
            RuntimeError,
        ) as error:  # torch's writer raises RuntimeError on a full disk
            complain(
                f"{self._part}: the checkpoint cannot be written ({error}); the fit continues.",
                error=False,
            )
        finally:
            beside.unlink(missing_ok=True)

    def _resume(self) -> None:
        """Continue from the checkpoint if it exists."""
        if not self._part.exists():
            return
        try:
            identity, *saved = torch.load(self._part, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged files cause errors of any type in torch
            raise RestorationError(
                f"{self._part}: cannot be read ({error}); delete it to start over."
            ) from error
        if identity != self._identity:
            raise RestorationError(
                f"{self._part}: was made from another image, with other settings or another torch, "
                "or on another kind of device; delete it to start over."
            )
        self._done, self.seconds, self.curve, self._readings, state = saved
        self.restorer.resume(state)
