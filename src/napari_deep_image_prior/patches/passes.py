"""A pass over an image: groups of similar patches are restored, and overlapping ones averaged.

Bands of the image are independent of one another. On the CPU they are restored in several threads,
each with one core, and added in order: the result does not depend on the number of threads, and
threads that wait do not keep a core busy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from .search import REACH, TILE, similar_patches

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from .search import PatchGrid

CHUNK = 1024
"""Groups restored at once; bounds the memory."""
WORKERS: ContextVar[int] = ContextVar("WORKERS", default=1)
"""Threads of a pass on the CPU."""
Restore = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Restores groups of patches.

Receives the noisy patches and those of the reference, both (C, groups, patches, area), and the
noise variance of each patch, (C, groups, patches). Returns estimates of the noisy patches, and
weights that can be broadcast to them.
"""
Watch = Callable[[Callable[[], Tensor]], object]
"""Receives a function that returns the estimate so far."""


@dataclass(frozen=True)
class _Pass:
    noisy: Tensor
    reference: Tensor
    variance: Tensor
    grid: PatchGrid
    group: int
    restore: Restore

    def band(self, rows: range) -> tuple[slice, Tensor, Tensor]:
        """Restore the groups of a band of reference patches.

        Returns
        -------
        slice
            The rows of the image that these groups reach.
        (C, rows, X) tensors
            Weighted total and weight of the estimates.
        """
        channels, tall, wide = self.noisy.shape
        reached = slice(max(rows[0] - REACH, 0), min(rows[-1] + REACH + self.grid.patch, tall))
        noisy, reference, variance = (
            image[:, reached] for image in (self.noisy, self.reference, self.variance)
        )
        own = range(rows.start - reached.start, rows.stop - reached.start, rows.step)
        offsets = self.grid.offsets(wide, noisy.device)
        total = torch.zeros((channels, noisy[0].numel()), device=noisy.device)
        weight = torch.zeros_like(total)
        for corners in similar_patches(reference, self.grid, own, self.group).split(CHUNK):
            pixels = corners[:, :, None] + offsets
            observed = _gathered(noisy, pixels)
            known = observed if self.reference is self.noisy else _gathered(reference, pixels)
            # the variance at a patch's center stands for the patch
            at_center = _gathered(variance, corners + self.grid.patch // 2 * (wide + 1))
            estimate, precision = self.restore(observed, known, at_center)
            places = pixels.reshape(-1)
            precision = precision.expand_as(estimate)
            weight.index_add_(1, places, precision.reshape(channels, -1))
            total.index_add_(1, places, (estimate * precision).reshape(channels, -1))
        return reached, total.view_as(noisy), weight.view_as(noisy)


def one_pass(
    noisy: Tensor,
    guide: Tensor | None,
    variance: Tensor,
    grid: PatchGrid,
    group: int,
    restore: Restore,
    watch: Watch | None = None,
) -> Generator[float, None, Tensor]:
    """Restore all groups of similar patches of an image.

    Parameters
    ----------
    noisy : (C, Y, X) tensor
    guide : (C, Y, X) tensor, optional
        The reference, an estimate in which similar patches are searched; None: `noisy`.
    variance : (C, Y, X) tensor
        Noise variance.
    grid : PatchGrid
    group : int
        Patches in a group.
    restore : callable
    watch : callable, optional
        Called before each yield.

    Yields
    ------
    float
        The fraction done.

    Returns
    -------
    (C, Y, X) tensor
    """
    height, width = noisy.shape[-2:]
    extra = [grid.missing(size) for size in (height, width)]
    # padded at the far border until the reference patches cover the image
    extended = _extended(noisy, extra)
    reference = extended if guide is None else _extended(guide, extra)
    work = _Pass(extended, reference, _extended(variance, extra), grid, group, restore)
    total, weight = torch.zeros_like(extended), torch.zeros_like(extended)

    def so_far() -> Tensor:
        """Return the estimate, and the reference where there is none yet."""
        return torch.where(weight > 0, total / weight, reference)[:, :height, :width]

    rows = grid.starts(extended.shape[-2])
    bands = [rows[start : start + TILE] for start in range(0, len(rows), TILE)]
    workers = WORKERS.get() if noisy.device.type == "cpu" else 1
    for number, (reached, band_total, band_weight) in enumerate(
        _in_order(work.band, bands, workers), 1
    ):
        total[:, reached] += band_total
        weight[:, reached] += band_weight
        if watch is not None:
            watch(so_far)
        yield number / len(bands)
    return (total / weight.clamp_min(1e-12))[:, :height, :width]


def _extended(image: Tensor, extra: list[int]) -> Tensor:
    """Return a (C, Y, X) image with rows and columns appended that repeat the last ones."""
    # replicate: reflection cannot exceed the image size
    return functional.pad(image[None], (0, extra[1], 0, extra[0]), mode="replicate")[0]


def _gathered(image: Tensor, pixels: Tensor) -> Tensor:
    return image.reshape(len(image), -1)[:, pixels]


def _in_order(
    function: Callable[[range], tuple[slice, Tensor, Tensor]], items: Iterable[range], workers: int
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield the results of a function for each item, computed in that many threads."""
    if workers == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers, initializer=_use_one_core)
    try:
        waiting: deque[Future[tuple[slice, Tensor, Tensor]]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        # the workers have changed the number that threads to come begin with
        torch.set_num_threads(torch.get_num_threads())


def _use_one_core() -> None:
    """Give this thread one core, whatever others set: torch's numbers belong to each thread."""
    torch.get_num_threads()  # a thread takes the common number once, at the latest here
    torch.set_num_threads(1)
