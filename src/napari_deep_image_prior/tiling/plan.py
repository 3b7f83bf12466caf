"""How a large array is restored: its tiles, the task of each, and what all of them share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import cast as cast_to
from ..arrays import channels_back, has_data, result_dtype
from ..generators import run_to_end
from ..methods.deep_image_prior.settings import DeepImagePriorFit
from ..methods.denoising.settings import DenoisingFit
from ..methods.registry import method_of, preset_settings
from ..restoration.api import new_steps, result_of
from ..restoration.base import RestorationError, explained_errors
from ..restoration.devices import choose_device, fit_environment
from ..restoration.threads import patch_threads
from .tiles import ALIGNMENT, Tile, tiles_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

    from ..fitting.settings import Settings
    from ..methods.denoising.restorer import DenoisingRestorer
    from ..methods.denoising.task import Denoise
    from ..methods.denoising.whole import Whole
    from ..methods.task import Task
    from ..restoration.network import FittedNetwork

PLANE_EDGE, PLANE_HALO = 2048, 64
"""Edge and halo of the tiles of planes, in pixels."""
VOLUME_EDGES, VOLUME_HALOS = (48, 256, 256), (8, 32, 32)
"""Edges and halos of the tiles of volumes along Z, Y and X, in voxels."""
MOST_TILES = 2**20
"""Largest number of tiles."""


@dataclass(frozen=True)
class Learned:
    """What tiles share that are denoised: the network and the noise of representative parts."""

    network: FittedNetwork
    whole: Whole


@dataclass(frozen=True)
class Plan:
    """How a large array is restored."""

    kind: str
    """Kind of the task."""
    options: Mapping[str, Any]
    """Options of the task, without those that have a value for each pixel."""
    axes: str
    """A letter for each axis of the array: z, y, x, c for channels, or another."""
    shape: tuple[int, ...]
    """Shape of the array."""
    source_dtype: np.dtype[Any]
    dtype: np.dtype[Any]
    """Dtype of the result."""
    is_volume: bool
    """Whether the planes along z are restored together."""
    edges: tuple[int, ...]
    """Size of a tile along each axis, without its halo."""
    halos: tuple[int, ...]
    """Width of the halo along each axis."""
    factors: tuple[int, ...]
    """Size of the result along each axis, relative to the array's."""
    settings: Settings
    device: str
    seed: int
    threads: int | None
    """Largest number of threads of a tile."""
    learned: Mapping[int, Learned] = field(default_factory=dict)
    """By channel; empty for tasks whose tiles have fits of their own."""

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return tuple(n * factor for n, factor in zip(self.shape, self.factors, strict=True))

    @cached_property
    def tiles(self) -> list[Tile]:
        """The tiles."""
        return tiles_of(self.shape, self.edges, self.halos)

    def owns(self, units: Sequence[int]) -> bool:
        """Return whether no two tiles share a chunk of the result of these sizes."""
        return all(
            edge >= size or (edge * factor) % unit == 0
            for edge, size, factor, unit in zip(
                self.edges, self.shape, self.factors, units, strict=True
            )
        )

    @property
    def spatial(self) -> tuple[int, ...]:
        """The axes of a task's image: Y and X, or Z, Y and X."""
        return tuple(self.axes.index(name) for name in ("zyx" if self.is_volume else "yx"))

    @property
    def learns_once(self) -> bool:
        """Whether one network serves all tiles of a channel."""
        return isinstance(self.settings, DenoisingFit)

    def channel(self, tile: Tile) -> int:
        """Return the channel of a tile."""
        return tile.inner[self.axes.index("c")].start if "c" in self.axes else 0

    def image(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return what was read of a tile as (Y, X) or (Z, Y, X)."""
        spatial = self.spatial
        order = [axis for axis in range(pixels.ndim) if axis not in spatial]
        return np.transpose(pixels, (*order, *spatial)).reshape([pixels.shape[i] for i in spatial])

    def array(self, image: NDArray[Any]) -> NDArray[Any]:
        """Invert `image`."""
        spatial = self.spatial
        others = [axis for axis in range(len(self.shape)) if axis not in spatial]
        expanded = image.reshape((*(1,) * len(others), *image.shape))
        return np.moveaxis(expanded, range(len(self.shape)), (*others, *spatial))

    def task(self, pixels: NDArray[Any], masks: Mapping[str, NDArray[Any]]) -> Task | None:
        """Return the task of what was read of a tile; None if it stays unchanged."""
        make = method_of(self.kind).task
        image = self.image(pixels)
        own: dict[str, Any] = {n: self.image(mask).astype(bool) for n, mask in masks.items()}
        if not has_data(image, None) or not make.is_needed(image, None, **own, **self.options):
            return None
        return make(image, **own, **self.options)

    def restored(
        self, number: int, pixels: NDArray[Any], masks: Mapping[str, NDArray[Any]]
    ) -> NDArray[Any]:
        """Return the result of a tile from what was read for it.

        Raises
        ------
        RestorationError
            If its fit failed.
        """
        tile = self.tiles[number]
        task = self.task(pixels, masks)
        if task is None:
            image = self.image(pixels)
            for position, axis in enumerate(self.spatial):
                image = np.repeat(image, self.factors[axis], position)
            unchanged = image.astype(np.float64)
            if self.dtype.kind != "f":  # integers have no value for unknown pixels
                unchanged = np.nan_to_num(unchanged)
            result = cast_to(unchanged, self.dtype)
        else:
            try:
                result = self._fitted(task, number) if self.learned else self._fit(task, number)
            except RestorationError as error:
                raise RestorationError(f"tile {tile.place}: {error}") from error
        return np.ascontiguousarray(self.array(result)[tile.own(self.factors)])

    def _fit(self, task: Task, number: int) -> NDArray[Any]:
        """Return the result of a task with a fit of its own."""
        steps = new_steps(
            task,
            settings=self.settings,
            device=self.device,
            seed=(self.seed + number) % 2**31,
            dtype="same" if self.dtype == self.source_dtype else self.dtype,
            threads=self.threads,
        )
        return result_of(steps).image

    def _fitted(self, task: Task, number: int) -> NDArray[Any]:
        """Return the result of a task with what all tiles share."""
        learned = self.learned.get(self.channel(self.tiles[number]))
        if learned is None:
            raise RestorationError(
                "none of the parts of this channel that were looked at has data to learn from: "
                "restore the channel by itself, with a part of the array that has data."
            )
        with (
            fit_environment(1, patch_threads(self.threads)),
            explained_errors(choose_device(self.device)),
        ):
            restorer = applied(self, task, learned, self.seed)
            return cast_to(channels_back(run_to_end(restorer.finish()), None), self.dtype)


def applied(plan: Plan, task: Task, learned: Learned, seed: int) -> DenoisingRestorer:
    """Return the restorer of a part, after its first estimate, with what all parts share."""
    from ..methods.denoising.restorer import DenoisingRestorer

    settings, device = cast("DenoisingFit", plan.settings), choose_device(plan.device)
    restorer = DenoisingRestorer.for_task(cast("Denoise", task), settings, device, seed)
    restorer.apply(learned.network.weights, adds_nothing=learned.network.adds_nothing)
    restorer.use(learned.whole)
    for _ in restorer.steps():
        pass
    return restorer


def plan_of(  # noqa: PLR0913  (those of restore, and of tiles)
    shape: Sequence[int],
    source_dtype: DTypeLike,
    *,
    kind: str,
    axes: str,
    options: Mapping[str, Any],
    volume: bool = False,
    preset: str = "fast",
    settings: Settings | None = None,
    tile: int | None = None,
    multiples: Sequence[int] | None = None,
    device: str = "auto",
    seed: int = 0,
    dtype: DTypeLike | str = "same",
    threads: int | None = None,
) -> Plan:
    """Return the plan for an array, before anything is learned.

    multiples: sizes of which those of the tiles are multiples where that is possible, such as
    chunks; None: any. Other parameters as of `restore_array`.

    Raises
    ------
    ValueError, TypeError
        If an argument is invalid.
    """
    shape = tuple(int(size) for size in shape)
    _check_axes(axes, shape, volume=volume)
    make = method_of(kind).task
    if volume and not make.volumes:
        raise ValueError(f"the task {kind!r} does not restore volumes: use volume=False.")
    spatial = [axes.index(name) for name in ("zyx" if volume else "yx")]
    sizes, widths = (
        (VOLUME_EDGES, VOLUME_HALOS) if volume else ((PLANE_EDGE,) * 2, (PLANE_HALO,) * 2)
    )
    small = np.zeros(
        [min(shape[axis], size) for axis, size in zip(spatial, sizes, strict=True)],
        np.dtype(source_dtype),
    )
    small.flat[0] = 1
    given: dict[str, Any] = {**dict.fromkeys(make.pixelwise, small > 0), **options}
    example = make(small, **given)
    factors = [1] * len(shape)
    for axis, before, after in zip(spatial, small.shape, example.result_shape, strict=True):
        factors[axis] = after // before
    chosen = settings or preset_settings(kind, preset, factor=example.magnification)
    if isinstance(chosen, DeepImagePriorFit):
        raise ValueError(  # noqa: TRY004  (it is a choice, not a type)
            "the published method fits one network to a whole image and has no tiles: use preset "
            "'fast' or 'best', or restore a part of the array by itself."
        )
    method_of(kind).check(chosen)
    edges, halos = [1] * len(shape), [0] * len(shape)
    # even the last tile, perhaps of one pixel, must be as large as what the operator mixes
    for axis, size, width, mixed in zip(spatial, sizes, widths, example.operator_size, strict=True):
        edges[axis], halos[axis] = size, max(width, mixed)
        if tile is not None and axes[axis] != "z":
            edges[axis] = _checked_edge(tile)
        wanted = 1 if multiples is None else multiples[axis]
        # a tile is at most twice as large for them, as it must fit in memory
        if wanted < shape[axis] and wanted <= 2 * edges[axis]:
            edges[axis] = max(1, round(edges[axis] / wanted)) * wanted
    return _check_count(
        Plan(
            kind=kind,
            options=dict(options),
            axes=axes,
            shape=shape,
            source_dtype=np.dtype(source_dtype),
            dtype=result_dtype(dtype, np.dtype(source_dtype)),
            is_volume=volume,
            edges=tuple(min(edge, size) for edge, size in zip(edges, shape, strict=True)),
            halos=tuple(halos),
            factors=tuple(factors),
            settings=chosen,
            device=device,
            seed=seed,
            threads=threads,
        )
    )


def _check_axes(axes: str, shape: tuple[int, ...], *, volume: bool) -> None:
    needed = "zyx" if volume else "yx"
    if len(axes) != len(shape) or len(set(axes)) < len(axes):
        raise ValueError(
            f"axes={axes!r} must name each of the {len(shape)} axes of the array with another "
            "letter, such as 'tczyx'."
        )
    if missing := [name for name in needed if name not in axes]:
        raise ValueError(f"axes={axes!r} must contain {' and '.join(missing)}.")
    if 0 in shape:
        raise ValueError(f"the array is empty, its shape is {shape}.")


def _check_count(plan: Plan) -> Plan:
    """Raise ValueError if the tiles are too many to be listed, as those of a damaged store."""
    count = prod(-(-size // edge) for size, edge in zip(plan.shape, plan.edges, strict=True))
    if count > MOST_TILES:
        raise ValueError(
            f"the array of shape {plan.shape} has {count:.3g} tiles, more than {MOST_TILES}: use "
            "larger tiles, or restore parts of it."
        )
    return plan


def _checked_edge(tile: int) -> int:
    if isinstance(tile, bool) or not isinstance(tile, int) or tile < ALIGNMENT:
        raise ValueError(f"tile={tile!r} must be a whole number of pixels, {ALIGNMENT} or more.")
    return tile - tile % ALIGNMENT
