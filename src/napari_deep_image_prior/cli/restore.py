"""The sub-commands of the tasks: image files in, restored image files out."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import has_data, rounding_hides_signal, selection
from ..io.console import complain, say
from ..io.files import (
    PNG_SUFFIXES,
    SUFFIXES,
    check_space,
    check_writable,
    image_files,
    is_result,
    read_image,
    write_image,
)
from ..io.image_file import FileError, ImageFile, result_file
from ..io.ome_zarr import is_store
from ..io.units import in_unit
from ..restoration.cautions import collected_cautions
from .fits import check_fits, network_for, representative
from .masks import mask_file, read_mask
from .progress import run_with_progress, summary
from .stores import restore_store_to
from .termination import noting_whether_written, terminable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..arrays import Index
    from ..methods.method import Method
    from ..methods.task import Task
    from ..restoration.base import RestorationSteps

EXIT_FAILED, EXIT_BAD_INPUT = 1, 2


@terminable()
def restore_files(options: argparse.Namespace) -> int:
    """Restore a file, or each image of a folder; return the exit status."""
    check_fits(options)
    if is_store(options.input):
        return restore_store_to(options.input, options.output, options)
    if not options.input.is_dir():
        return _restore_file(options.input, options.output, options)
    paths = image_files(options.input)
    if not paths:
        stores = sorted(path for path in options.input.iterdir() if is_store(path))
        if stores:
            raise FileError(
                f"{options.input}: the folder has Zarr stores; restore one at a time, as "
                f"{stores[0]}."
            )
        raise FileError(f"{options.input}: the folder has no image ({', '.join(SUFFIXES)}).")
    if options.output.suffix.lower() in SUFFIXES or (
        options.output.exists() and not options.output.is_dir()
    ):
        raise FileError(f"{options.output}: must be a folder because {options.input} is one.")
    options.output.mkdir(parents=True, exist_ok=True)
    return max(_restore_one_of_many(path, options) for path in paths)


def _restore_one_of_many(path: Path, options: argparse.Namespace) -> int:
    """Restore one file of a folder; an error is reported and the others continue."""
    from ..restoration.base import RestorationError

    try:
        return _restore_file(path, options.output / path.name, options)
    except RestorationError as error:
        return fail(f"{path.name}: {error}", EXIT_FAILED)
    except FileError as error:  # its message has the name
        return fail(error, EXIT_BAD_INPUT)
    except (ValueError, TypeError, OSError) as error:
        return fail(f"{path.name}: {error}", EXIT_BAD_INPUT)


def _check_overwriting(output: Path, path: Path, options: argparse.Namespace) -> None:
    """Raise FileError if the output would replace an input, or a file that is not a result."""
    if not output.exists():
        return
    given = (getattr(options, name, None) for name in options.method.task.pixelwise)
    masks = [mask_file(path, mask) for mask in given if mask is not None]
    for name, source in [("input", path), *(("mask", mask) for mask in masks)]:
        if source.exists() and output.samefile(source):
            raise FileError(f"{output}: would overwrite the {name}; choose another name or folder.")
    if not options.overwrite and not is_result(output):
        raise FileError(
            f"{output}: exists and is not a result of this program; use --overwrite, "
            "--skip-existing or another name."
        )


def _restore_file(path: Path, output: Path, options: argparse.Namespace) -> int:
    with noting_whether_written(output):
        return _restored(path, output, options)


def _restored(path: Path, output: Path, options: argparse.Namespace) -> int:
    if options.skip_existing and output.exists():
        say(f"{output}: exists, skipped")
        return 0
    source = read_image(path)
    _check_overwriting(output, path, options)
    for note in (*source.notes, *_transparency(source)):
        complain(f"{path.name}: {note}", error=False)
    check_writable(output, source, np.dtype(np.float32) if options.dtype == "float32" else None)
    dtype = _dtype(source, path, output, options)
    with collected_cautions() as cautions:
        steps = _steps(source, path, options, dtype)
    for caution in dict.fromkeys(cautions):
        complain(f"{path.name}: {caution}", error=False)
    if dtype == "float32" and steps.dtype != dtype:
        complain(
            f"{path.name}: float32 is too coarse for its contrast; the result is {steps.dtype}.",
            error=False,
        )
    check_space(output, np.dtype(steps.dtype).itemsize * _pixels(steps))
    result = run_with_progress(steps, name=path.name)
    write_image(output, result_file(source, result.image), result.provenance)
    say(f"{output}: {summary(result)}")
    if "failed" in result.provenance:  # planes of a stack
        return fail(f"{path.name}: {result.stop_reason}", EXIT_FAILED)
    return 0


def _pixels(steps: RestorationSteps) -> int:
    """Return the number of pixels of the result, over all planes and channels."""
    return prod(steps.task.result_shape if steps.is_one_fit else steps.initial_image.shape)


def _transparency(source: ImageFile) -> tuple[str, ...]:
    """Return a line on the transparency of a color image, if not all pixels have the same."""
    if source.channel_axis != source.image.ndim - 1 or source.channel_count not in (2, 4):
        return ()
    if source.is_color is False or np.ptp(source.image[..., -1]) == 0:
        return ()
    return ("its transparency is restored like a color, and transparent pixels like any others.",)


def _dtype(source: ImageFile, path: Path, output: Path, options: argparse.Namespace) -> str:
    """Return the dtype of the result: by default float32 if rounding would lose signal."""
    if options.dtype == "float32":
        return "float32"
    if source.image.dtype.kind not in "ui" or source.is_color:
        return "same"
    axes = [axis for axis in range(source.image.ndim) if axis != source.channel_axis][-2:]
    images = np.moveaxis(source.image, axes, (-2, -1))
    images = images.reshape(-1, *images.shape[-2:])
    some = images[:: max(1, len(images) // 16)]
    if sum(map(rounding_hides_signal, some)) <= len(some) / 2:
        return "same"
    if options.dtype == "same" or output.suffix.lower() in PNG_SUFFIXES:
        complain(
            f"{path.name}: rounding to {source.image.dtype} loses signal; use --dtype float32 "
            "and a .tif file.",
            error=False,
        )
        return "same"
    complain(
        f"{path.name}: rounding to {source.image.dtype} would lose signal; the result is float32.",
        error=False,
    )
    return "float32"


def _steps(
    source: ImageFile, path: Path, options: argparse.Namespace, dtype: str
) -> RestorationSteps:
    """Return the steps of an image, or of all planes of a stack."""
    from ..restoration.api import new_steps
    from ..restoration.cautions import warn_of
    from ..restoration.stack import StackPart, StackSteps

    method: Method = options.method
    masks = {
        name: read_mask(source, path, getattr(options, name))
        for name in method.task.pixelwise
        if getattr(options, name, None) is not None
    }
    others = {
        each.name: getattr(options, each.name)
        for each in method.options
        if each.name not in method.task.pixelwise
    }
    how = {name: getattr(options, name) for name in ("preset", "device", "seed", "threads")}
    how["dtype"] = dtype
    complained: set[Index] = set()
    others |= _voxels(source, path, options)
    if not source.planes or (options.volume and len(source.planes) == 1):
        task = method.task(source.image, channel_axis=source.channel_axis, **masks, **others)
        warn_of(task)
        how["fitted"] = network_for(path, options, lambda: [task], is_stack=False)
        return new_steps(task, **how)

    def load(index: Index, plane: ImageFile) -> tuple[NDArray[Any], Task | None]:
        own = {name: mask[_within_mask(index, source)] for name, mask in masks.items()}
        if not has_data(plane.image, plane.channel_axis):
            if index in complained:
                return plane.image, None
            complained.add(index)
            where = " in a channel" if np.isfinite(plane.image).any() else ""
            complain(
                f"{path.name}: plane {_numbered(index)} has no data{where}; kept as is.",
                error=False,
            )
            return plane.image, None
        if not method.task.is_needed(plane.image, plane.channel_axis, **own, **others):
            return plane.image, None
        try:
            return plane.image, method.task(
                plane.image, channel_axis=plane.channel_axis, **own, **others
            )
        except ValueError as error:
            raise ValueError(f"plane {_numbered(index)}: {error}") from error

    parts = [
        StackPart(index, partial(load, index, plane))
        for index, plane in source.parts(volumes=options.volume)
    ]
    is_stack = len(parts) > 1
    how["fitted"] = network_for(path, options, lambda: representative(parts), is_stack=is_stack)
    called = "volume" if options.volume else "plane"
    return StackSteps.of(source.leading, parts, how, called=called, warm_start=True)


def _voxels(source: ImageFile, path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the option `spacing` of a task that has one, by name."""
    task = options.method.task
    if options.volume:
        _check_volume(source, path)
        if "spacing" not in task.option_names():
            return {}
        needs = task.needs_micrometers
        return {"spacing": _spacing(source, path, options.spacing, in_micrometers=needs)}
    if task.needs_micrometers:
        found = source.pixel_size and _micrometers(source.pixel_size, source.unit)
        return {"spacing": found if options.spacing is None else tuple(options.spacing[-2:])}
    if options.spacing is not None:
        raise ValueError("--spacing is for volumes: add --volume.")
    return {}


