"""OME-Zarr images on the command line: restored tile by tile, by one or several processes."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import rounding_hides_signal
from ..io.console import ProgressLine, complain, say
from ..io.files import read_image
from ..io.image_file import FileError
from ..io.ome_zarr import NOT_INSTALLED, is_store, open_ome_zarr
from .termination import Terminated

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from ..io.ome_zarr import OmeZarr

_DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
"""Run by a worker as it starts: Ctrl-C reaches the whole group, and this process ends the rest."""
PATIENCE = 20
"""Seconds in which a scheduler must answer."""


def add_stores(parser: argparse.ArgumentParser) -> None:
    """Add the options of large images."""
    parser.add_argument(
        "--tile",
        type=int,
        metavar="N",
        help="for OME-Zarr, edge of a tile in pixels (default: 2048, of volumes 256)",
    )
    workers = parser.add_mutually_exclusive_group()
    workers.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="for OME-Zarr, number of processes (default: 1)",
    )
    workers.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="for OME-Zarr, a running dask scheduler, such as tcp://HOST:8786",
    )


def restore_store_to(path: Path, output: Path, options: argparse.Namespace) -> int:
    """Restore an OME-Zarr image; return the exit status."""
    from ..tiling.store import restore_store

    if output.suffix != ".zarr":
        raise FileError(f"{output}: the result of {path.name} must end with .zarr.")
    if options.workers < 1:
        raise ValueError(f"--workers {options.workers}: must be 1 or more.")
    source = open_ome_zarr(path)
    method = options.method
    others = {
        each.name: getattr(options, each.name)
        for each in method.options
        if each.name not in method.task.pixelwise
    }
    micrometers = method.task.needs_micrometers
    if micrometers or (options.volume and "spacing" in method.task.option_names()):
        names = "zyx" if options.volume else "yx"
        others["spacing"] = (
            source.spacing(names, in_micrometers=micrometers)
            if options.spacing is None
            else tuple(options.spacing[-len(names) :])
        )
    alone = options.workers == 1 and options.scheduler is None
    line = ProgressLine()
    try:
        with _scheduler(options):
            done = restore_store(
                source,
                output,
                masks=_masks(source, options),
                mask_stores=_mask_paths(options),
                fitted=options.fitted,
                overwrite=options.overwrite,
                show=lambda text: line.show(f"{path.name}: {text}"),
                kind=method.kind,
                options=others,
                volume=options.volume,
                preset=options.preset,
                settings=None if options.fitted is None else options.fitted.settings,
                tile=options.tile,
                device=options.device,
                seed=options.seed,
                dtype=_dtype(source, options),
                threads=options.threads if alone else 1,
            )
    except (KeyboardInterrupt, Terminated) as end:
        end.add_note(f"the same command continues where {output} was left.")
        raise
    finally:
        line.clear()
    say(f"{output}: {done}")
    return 0


def _dtype(source: OmeZarr, options: argparse.Namespace) -> str:
    """Return the dtype of the result: by default float32 if rounding would lose signal."""
    if options.dtype != "auto":
        return str(options.dtype)
    array, middle = source.array, []
    if array.dtype.kind not in "ui":
        return "same"
    for name, size in zip(source.axes, array.shape, strict=True):
        wanted = min(size, 1024 if name in "yx" else 1)
        middle.append(slice((size - wanted) // 2, (size - wanted) // 2 + wanted))
    planes = np.asarray(array[tuple(middle)]).squeeze()
    if planes.ndim != 2 or not rounding_hides_signal(planes):
        return "same"
    complain(
        f"{source.path.name}: rounding to {array.dtype} would lose signal; the result is float32.",
        error=False,
    )
    return "float32"


def _mask_paths(options: argparse.Namespace) -> list[Path]:
    given = (getattr(options, name, None) for name in options.method.task.pixelwise)
    return [path for path in given if path is not None]


def _masks(source: OmeZarr, options: argparse.Namespace) -> dict[str, Any]:
    """Return the masks: a store of the image's shape, or an image file of one plane."""
    masks = {}
    for name in options.method.task.pixelwise:
        path = getattr(options, name, None)
        if path is not None:
            found = open_ome_zarr(path).array if is_store(path) else read_image(path).image
            masks[name] = found if is_store(path) else np.asarray(found) != 0
    if not masks and options.method.task.pixelwise:
        raise FileError(f"{source.path}: give the mask, as a file of one plane or an OME-Zarr.")
    return masks


@contextmanager
def _scheduler(options: argparse.Namespace) -> Iterator[None]:
    """Set what computes: this process, further processes, or a running scheduler."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(NOT_INSTALLED) from error
    if options.scheduler is not None:
        try:
            client = Client(options.scheduler, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"--scheduler {options.scheduler}: no dask scheduler answers there; start one with "
                "'dask scheduler' and give its address."
            ) from error
        with client:
            yield
    elif options.workers > 1:
        # torch's memory is not that of Python objects: no worker is ended for its size
        cluster = LocalCluster(
            n_workers=options.workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address=None,
            preload=_DEAF,
            silence_logs=logging.CRITICAL,  # what fails is reported by this process
        )
        with cluster, Client(cluster):
            yield
    else:
        with dask.config.set(scheduler="synchronous"):
            yield
