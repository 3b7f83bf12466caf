"""The command line: deep-image-prior with a sub-command for each task, demo and reproduce.

Exit status 0: success, 1: a fit failed, 2: invalid usage or input, 130: interrupted. Errors are one
line on standard error.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .. import __version__
from ..io.console import complain
from ..io.files import SUFFIXES, check_writable, image_files, is_result, read_image, write_image
from ..io.image_file import FileError, ImageFile, enlarged
from ..methods.registry import PRESETS, registered_methods
from ..restoration.threads import wait_passively
from .progress import run_with_progress, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..arrays import Index
    from ..methods.registry import Method
    from ..methods.task import Task
    from ..restoration.base import RestorationSteps

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    wait_passively()  # before torch is imported
    options = _parser().parse_args(arguments)
    from ..restoration.base import RestorationError

    try:
        return int(options.action(options))
    except RestorationError as error:
        return _complain(error, EXIT_FAILED)
    except (ValueError, TypeError, OSError) as error:
        return _complain(error, EXIT_BAD_INPUT)
    except KeyboardInterrupt as interruption:
        state = str(interruption) or "nothing was written for the unfinished image."
        return _complain(f"interrupted; {state}", EXIT_INTERRUPTED)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _complain(f"{message} (see {self.prog} --help)", EXIT_BAD_INPUT)
        raise SystemExit(EXIT_BAD_INPUT)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="deep-image-prior",
        description="Restore one image with an untrained network (Deep Image Prior), "
        "without training data or downloads.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for method in registered_methods():
        _add_task(commands, method)
    _add_demo(commands)
    _add_reproduce(commands)
    return parser


def _add_task(commands: argparse._SubParsersAction[_Parser], method: Method) -> None:
    """Add the sub-command of a task, with the task's own options."""
    parser: _Parser = commands.add_parser(
        method.kind,
        help=method.summary,
        description=f"{method.summary.capitalize()}: one image, all planes of a TIFF stack in "
        "sequence, or each image of a folder.",
    )
    parser.add_argument(
        "input",
        type=Path,
        metavar="IN",
        help=f"image ({', '.join(SUFFIXES)}) or a folder of images",
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="OUT",
        help="output file, or folder if IN is a folder",
    )
    parser.add_argument(
        "--dtype",
        default="same",
        choices=("same", "float32"),
        help="dtype of the result (default: the input's)",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite",
        action="store_true",
        help="overwrite any existing output; by default only results of this program are",
    )
    existing.add_argument(
        "--skip-existing",
        action="store_true",
        help="skip inputs whose output exists, to continue an interrupted run",
    )
    _add_how(parser, tuple(method.presets))
    for option in method.options:
        is_mask = option.name in method.task.pixelwise
        parser.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=Path if is_mask else option.type,
            default=option.default,
            choices=option.choices,
            required=option.required,
            metavar=option.metavar,
            help=option.help.replace("%", "%%"),
        )
    parser.set_defaults(action=_restore_files, method=method)


def _add_demo(commands: argparse._SubParsersAction[_Parser]) -> None:
    demo: _Parser = commands.add_parser("demo", help="restore the bundled samples")
    demo.add_argument(
        "--headless", action="store_true", help="write images instead of opening napari"
    )
    demo.add_argument(
        "--output",
        type=Path,
        default=Path("deep-image-prior-demo"),
        metavar="DIR",
        help="folder for the images",
    )
    _add_how(demo)
    demo.set_defaults(action=_demo)