def _within_mask(index: Index, source: ImageFile) -> tuple[int | slice, ...]:
    """Return the index of a part in a mask, which has no channels."""
    return selection(tuple(i for axis, i in enumerate(index) if axis != source.channel_axis))


def _check_volume(source: ImageFile, path: Path) -> None:
    """Raise FileError if the file holds no volume."""
    if source.depth_axis is None:
        axes = f"its axes of planes are {source.planes}" if source.planes else "it is one image"
        raise FileError(f"{path}: holds no volume, because {axes}; omit --volume.")


def _spacing(
    source: ImageFile, path: Path, given: Sequence[float] | None, *, in_micrometers: bool = False
) -> tuple[float, ...] | None:
    """Return the size of a voxel, None where the file does not say it."""
    found: tuple[float, ...] | None = source.voxel_size()
    if in_micrometers:
        found = found and _micrometers(found, source.unit)
    elif given is None and found is None:
        complain(
            f"{path.name}: the size of its voxels is unknown and taken to be the same along Z, Y "
            "and X; give it with --spacing.",
            error=False,
        )
    return found if given is None else tuple(given)


def _micrometers(sizes: tuple[float, ...], unit: str) -> tuple[float, ...] | None:
    """Convert sizes of pixels to micrometers; None if the unit is no length."""
    converted = [in_unit(size, unit, "µm") for size in sizes]
    return tuple(size for size in converted if size is not None) if all(converted) else None


def _numbered(index: Index) -> str:
    return ", ".join(str(i) for i in index if i is not None)


def fail(message: object, status: int) -> int:
    """Write an error and return the exit status."""
    complain(message)
    return status
