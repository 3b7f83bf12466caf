"""The network that corrects the first estimate, and the data it is fitted to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...fitting.augmentation import Crops, mean_over_views
from ...fitting.loop import relative_to
from ...fitting.networks import build_network

if TYPE_CHECKING:
    from collections.abc import Generator

    from .settings import DenoisingFit

HELD_OUT_CROPS = 2
"""Crops of the held-out re-noised image from which the error of a step is computed."""


class DenoisingModel:
    """The network that corrects the first estimate, and the data it is fitted to."""

    def __init__(
        self, channels: int, settings: DenoisingFit, device: torch.device, seed: int
    ) -> None:
        self._settings = settings
        self._crops = Crops(settings.crop, seed)
        # each (3 C, Y, X): re-noised image, its nonlocal estimate, the truth of both
        self._training: list[Tensor] = []
        self._typical = 1.0
        self.network = build_network(settings.network, 2 * channels, channels, seed, device)

    def loss(self) -> Tensor:
        """Return the mean squared error of random crops, in units of the noise variance.

        The misfit is the error of held-out crops relative to that of their nonlocal estimate.
        """
        self._held_out_crops = self._crops.draw([self._held_out], HELD_OUT_CROPS)
        loss, _ = self._squares(self._crops.draw(self._training, self._settings.batch))
        return loss

    @property
    def misfit(self) -> Tensor:
        """The held-out error of the last step; computed only when read, on a GPU not every step."""
        with torch.no_grad():
            squares, first = self._squares(self._held_out_crops)
        return squares / self._typical / relative_to(first / self._typical)

    def _squares(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean squared errors of the corrected and the nonlocal estimates of crops."""
        noisy, estimate, clean = crops.chunk(3, dim=1)
        target = clean - estimate
        error = self.network(torch.cat([noisy, estimate], dim=1)) - target
        return error.square().mean(), target.square().mean()

    def kept(self) -> list[Tensor]:
        """Return no tensors: the model has no state beside its weights."""
        return []

    def learn_from(self, noisy: Tensor, estimate: Tensor, clean: Tensor) -> None:
        """Add a re-noised image, its nonlocal estimate and the truth to the fit; all (C, Y, X)."""
        self._training.append(torch.cat([noisy, estimate, clean]))
        errors = [
            (clean - estimate).square().mean()
            for _, estimate, clean in (p.chunk(3) for p in self._training)
        ]
        self._typical = float(torch.stack(errors).mean()) + 1e-9

    def hold_out(self, noisy: Tensor, estimate: Tensor, clean: Tensor) -> None:
        """Set the images, as of `learn_from`, from which the held-out error is computed."""
        self._held_out = torch.cat([noisy, estimate, clean])

    def correction(self, noisy: Tensor, estimate: Tensor) -> Tensor:
        """Return the correction of a nonlocal estimate; all are (C, Y, X)."""
        with torch.no_grad():
            correction: Tensor = self.network(torch.cat([noisy, estimate])[None])[0]
        return correction

    def mean_correction(self, noisy: Tensor, estimate: Tensor) -> Generator[None, None, Tensor]:
        """Return the correction averaged over the eight views."""
        return (yield from mean_over_views(self.network, torch.cat([noisy, estimate])[None]))[0]


def seconds_of_a_step(
    settings: DenoisingFit, channels: int, edge: int, device: torch.device
) -> float:
    """Return the seconds for a step on crops of that edge, measured with a new network."""
    network = build_network(settings.network, 2 * channels, channels, 0, device)
    batch = torch.ones((settings.batch, 2 * channels, edge, edge), device=device)
    seconds = 0.0
    for _ in range(2):  # the first is slower
        start = time.perf_counter()
        network(batch).square().mean().backward()
        with torch.no_grad():
            network(batch[:HELD_OUT_CROPS])
        seconds = time.perf_counter() - start
    return seconds
