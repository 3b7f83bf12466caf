"""What the tiles of a large array share: learned from representative parts of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..restoration.base import RestorationError, explained_errors
from ..restoration.devices import choose_device, fit_environment
from ..restoration.fitted import learning
from ..restoration.threads import default_threads, patch_threads
from .plan import Learned, applied

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..methods.denoising.restorer import DenoisingRestorer
    from ..methods.denoising.settings import DenoisingFit
    from ..methods.denoising.task import Denoise
    from ..methods.task import Task
    from ..restoration.network import FittedNetwork
    from .plan import Plan
    from .tiles import Tile

PARTS = 4
"""Parts of the array that are learned from, for each channel."""
CANDIDATES = 16
"""Parts among which they are chosen."""
PLANE_PART, VOLUME_PART = (512, 512), (12, 256, 256)
"""Size of a part."""


def learned_plan(
    plan: Plan,
    source: Any,  # noqa: ANN401  (an array of numpy, dask or zarr)
    network: FittedNetwork | None = None,
    networks: Mapping[int, FittedNetwork] | None = None,
) -> Iterator[str | Plan]:
    """Learn what the tiles share; yields texts for users, at last the plan.

    Parameters
    ----------
    plan : Plan
    source : array
        Only parts of it are read.
    network : FittedNetwork, optional
        A network of another fit, for all channels.
    networks : mapping, optional
        Networks of former runs, by channel.

    Raises
    ------
    RestorationError
        If the fit failed, or nothing in the array can be learned from.
    """
    if not plan.learns_once:
        yield plan
        return
    channels = plan.shape[plan.axes.index("c")] if "c" in plan.axes else 1
    learned = {}
    for channel in range(channels):
        which = f"channel {channel}: " if channels > 1 else ""
        yield f"{which}choosing representative parts"
        tasks = representative(plan, source, channel)
        if not tasks:
            continue
        given = network or (networks or {}).get(channel)
        for text in _learned_from(plan, tasks, given):
            if isinstance(text, Learned):
                learned[channel] = text
            else:
                yield which + text
    if not learned:
        raise RestorationError("no part of the array has data to learn from.")
    yield replace(plan, learned=learned)


def representative(plan: Plan, source: Any, channel: int) -> list[Task]:  # noqa: ANN401
    """Return the tasks of parts of a channel, spread over it and over its contrasts."""
    tiles = [tile for tile in plan.tiles if plan.channel(tile) == channel]
    count = min(CANDIDATES, len(tiles))
    found = []
    for number in range(count):
        tile = tiles[int((number + 0.5) * len(tiles) / count)]
        pixels = np.asarray(source[_middle(plan, tile)])
        task = plan.task(pixels, {})
        if task is not None:
            low, high = np.percentile(np.asarray(task.image)[~task.unknown], [1, 99])
            found.append((float(high) - float(low), number, task))
    found.sort(key=lambda each: each[:2], reverse=True)
    found = [each for each in found if each[0] > 0] or found
    chosen = min(PARTS, len(found))
    # the one with most contrast first
    return [found[number * len(found) // chosen][2] for number in range(chosen)]


def _middle(plan: Plan, tile: Tile) -> tuple[slice, ...]:
    """Return the middle of a tile, as large as a part."""
    inside = list(tile.inner)
    sizes = VOLUME_PART if plan.is_volume else PLANE_PART
    for axis, size in zip(plan.spatial, sizes, strict=True):
        part = inside[axis]
        start = part.start + max(0, (part.stop - part.start - size) // 2)
        inside[axis] = slice(start, min(start + size, part.stop))
    return tuple(inside)


def _learned_from(
    plan: Plan, tasks: list[Task], network: FittedNetwork | None
) -> Iterator[str | Learned]:
    from ..methods.base import image_and_known
    from ..methods.denoising.whole import whole_of

    device, settings = choose_device(plan.device), cast("DenoisingFit", plan.settings)
    threads, workers = plan.threads or default_threads(), patch_threads(plan.threads)
    yield "estimating noise"
    with fit_environment(threads, workers), explained_errors(device):
        parts = []
        for task in tasks:
            image, known = image_and_known(task)
            filled = np.where(known, image, np.median(image[known])).astype(np.float64)
            if filled.ndim == 3:
                filled, known = filled[:, None], known[:, None]
            parts.append((filled, known))
        whole = whole_of(parts, cast("Denoise", tasks[0]), device)
    restorers: list[DenoisingRestorer] = []
    if network is None:
        working = learning(tasks, settings, device, plan.seed, whole)
        while True:
            with fit_environment(threads, workers):
                try:
                    step = next(working)
                except StopIteration as done:
                    restorers = done.value
                    break
            network = step.result
            yield step.place
    else:
        network.check(tasks[0])
        for number, task in enumerate(tasks):
            with fit_environment(threads, workers), explained_errors(device):
                own = (plan.seed + number) % 2**31
                restorers.append(applied(plan, task, Learned(network, whole), own))
            yield f"part {number + 1} of {len(tasks)}: first estimate"
    with fit_environment(threads, workers), explained_errors(device):
        pairs = [pair for restorer in restorers for pair in restorer.pairs]
        whole = whole.weighted(pairs, restorers[0].model)
    yield Learned(cast("FittedNetwork", network), whole)
