"""Restore an array of any size, tile by tile, with any scheduler of dask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from ..methods.registry import method_of
from .learning import learned_plan
from .plan import Plan, plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import DTypeLike, NDArray

    from ..fitting.settings import Settings
    from ..restoration.network import FittedNetwork
    from .tiles import Tile


def restore_array(  # noqa: PLR0913  (those of restore, and of tiles)
    source: Any,  # noqa: ANN401  (an array of numpy, dask or zarr)
    destination: Any = None,  # noqa: ANN401  (an array of numpy or zarr)
    *,
    task: str = "denoise",
    axes: str,
    volume: bool = False,
    preset: str = "fast",
    settings: Settings | None = None,
    fitted: FittedNetwork | None = None,
    tile: int | None = None,
    device: str = "auto",
    seed: int = 0,
    dtype: DTypeLike | str = "same",
    threads: int | None = 1,
    show: Callable[[str], object] | None = None,
    **options: Any,  # noqa: ANN401  (those of the task)
) -> Any:  # noqa: ANN401
    """Restore an array larger than memory, tile by tile.

    For `Denoise`, one network is fitted to a few parts of each channel, and all tiles share it,
    the noise model, and the weights. Tiles of other tasks have fits of their own. Each tile is
    read with a halo, 64 pixels wide, so that results agree where tiles meet. The work is done by
    the current scheduler of dask: threads, or a `distributed.Client`.

    Parameters
    ----------
    source : array of numpy, dask or zarr
        Read tile by tile.
    destination : array of `numpy` or `zarr`, optional
        Receives the result; its shape must be that of the result. Chunks of a zarr array must not
        be shared by tiles: edges of tiles are multiples of them. None: return a lazy dask array.
    task : str
        Kind of the task: "denoise", "inpaint", "super-resolve" or another registered one.
    axes : str
        A letter for each axis: y and x, z for depth, c for channels, others such as t.
        Channels and frames are restored one by one.
    volume : bool
        Restore the planes along z together, for tasks that do volumes.
    preset, settings
        As of `restore`; not the published method, which fits one network to a whole image.
    fitted : Fitted, optional
        A network to denoise with, in place of a fit.
    tile : int, optional
        Edge of a tile in a plane, in pixels; None: 2048 for planes, 256 for volumes, whose tiles
        are 48 planes deep.
    device, seed
        As of `restore`.
    dtype : float dtype, or "same"
        Dtype of a lazy result; that of `destination` is its own.
    threads : int, optional
        CPU threads of each tile; None: all cores.
    show : callable, optional
        Receives the state of the work as text.
    **options
        Options of the task. Masks are arrays of the source's shape, or of (Y, X).

    Returns
    -------
    array
        `destination`, or a dask array.

    Raises
    ------
    RestorationError
        If a fit failed; the tiles restored before are in `destination`.
    ValueError, TypeError
        If an argument is invalid.
    ModuleNotFoundError
        If dask is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> stack = np.random.default_rng(0).normal(100, 5, (2, 32, 48)).astype("float32")
    >>> network = dip.CompactNetwork(widths=(8,), depth=0)
    >>> settings = dip.DenoisingFit(network, iterations=2, crop=16, draws=1)
    >>> lazy = dip.restore_array(stack, axes="tyx", settings=settings, tile=32)
    >>> lazy.shape, lazy.numblocks
    ((2, 32, 48), (2, 1, 2))
    """
    names = method_of(task).task.pixelwise
    masks = {name: options.pop(name) for name in names if options.get(name) is not None}
    plan = plan_of(
        source.shape,
        source.dtype,
        kind=task,
        axes=axes,
        volume=volume,
        preset=preset,
        settings=settings if fitted is None else fitted.settings,
        tile=tile,
        multiples=chunks_of(destination),
        device=device,
        seed=seed,
        dtype=dtype if destination is None else destination.dtype,
        threads=threads,
        options=options,
    )
    if destination is not None and tuple(destination.shape) != plan.result_shape:
        raise ValueError(
            f"destination has shape {tuple(destination.shape)}, but the result's is "
            f"{plan.result_shape}."
        )
    units = chunks_of(destination)
    if units is not None and not plan.owns(units):
        raise ValueError(
            f"tiles would share chunks of destination, {tuple(units)}: make it with chunks of 1 "
            "along axes that are restored one by one, and with smaller ones along the others."
        )
    masks = {name: full_mask(mask, plan) for name, mask in masks.items()}
    for step in learned_plan(plan, source, fitted):
        if isinstance(step, Plan):
            plan = step
        elif show is not None:
            show(step)
    if destination is None:
        return _lazy(plan, source, masks)
    restore_tiles(plan, source, destination, masks, show=show)
    return destination


def chunks_of(destination: Any) -> tuple[int, ...] | None:  # noqa: ANN401
    """Return what two tiles must not share of a zarr array: shards, or chunks."""
    found: tuple[int, ...] | None = getattr(destination, "shards", None)
    return found or getattr(destination, "chunks", None)


def full_mask(mask: Any, plan: Plan) -> Any:  # noqa: ANN401
    """Return a mask with the axes of the array; one of (Y, X) serves all planes.

    Raises
    ------
    ValueError
        If the shapes do not match.
    """
    if tuple(mask.shape) == plan.shape:
        return mask
    plane = tuple(plan.shape[plan.axes.index(name)] for name in "yx")
    if tuple(mask.shape) != plane:
        raise ValueError(
            f"the mask has shape {tuple(mask.shape)}: it must be that of the array, {plan.shape}, "
            f"or of a plane, {plane}."
        )
    y, x = (plan.axes.index(name) for name in "yx")
    plane_mask = np.asarray(mask) if y < x else np.asarray(mask).T
    inserted = [axis for axis in range(len(plan.shape)) if axis not in (y, x)]
    return np.broadcast_to(np.expand_dims(plane_mask, inserted), plan.shape)


def restore_tiles(
    plan: Plan,
    source: Any,  # noqa: ANN401
    destination: Any,  # noqa: ANN401
    masks: Mapping[str, Any],
    *,
    done: Any = None,  # noqa: ANN401
    skipped: Collection[int] = (),
    show: Callable[[str], object] | None = None,
) -> None:
    """Restore the tiles of an array into a destination, on the current scheduler of dask.

    done: an array that receives 1 at the number of each tile that has been written.
    skipped: numbers of tiles that are left out.
    """
    dask: Any = _dask()
    shared = _shared(plan)
    write = dask.delayed(_written, pure=False)
    tiles = [tile for tile in plan.tiles if tile.number not in skipped]
    jobs = [
        write(shared, tile.number, *_read(source, masks, tile), destination, done) for tile in tiles
    ]
    count = len(plan.tiles) - len(jobs)

    def report() -> None:
        nonlocal count
        count += 1
        if show is not None:
            show(f"{count} of {len(plan.tiles)} tiles")

    _compute(jobs, report)


def _shared(plan: Plan) -> Any:  # noqa: ANN401
    """Return the plan as one task of dask, which each worker receives once."""
    # a name of its own: a scheduler remembers the tasks of former plans
    return _dask().delayed(plan, name=f"plan-{uuid4().hex}", traverse=False)


def _compute(jobs: list[Any], report: Callable[[], None]) -> None:
    """Compute on the current scheduler, and call `report` after each job."""
    client = _client()
    if client is None:
        from dask.callbacks import Callback

        names = {job.key for job in jobs}

        def after(key: object, *_others: object) -> None:
            if key in names:
                report()

        with Callback(posttask=after):
            _dask().compute(*jobs, optimize_graph=False)
        return
    from distributed import as_completed

    futures = client.compute(jobs, optimize_graph=False)
    try:
        for future in as_completed(futures):
            future.result()
            report()
    finally:
        client.cancel(futures)


def _client() -> Any:  # noqa: ANN401
    """Return the current client of dask.distributed; None if another scheduler is set."""
    import dask

    if dask.config.get("scheduler", None) not in (None, "dask.distributed", "distributed"):
        return None
    try:
        from distributed import get_client
    except ModuleNotFoundError:
        return None
    try:
        return get_client()
    except ValueError:
        return None


def _written(
    plan: Plan,
    number: int,
    pixels: Any,  # noqa: ANN401
    masks: Mapping[str, Any],
    destination: Any,  # noqa: ANN401
    done: Any,  # noqa: ANN401
) -> int:
    """Restore a tile, write it, and return its number."""
    result = _restored(plan, number, pixels, masks)
    destination[plan.tiles[number].result(plan.factors)] = result
    if done is not None:
        done[number] = 1
    return number


def _restored(
    plan: Plan,
    number: int,
    pixels: Any,  # noqa: ANN401
    masks: Mapping[str, Any],
) -> NDArray[Any]:
    tile = plan.tiles[number]
    read = {name: np.asarray(_part(mask, tile)) for name, mask in masks.items()}
    return plan.restored(number, np.asarray(_part(pixels, tile)), read)


def _read(source: Any, masks: Mapping[str, Any], tile: Tile) -> tuple[Any, dict[str, Any]]:  # noqa: ANN401
    """Return what a worker gets of the source and the masks: a part, or where to read it."""
    return _sent(source, tile), {name: _sent(mask, tile) for name, mask in masks.items()}


def _sent(array: Any, tile: Tile) -> Any:  # noqa: ANN401
    # an array of zarr is opened by the worker, which reads the tile; others are cut here
    return array if _is_stored(array) else array[tile.outer]


def _part(array: Any, tile: Tile) -> Any:  # noqa: ANN401
    return array[tile.outer] if _is_stored(array) else array


def _is_stored(array: Any) -> bool:  # noqa: ANN401
    return hasattr(array, "store") and not hasattr(array, "dask")


def _lazy(plan: Plan, source: Any, masks: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the result as a dask array with a block for each tile."""
    dask = _dask()
    import dask.array as da

    shared = _shared(plan)
    restore = dask.delayed(_restored, pure=False)
    blocks = []
    for tile in plan.tiles:
        shape = tuple(part.stop - part.start for part in tile.result(plan.factors))
        block = restore(shared, tile.number, *_read(source, masks, tile))
        blocks.append(da.from_delayed(block, shape, dtype=plan.dtype))
    counts = [-(-size // edge) for size, edge in zip(plan.shape, plan.edges, strict=True)]
    return da.block(_nested(blocks, counts))


def _nested(blocks: list[Any], counts: list[int]) -> list[Any]:
    """Return blocks in row-major order as nested lists, one level for each axis."""
    if len(counts) == 1:
        return blocks
    size = len(blocks) // counts[0]
    return [
        _nested(blocks[start : start + size], counts[1:]) for start in range(0, len(blocks), size)
    ]


def _dask() -> Any:  # noqa: ANN401
    try:
        import dask
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "large arrays need dask: pip install 'napari-deep-image-prior[large]'"
        ) from error
    return dask
