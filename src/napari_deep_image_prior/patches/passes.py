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
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from .search import TILE, similar_patches

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from .search import PatchGrid

T = TypeVar("T")
R = TypeVar("R")
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

    def band(self, place: tuple[int, range]) -> tuple[tuple[slice, slice], Tensor, Tensor]:
        """Restore the groups of a band of reference patches: those of a plane and some rows.

        Returns
        -------
        pair of slices
            The planes and the rows of the image that these groups reach.
        (C, planes, rows, X) tensors
            Weighted total and weight of the estimates.
        """
        z, rows = place
        channels, deep, tall, wide = self.noisy.shape
        reached = (self._reached(0, z, z, deep), self._reached(1, rows[0], rows[-1], tall))
        noisy, reference, variance = (
            image[:, *reached] for image in (self.noisy, self.reference, self.variance)
        )
        first = reached[1].start
        own = range(rows.start - first, rows.stop - first, rows.step)
        tall = noisy.shape[2]
        offsets = self.grid.offsets(tall, wide, noisy.device)
        center = offsets.view(self.grid.patch)[*(size // 2 for size in self.grid.patch)]
        total = torch.zeros((channels, noisy[0].numel()), device=noisy.device)
        weight = torch.zeros_like(total)
        found = similar_patches(reference, self.grid, z - reached[0].start, own, self.group)
        for corners in found.split(CHUNK):
            pixels = corners[:, :, None] + offsets
            observed = _gathered(noisy, pixels)
            known = observed if self.reference is self.noisy else _gathered(reference, pixels)
            # the variance at a patch's center stands for the patch
            at_center = _gathered(variance, corners + center)
            estimate, precision = self.restore(observed, known, at_center)
            places = pixels.reshape(-1)
            precision = precision.expand_as(estimate)
            weight.index_add_(1, places, precision.reshape(channels, -1))
            total.index_add_(1, places, (estimate * precision).reshape(channels, -1))
        return reached, total.view_as(noisy), weight.view_as(noisy)

    def _reached(self, axis: int, first: int, last: int, size: int) -> slice:
        reach = self.grid.reach[axis]
        return slice(max(first - reach, 0), min(last + reach + self.grid.patch[axis], size))


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
    noisy : (C, Z, Y, X) tensor
    guide : (C, Z, Y, X) tensor, optional
        The reference, an estimate in which similar patches are searched; None: `noisy`.
    variance : (C, Z, Y, X) tensor
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
    (C, Z, Y, X) tensor
    """
    extra = grid.missing(noisy.shape[1:])
    # padded at the far border until the reference patches cover the image
    extended = _extended(noisy, extra)
    reference = extended if guide is None else _extended(guide, extra)
    work = _Pass(extended, reference, _extended(variance, extra), grid, group, restore)
    total, weight = torch.zeros_like(extended), torch.zeros_like(extended)
    inside = tuple(slice(size) for size in noisy.shape)

    def so_far() -> Tensor:
        """Return the estimate, and the reference where there is none yet."""
        return torch.where(weight > 0, total / weight, reference)[inside]

    rows = grid.starts(1, extended.shape[2])
    bands = [
        (z, rows[start : start + TILE])
        for z in grid.starts(0, extended.shape[1])
        for start in range(0, len(rows), TILE)
    ]
    workers = WORKERS.get() if noisy.device.type == "cpu" else 1
    for number, (reached, band_total, band_weight) in enumerate(
        _in_order(work.band, bands, workers), 1
    ):
        total[:, *reached] += band_total
        weight[:, *reached] += band_weight
        if watch is not None:
            watch(so_far)
        yield number / len(bands)
    return (total / weight.clamp_min(1e-12))[inside]


def _extended(image: Tensor, extra: list[int]) -> Tensor:
    """Return a (C, Z, Y, X) image with pixels appended to each axis that repeat the last ones."""
    # replicate: reflection cannot exceed the image size
    deep, tall, wide = extra
    return functional.pad(image, (0, wide, 0, tall, 0, deep), mode="replicate")


def _gathered(image: Tensor, pixels: Tensor) -> Tensor:
    return image.reshape(len(image), -1)[:, pixels]


def _in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield the results of a function for each item, computed in that many threads."""
    if workers == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers, initializer=_use_one_core)
    try:
        waiting: deque[Future[R]] = deque()
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
