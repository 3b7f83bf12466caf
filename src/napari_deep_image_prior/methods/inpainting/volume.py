"""Inpainting of volumes: the network sees the nearest known voxels below and above a plane.

The holes of the volume itself, such as a missing plane or a dead column, are put at other places,
where the truth is known. Filling them is what the network learns to correct.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ...fitting.augmentation import Crops, mean_over_views
from ...fitting.loop import relative_to
from ...fitting.networks import build_network
from ..biharmonic import biharmonic_fill, local_density, planes_filled

if TYPE_CHECKING:
    from collections.abc import Generator

    from .settings import InpaintingFit

CROP_FILL, WHOLE_FILL = 10, 20
"""Iterations of the biharmonic fill of a crop, and of a whole plane."""
PARTS = 6
"""Images in the network's input, each with all channels."""
REACH = 8
"""Planes below and above a plane in which known voxels are looked for."""
TILE, HELD_OUT = 16, 0.1
"""Edge of the held-out tiles of planes in pixels, and their share."""
WEIGHED = 16
"""Batches of crops from which the correction weight is computed."""
MANY_HOLES = 0.25
"""Share of missing voxels above which only whole areas are put at other places, not all voxels."""
SCATTERED = 0.01
"""Share of scattered missing voxels above which such voxels are hidden in neighboring planes."""
WATCHED = 2**20
"""Voxels whose correction is computed for a preview."""


