"""The command line: deep-image-prior with a sub-command for each task, demo and reproduce.

Exit status 0: success, 1: a fit failed, 2: invalid usage or input, 130: interrupted, 143:
terminated, 129: the terminal was closed. Errors are one line on standard error.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .. import __version__
from ..io.console import complain
from ..io.files import SUFFIXES
from ..methods.method import PRESETS
from ..methods.registry import registered_methods
from ..restoration.threads import wait_passively
from .fits import add_fits
from .restore import EXIT_BAD_INPUT, EXIT_FAILED, fail, restore_files
from .stores import add_stores
from .termination import Terminated, terminable, what_is_written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..methods.method import Method

EXIT_INTERRUPTED, EXIT_BY_SIGNAL = 130, 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    wait_passively()  # before torch is imported
    for stream in (sys.stdout, sys.stderr):  # a console may not be able to show every file name
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    from ..restoration.base import RestorationError

    try:
        return int(options.action(options))
    except Terminated as end:
        return fail(f"terminated; {what_is_written(end)}", EXIT_BY_SIGNAL + end.args[0])
    except RestorationError as error:
        return fail(error, EXIT_FAILED)
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        return fail(error, EXIT_BAD_INPUT)
    except KeyboardInterrupt as interruption:
        state = str(interruption) or what_is_written(interruption)
        return fail(f"interrupted; {state}", EXIT_INTERRUPTED)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        fail(f"{message} (see {self.prog} --help)", EXIT_BAD_INPUT)
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
        help=f"image ({', '.join(SUFFIXES)}), an OME-Zarr image, or a folder of images",
    )
    _add_output(parser)
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
    if method.task.volumes:
        _add_volume(parser, has_spacing="spacing" in method.task.option_names())
    add_fits(parser, method)
    add_stores(parser)
    parser.set_defaults(action=restore_files, method=method, volume=False, spacing=None)


def _add_volume(parser: argparse.ArgumentParser, *, has_spacing: bool) -> None:
    """Add the options of a task that restores volumes."""
    parser.add_argument(
        "--volume",
        action="store_true",
        help="restore the planes of a stack along Z together, as a volume",
    )
    if not has_spacing:
        return
    parser.add_argument(
        "--spacing",
        nargs=3,
        type=float,
        metavar=("Z", "Y", "X"),
        help="size of a voxel, all in the same unit; by default that in the file",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options of where the result goes, and as what."""
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
        default="auto",
        choices=("auto", "same", "float32"),
        help="dtype of the result: auto (default) is the input's, or float32 where rounding would "
        "lose signal",
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
        "--threads",
        type=int,
        help="largest number of CPU threads (default: all cores but one; all for similar patches)",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")


def _demo(options: argparse.Namespace) -> int:
    from .demo import open_demo, write_demo

    if not options.headless:
        obstacle = open_demo(options)
        if obstacle is None:
            return 0
        complain(f"{obstacle}; writing images instead.", error=False)
    return write_demo(options)


@terminable()
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
