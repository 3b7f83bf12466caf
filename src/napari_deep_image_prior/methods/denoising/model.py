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
    from collections.abc import Generator, Iterator

    from .settings import DenoisingFit

HELD_OUT_CROPS = 2
"""Crops of the held-out re-noised image from which the error of a step is computed."""


class DenoisingModel:
    """The network that corrects the first estimate, and the data it is fitted to."""

    def __init__(
        self,
        channels: int,
        settings: DenoisingFit,
        device: torch.device,
        seed: int,
        neighbors: int = 0,
    ) -> None:
        self._settings = settings
        self._crops = Crops(settings.crop, seed)
        self._neighbors = neighbors
        self._inputs = channels * (2 * neighbors + 1)
        # of each plane: its re-noised image and its nonlocal estimate, both with their neighbors,
        # and the truth
        self._training: list[Tensor] = []
        self._held_out: list[Tensor] = []
        self._typical = 1.0
        self.network = build_network(settings.network, 2 * self._inputs, channels, seed, device)

    def loss(self) -> Tensor:
        """Return the mean squared error of random crops, in units of the noise variance.

        The misfit is the error of held-out crops relative to that of their nonlocal estimate.
        """
        self._held_out_crops = self._crops.draw(self._held_out, HELD_OUT_CROPS)
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
        seen, clean = crops[:, : 2 * self._inputs], crops[:, 2 * self._inputs :]
        target = clean - self._own(seen)
        error = self.network(seen) - target
        return error.square().mean(), target.square().mean()

    def kept(self) -> list[Tensor]:
        """Return no tensors: the model has no state beside its weights."""
        return []

    def learn_from(self, noisy: Tensor, estimate: Tensor, clean: Tensor) -> None:
        """Add a re-noised image, its nonlocal estimate and the truth; all (C, Z, Y, X)."""
        self._training += self._planes(noisy, estimate, clean)
        errors = [
            (planes[2 * self._inputs :] - self._own(planes[None, : 2 * self._inputs])[0])
            .square()
            .mean()
            for planes in self._training
        ]
        self._typical = float(torch.stack(errors).mean()) + 1e-9

    def hold_out(self, noisy: Tensor, estimate: Tensor, clean: Tensor) -> None:
        """Add images, as of `learn_from`, from which the held-out error is computed."""
        self._held_out += self._planes(noisy, estimate, clean)

    def correction(self, noisy: Tensor, estimate: Tensor) -> Tensor:
        """Return the correction of a nonlocal estimate; all are (C, Z, Y, X)."""
        with torch.no_grad():
            planes = [self.network(seen[None])[0] for seen in self._seen(noisy, estimate)]
        return torch.stack(planes, dim=1)

    def mean_correction(self, noisy: Tensor, estimate: Tensor) -> Generator[None, None, Tensor]:
        """Return the correction averaged over the eight views; yields for each view of a plane."""
        correction = torch.empty_like(estimate)
        for z, seen in enumerate(self._seen(noisy, estimate)):
            correction[:, z] = (yield from mean_over_views(self.network, seen[None]))[0]
        return correction

    def _planes(self, noisy: Tensor, estimate: Tensor, clean: Tensor) -> list[Tensor]:
        """Return the network's input for each plane, and the truth."""
        return [
            torch.cat([seen, truth])
            for seen, truth in zip(self._seen(noisy, estimate), clean.unbind(1), strict=True)
        ]

    def _seen(self, noisy: Tensor, estimate: Tensor) -> Iterator[Tensor]:
        """Yield the network's input for each plane: the plane and its neighbors."""
        last = noisy.shape[1] - 1
        for z in range(last + 1):
            near = [
                min(max(plane, 0), last)
                for plane in range(z - self._neighbors, z + self._neighbors + 1)
            ]
            yield torch.cat([noisy[:, near].flatten(0, 1), estimate[:, near].flatten(0, 1)])

    def _own(self, seen: Tensor) -> Tensor:
        """Return the nonlocal estimate in (N, C, Y, X) inputs, without its neighbors."""
        return seen[:, self._inputs + self._neighbors :: 2 * self._neighbors + 1]


def seconds_of_a_step(
    settings: DenoisingFit, inputs: int, channels: int, edge: int, device: torch.device
) -> float:
    """Return the seconds for a step on crops of that edge, measured with a new network."""
    network = build_network(settings.network, inputs, channels, 0, device)
    batch = torch.ones((settings.batch, inputs, edge, edge), device=device)
    seconds = 0.0
    for _ in range(2):  # the first is slower
        start = time.perf_counter()
        network(batch).square().mean().backward()
        with torch.no_grad():
            network(batch[:HELD_OUT_CROPS])
        seconds = time.perf_counter() - start
    return seconds