class Window:
    """A plane with those below and above it, and what is known near it.

    Parameters
    ----------
    observed, known : (N, C, 2 R + 1, Y, X) tensors
        0 where unknown, and beyond the ends of the volume.
    """

    def __init__(self, observed: Tensor, known: Tensor) -> None:
        middle = observed.shape[2] // 2
        self.observed, self.known = observed[:, :, middle], known[:, :, middle]
        (self.below, self.near_below), (self.above, self.near_above) = (
            _nearest(observed, known, order)
            for order in (
                range(middle - 1, -1, -1),
                range(middle + 1, observed.shape[2]),
            )
        )
        near = self.near_below + self.near_above
        self.is_between = (near > 0).to(observed)
        self.between = (
            self.near_below * self.below + self.near_above * self.above
        ) / near.clamp_min(1e-6)

    def fill(self, iterations: int) -> tuple[Tensor, Tensor]:
        """Return the filled plane, and whether there is something to fill it from; (N, C, Y, X).

        Near known pixels it is the biharmonic fill of the plane, elsewhere the linear interpolation
        along Z. Where that is unknown too, the other one is used.
        """
        is_empty = self.known.amax(dim=(2, 3), keepdim=True) == 0
        given = torch.where(is_empty, self.between * self.is_between, self.observed)
        present = torch.where(is_empty, self.is_between, self.known)
        within = biharmonic_fill(given, present, iterations)
        weight = (2 * local_density(self.known)).clamp(max=1)
        mixed = within.lerp(self.between, (1 - weight) * self.is_between)
        filled = torch.where(self.known > 0, self.observed, mixed)
        return filled, present.amax(dim=(2, 3), keepdim=True).expand_as(filled)

    def seen(self, filled: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Return the network's input for a filled plane, (N, PARTS * C, Y, X)."""
        # where nothing is known below or above, the plane itself stands in
        below, above = (
            torch.where(near > 0, plane, filled)
            for plane, near in ((self.below, self.near_below), (self.above, self.near_above))
        )
        images = [(image - mean) / std for image in (filled, below, above)]
        return torch.cat([*images, self.known - 0.5, self.near_below, self.near_above], dim=1)


def _nearest(observed: Tensor, known: Tensor, order: range) -> tuple[Tensor, Tensor]:
    """Return the first known voxels in the order of planes, and 1 / distance; 0 if there is none.

    Both are (N, C, Y, X); the arguments are as of `Window`.
    """
    values = torch.zeros_like(observed[:, :, 0])
    near = torch.zeros_like(values)
    for distance, plane in enumerate(order, start=1):
        found = known[:, :, plane] * (near == 0)
        values = values + found * observed[:, :, plane]
        near = near + found / distance
    return values, near


class VolumeInpaintingModel:
    """The network that corrects the fill of a volume, and the data it is fitted to.

    Parameters
    ----------
    observed, known : (1, C, Z, Y, X) tensors
        As of `Measurement`; 0 where unknown.
    settings : InpaintingFit
    seed : int
    """

    def __init__(self, observed: Tensor, known: Tensor, settings: InpaintingFit, seed: int) -> None:
        self._settings = settings
        self._channels = observed.shape[1]
        self._crops = Crops(settings.crop, seed)
        self._generator = torch.Generator(observed.device).manual_seed(seed)
        tiles = [-(-size // TILE) for size in observed.shape[-2:]]
        chosen = self._uniform(observed.new_empty((observed.shape[2], *tiles))) < HELD_OUT
        self._tiles = chosen.to(torch.float32)
        values = observed[known > 0]
        self._mean, self._std = values.mean(), values.std(correction=0).clamp_min(1e-6)
        self.measure(observed, known)
        self._fill_error = self._typical_fill_error()
        self.network = build_network(
            settings.network, PARTS * self._channels, self._channels, seed, observed.device
        )

    def measure(self, observed: Tensor, known: Tensor) -> None:
        """Set the voxels to learn from; the choice of held-out tiles does not change."""
        self._observed, self._known = observed[0], known[0]
        missing = 1 - known[0].amin(dim=0)  # (Z, Y, X)
        whole = opened(missing)
        scattered = missing - whole
        self._has_scattered = bool(scattered.mean() > SCATTERED)
        self._holes = missing if missing.mean() < MANY_HOLES or not whole.any() else whole
        self._places = self._holes.nonzero().cpu()  # (n, 3)
        self.gaps = missing.amax(dim=(1, 2)).nonzero()[:, 0].tolist()
        """Planes with missing voxels."""
        has_data = known[0].amax(dim=(2, 3)).amin(dim=0).nonzero()[:, 0]
        self._targets = has_data.tolist()
        self._reach = min(REACH, observed.shape[2])

    def window(self, plane: int) -> Window:
        """Return a plane of the volume with those below and above it."""
        return Window(*(self._around(each, plane)[None] for each in (self._observed, self._known)))

    def fill(self) -> Tensor:
        """Return the filled volume, (1, C, Z, Y, X)."""
        filled = self._observed.clone()
        has_data = self._known.amax(dim=(2, 3))  # (C, Z)
        for plane in self.gaps:
            filled[:, plane] = self.window(plane).fill(WHOLE_FILL)[0][0]
        if bool(has_data.all()):
            return filled[None]
        # of a wide gap, the planes beside it may be beyond the reach
        return planes_filled(
            filled[None], has_data[None, :, :, None, None].expand(filled[None].shape), 0
        )

    def loss(self) -> Tensor:
        """Return the mean absolute error at the hidden voxels of random crops.

        It is in units of the fill's typical error. The misfit is the error within the held-out
        tiles, relative to the fill's.
        """
        window, truth, hidden, held_out = self._draw()
        filled, has_source = window.fill(CROP_FILL)
        hidden = hidden * has_source
        error = self.correction(window, filled) - (truth - filled)
        learned, kept = hidden * (1 - held_out), hidden * held_out
        self.misfit = self._mean_error(error.detach(), kept) / relative_to(
            self._mean_error(truth - filled, kept)
        )
        return self._mean_error(error, learned)

    def kept(self) -> list[Tensor]:
        """Return no tensors: the model has no state beside its weights."""
        return []

    def correction(self, window: Window, filled: Tensor) -> Tensor:
        """Return the correction of a filled plane, (N, C, Y, X)."""
        correction: Tensor = self.network(window.seen(filled, self._mean, self._std))
        return correction * self._fill_error

    def corrected(self, fill: Tensor) -> Tensor:
        """Return a filled volume plus its correction, in `WATCHED` voxels at most."""
        most = max(1, WATCHED // (fill.shape[-2] * fill.shape[-1]))
        shown = fill.clone()
        with torch.no_grad():
            for plane in self.gaps[:most]:
                shown[:, :, plane] += self.correction(self.window(plane), fill[:, :, plane])
        return shown

    def mean_corrected(self, fill: Tensor, weight: float) -> Generator[None, None, Tensor]:
        """Return a filled volume plus the weighted correction, averaged over the eight views."""
        fill = fill.clone()
        for plane in self.gaps:
            seen = self.window(plane).seen(fill[:, :, plane], self._mean, self._std)
            correction = yield from mean_over_views(self.network, seen)
            fill[:, :, plane] += weight * self._fill_error * correction
        return fill

    def correction_weight(self) -> Generator[None, None, float]:
        """Return the least-squares weight of the correction in the held-out tiles, 0 to 1."""
        products = power = 0.0
        for _ in range(WEIGHED):
            window, truth, hidden, held_out = self._draw()
            filled, has_source = window.fill(CROP_FILL)
            kept = hidden * has_source * held_out
            seen = window.seen(filled, self._mean, self._std)
            correction = kept * self._fill_error * (yield from mean_over_views(self.network, seen))
            products += float((correction * (truth - filled)).sum())
            power += float(correction.square().sum())
        return 0.0 if power == 0 else min(max(products / power, 0.0), 1.0)

    def _draw(self) -> tuple[Window, Tensor, Tensor, Tensor]:
        """Return crops of planes with hidden voxels: what is seen, truth, hidden, held out."""
        drawn = [self._draw_one() for _ in range(self._settings.batch)]
        observed, known, hiding, held_out = (
            torch.stack(parts) for parts in zip(*drawn, strict=True)
        )
        visible = known * (1 - hiding)
        middle = observed.shape[2] // 2
        truth = observed[:, :, middle]
        hidden = known[:, :, middle] - visible[:, :, middle]
        return Window(observed * visible, visible), truth, hidden, held_out

    def _draw_one(self) -> tuple[Tensor, ...]:
        """Return a crop: observed, known, hidden and held-out voxels."""
        integer = self._crops.integer
        plane = self._targets[integer(len(self._targets))]
        size = min(self._settings.crop, *self._observed.shape[-2:])
        top, left = (integer(extent - size + 1) for extent in self._observed.shape[-2:])
        there = (slice(top, top + size), slice(left, left + size))
        observed, known = (
            self._around(each[..., there[0], there[1]], plane)
            for each in (self._observed, self._known)
        )
        hiding = self._hiding(size)
        if integer(2):
            observed, known, hiding = (each.flip(-3) for each in (observed, known, hiding))
        return observed, known, hiding, self._held_out(plane, there)

    def _held_out(self, plane: int, there: tuple[slice, slice]) -> Tensor:
        """Return 1 in the held-out tiles of a crop of a plane, (1, Y, X)."""
        rows, columns = (
            torch.arange(part.start, part.stop, device=self._tiles.device) // TILE for part in there
        )
        return self._tiles[plane][rows[:, None], columns][None]

    def _hiding(self, size: int) -> Tensor:
        """Return the voxels to hide in all channels of a crop, (1, 2 R + 1, Y, X).

        Holes of the volume in most crops, scattered voxels in half of them, or in those of a volume
        with scattered missing voxels.
        """
        low, high = self._settings.hidden
        planes, integer = 2 * self._reach + 1, self._crops.integer
        shape = (planes, size, size)
        hiding = self._observed.new_zeros(shape)
        has_holes = len(self._places) > 0
        if has_holes:
            place = self._places[integer(len(self._places))].tolist()
            first = [
                min(max(at - integer(size), 0), extent - size)
                for at, extent in zip(place[1:], self._holes.shape[1:], strict=True)
            ]
            cut = self._holes[:, first[0] : first[0] + size, first[1] : first[1] + size]
            hiding = self._around(cut, place[0], beyond=1.0)
        if self._has_scattered or not has_holes or integer(2):
            fraction = low + (high - low) * self._uniform(hiding[:1, :1, :1])
            scattered = (self._uniform(hiding) < fraction).to(hiding)
            if integer(2):  # the same in all planes, as those of a broken detector
                scattered = scattered[:1].expand_as(scattered)
            if not self._has_scattered:
                others = torch.arange(planes, device=hiding.device) != self._reach
                scattered = scattered.masked_fill(others[:, None, None], 0.0)
            hiding = torch.maximum(hiding, scattered)
        return hiding[None]

    def _around(self, volume: Tensor, plane: int, beyond: float = 0.0) -> Tensor:
        """Return 2 R + 1 planes of a (..., Z, Y, X) volume; `beyond` beyond its ends."""
        first, last = plane - self._reach, plane + self._reach + 1
        inside = volume[..., max(first, 0) : last, :, :]
        ends = (max(-first, 0), max(last - volume.shape[-3], 0))
        return functional.pad(inside, (0, 0, 0, 0, *ends), value=beyond)

    def _mean_error(self, error: Tensor, where: Tensor) -> Tensor:
        return (error.abs() * where).sum() / self._fill_error / where.sum().clamp_min(1)

    def _typical_fill_error(self) -> Tensor:
        window, truth, hidden, _ = self._draw()
        filled, has_source = window.fill(CROP_FILL)
        where = hidden * has_source
        return ((filled - truth) * where).abs().sum() / where.sum().clamp_min(1) + 1e-6

    def _uniform(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).uniform_(generator=self._generator)


def opened(missing: Tensor) -> Tensor:
    """Return the pixels of a (C, Y, X) mask in fully missing 3x3 blocks (its opening)."""
    core = -functional.max_pool2d(-missing, 3, 1, 1)
    return functional.max_pool2d(core, 3, 1, 1) * missing