def _add_reproduce(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser: _Parser = commands.add_parser(
        "reproduce",
        help="reproduce the published tables",
        description="Reproduce the tables of the Deep Image Prior publication, with the published "
        "values beside ours. An interrupted run continues where it was.",
    )
    parser.add_argument(
        "experiment",
        choices=("inpainting", "denoising", "super-resolution", "pictures", "all"),
        metavar="EXPERIMENT",
        help="inpainting, denoising, super-resolution, pictures, or all in this order",
    )
    parser.add_argument(
        "--images",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder with the images, directly or in sub-folders "
        "inpainting11, denoising9, set5, set14 and dip_reference",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("deep-image-prior-reproduction"),
        metavar="DIR",
        help="output folder",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="only these images, tables (set5-x4) or pictures (vase)",
    )
    parser.add_argument(
        "--preset",
        nargs="+",
        default=PRESETS,
        choices=PRESETS,
        help="only these presets (default: all)",
    )
    parser.add_argument(
        "--iterations",
        type=int,
        metavar="N",
        help="iterations of the preset paper instead of the published ones; noted in the table",
    )
    parser.add_argument(
        "--switches",
        default="2017",
        choices=("2017", "today", "corners", "gain"),
        help="upsampling and normalization of the preset paper: as in torch in 2017 (default), as "
        "today, or only the aligned corners or the random gain of 2017",
    )
    _add_machine(parser)
    parser.set_defaults(action=_reproduce)


def _add_how(parser: argparse.ArgumentParser, presets: tuple[str, ...] = PRESETS) -> None:
    parser.add_argument(
        "--preset",
        default="fast",
        choices=presets,
        help="fast (default), best (highest quality), or paper (published settings)",
    )
    _add_machine(parser)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", default=0, type=int, help="random seed (default 0)")
    parser.add_argument(
        "--threads", type=int, help="largest number of CPU threads (default: all cores but one)"
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")


def _read_mask(source: ImageFile, path: Path, given: Path) -> NDArray[np.bool_]:
    """Return the mask from a file for an image, or for each plane of a stack."""
    mask = read_image(given / path.name if given.is_dir() else given)
    missing: NDArray[np.bool_] = np.asarray(mask.image != 0)
    # in a file without axis names, masks of planes may look like channels
    has_planes = (
        mask.channel_axis == 0 and source.planes != "" and len(missing) == source.image.shape[0]
    )
    if mask.channel_axis is not None and not has_planes:  # a mask saved as a color picture
        colors = np.moveaxis(missing, mask.channel_axis, -1)
        # the last channel is the opacity
        transparent = mask.channel_axis == mask.image.ndim - 1 and colors.shape[-1] in (2, 4)
        missing = np.asarray((colors[..., :-1] if transparent else colors).any(axis=-1))
    if not source.planes:
        return missing
    from ..restoration.stack import mask_of_planes

    if (
        mask.planes
        and "".join(letter for letter in source.planes if letter in mask.planes) == mask.planes
    ):
        # axes that the mask lacks are broadcast
        lengths = dict(zip(mask.planes, missing.shape, strict=False))
        missing = missing.reshape(
            [lengths.get(letter, 1) for letter in source.planes] + list(missing.shape[-2:])
        )
    axes = len(source.leading) + 2
    return mask_of_planes(
        missing, tuple(source.image.shape[i] for i in range(axes) if i != source.channel_axis)
    )


def _restore_files(options: argparse.Namespace) -> int:
    if not options.input.is_dir():
        return _restore_file(options.input, options.output, options)
    paths = image_files(options.input)
    if not paths:
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
        return _complain(f"{path.name}: {error}", EXIT_FAILED)
    except FileError as error:  # its message has the name
        return _complain(error, EXIT_BAD_INPUT)
    except (ValueError, TypeError, OSError) as error:
        return _complain(f"{path.name}: {error}", EXIT_BAD_INPUT)


def _check_overwriting(output: Path, path: Path, options: argparse.Namespace) -> None:
    """Raise FileError if the output would replace an input, or a file that is not a result."""
    if not output.exists():
        return
    masks = {name: getattr(options, name, None) for name in options.method.task.pixelwise}
    for name, given in {"input": path, **masks}.items():
        if given is not None and given.exists() and output.samefile(given):
            raise FileError(f"{output}: would overwrite the {name}; choose another name or folder.")
    if not options.overwrite and not is_result(output):
        raise FileError(
            f"{output}: exists and is not a result of this program; use --overwrite, "
            "--skip-existing or another name."
        )


def _restore_file(path: Path, output: Path, options: argparse.Namespace) -> int:
    source = read_image(path)
    if options.skip_existing and output.exists():
        print(f"{output}: exists, skipped")
        return 0
    _check_overwriting(output, path, options)
    for note in source.notes:
        complain(f"{path.name}: {note}", error=False)
    check_writable(output, source, np.dtype(np.float32) if options.dtype == "float32" else None)
    result = run_with_progress(_steps(source, path, options), name=path.name)
    write_image(output, enlarged(source, result.image), result.provenance)
    print(f"{output}: {summary(result)}")
    if "failed" in result.provenance:  # planes of a stack
        return _complain(f"{path.name}: {result.stop_reason}", EXIT_FAILED)
    return 0


def _steps(source: ImageFile, path: Path, options: argparse.Namespace) -> RestorationSteps:
    """Return the steps of an image, or of all planes of a stack."""
    from ..restoration.api import iter_restore
    from ..restoration.stack import StackPart, StackSteps

    method: Method = options.method
    masks = {
        name: _read_mask(source, path, getattr(options, name))
        for name in method.task.pixelwise
        if getattr(options, name, None) is not None
    }
    others = {
        each.name: getattr(options, each.name)
        for each in method.options
        if each.name not in method.task.pixelwise
    }
    how = {
        name: getattr(options, name) for name in ("preset", "device", "seed", "dtype", "threads")
    }
    if not source.planes:
        return iter_restore(
            method.task(source.image, channel_axis=source.channel_axis, **masks, **others), **how
        )

    def load(index: Index, plane: ImageFile) -> tuple[NDArray[Any], Task | None]:
        own = {name: mask[tuple(i for i in index if i is not None)] for name, mask in masks.items()}
        if not np.isfinite(plane.image).any():
            complain(f"{path.name}: plane {_numbered(index)} has no data; kept as is.", error=False)
            return plane.image, None
        if not method.task.is_needed(plane.image, **own, **others):
            return plane.image, None
        try:
            return plane.image, method.task(
                plane.image, channel_axis=plane.channel_axis, **own, **others
            )
        except ValueError as error:
            raise ValueError(f"plane {_numbered(index)}: {error}") from error

    parts = (StackPart(index, partial(load, index, plane)) for index, plane in source.parts())
    return StackSteps.of(source.leading, parts, how, warm_start=True)


def _complain(message: object, status: int) -> int:
    complain(message)
    return status


def _numbered(index: Index) -> str:
    return ", ".join(str(i) for i in index if i is not None)


def _demo(options: argparse.Namespace) -> int:
    from .demo import open_demo, write_demo

    if not options.headless:
        obstacle = open_demo(options)
        if obstacle is None:
            return 0
        sys.stderr.write(f"deep-image-prior: {obstacle}; writing images instead.\n")
    return write_demo(options)


def _reproduce(options: argparse.Namespace) -> int:
    from ..reproduction.plans import Request
    from ..reproduction.run import reproduce

    if options.iterations is not None and options.iterations < 1:
        raise ValueError(f"--iterations {options.iterations}: must be 1 or more.")
    request = Request(
        options.experiment,
        options.images,
        options.output,
        only=options.only,
        presets=options.preset,
        iterations=options.iterations,
        switches=options.switches,
        seed=options.seed,
        device=options.device,
        threads=options.threads,
    )
    return EXIT_FAILED if reproduce(request) else 0
