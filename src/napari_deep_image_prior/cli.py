"""The command line: deep-image-prior denoise | inpaint | super-resolve | demo | reproduce.

Exit status 0: done, 1: a fit failed, 2: bad usage or bad input. Messages are one
line on standard error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import numpy as np

from . import __version__
from .console import ProgressLine, complain
from .files import SUFFIXES, check_writable, image_files, read_image, write_image
from .image_file import FileError, ImageFile, enlarged
from .pace import duration
from .settings import PRESETS
from .tasks import Denoise, Inpaint, NoiseKind, SuperResolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .arrays import Index
    from .restoration import Restoration, Step, Steps
    from .stack import StackSteps
    from .tasks import Task

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    from .restoration import RestorationError

    try:
        return int(options.action(options))
    except RestorationError as error:
        return _complain(error, EXIT_FAILED)
    except (ValueError, TypeError, OSError) as error:
        return _complain(error, EXIT_BAD_INPUT)
    except KeyboardInterrupt as interruption:
        left = str(interruption) or "nothing was written for the unfinished image."
        return _complain(f"interrupted; {left}", EXIT_INTERRUPTED)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _complain(f"{message} (see {self.prog} --help)", EXIT_BAD_INPUT)
        raise SystemExit(EXIT_BAD_INPUT)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="deep-image-prior",
        description="Restore one image with an untrained network (Deep Image Prior). No training data, no download.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add_tasks(commands)
    _add_demo(commands)
    _add_reproduce(commands)
    return parser


def _add_tasks(commands: argparse._SubParsersAction[_Parser]) -> None:
    denoise = _restoring(commands, "denoise", "remove noise", _denoise_task)
    denoise.add_argument(
        "--noise",
        default="auto",
        choices=get_args(NoiseKind),
        help="kind of noise; auto measures it (default)",
    )
    denoise.add_argument(
        "--strength",
        default=1.0,
        type=float,
        help="how much noise to take out, as a factor on what was found, 0.25 to 4: less leaves grain, more smooths "
        "(default 1)",
    )
    inpaint = _restoring(commands, "inpaint", "fill in missing pixels", _inpaint_task)
    inpaint.add_argument(
        "--missing",
        required=True,
        type=Path,
        metavar="MASK",
        help="image of the same size, or a folder of them: nonzero = unknown; for a stack of one plane or of all",
    )
    enlarge = _restoring(commands, "super-resolve", "enlarge", _super_resolve_task)
    enlarge.add_argument("--factor", required=True, type=_number, help="how many times larger, for example 4")


def _add_demo(commands: argparse._SubParsersAction[_Parser]) -> None:
    demo: _Parser = commands.add_parser("demo", help="show what it does on the bundled samples")
    demo.add_argument("--headless", action="store_true", help="write pictures instead of opening napari")
    demo.add_argument(
        "--output",
        type=Path,
        default=Path("deep-image-prior-demo"),
        metavar="DIR",
        help="folder for the pictures",
    )
    _add_how(demo)
    demo.set_defaults(action=_demo)


def _add_reproduce(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser: _Parser = commands.add_parser(
        "reproduce",
        help="measure the published tables again",
        description="Measure the tables of the Deep Image Prior publication again, beside what was published. "
        "What is measured stays: a run that is broken off goes on where it was.",
    )
    parser.add_argument(
        "experiment",
        choices=("inpainting", "denoising", "super-resolution", "pictures", "all"),
        metavar="EXPERIMENT",
        help="inpainting, denoising, super-resolution, pictures, or all of them in this order",
    )
    parser.add_argument(
        "--images",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder with the images, in inpainting11, denoising9, set5, set14 and dip_reference, or directly",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("deep-image-prior-reproduction"), metavar="DIR", help="folder to write to"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="these images, tables (set5-x4) or pictures (vase) only",
    )
    parser.add_argument(
        "--preset", nargs="+", default=PRESETS, choices=PRESETS, help="these presets only (default: all three)"
    )
    parser.add_argument("--iterations", type=int, metavar="N", help="shorten the preset paper; the table says so")
    parser.add_argument(
        "--switches",
        default="2017",
        choices=("2017", "today", "corners", "gain"),
        help="of the preset paper: upsampling and normalisation as in the torch of 2017 (default), as today, or only "
        "the aligned corners or the random gain of 2017",
    )
    _add_machine(parser)
    parser.set_defaults(action=_reproduce)


def _restoring(commands: argparse._SubParsersAction[_Parser], name: str, summary: str, make_task: object) -> _Parser:
    parser: _Parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary.capitalize()}: one image, all planes of a TIFF stack one after another, "
        "or each image of a folder.",
    )
    parser.add_argument("input", type=Path, metavar="IN", help=f"image ({', '.join(SUFFIXES)}) or a folder of images")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="OUT",
        help="file to write, or folder for a folder",
    )
    parser.add_argument(
        "--dtype", default="same", choices=("same", "float32"), help="of the result (default: the input's)"
    )
    _add_how(parser)
    parser.set_defaults(action=_restore_files, make_task=make_task)
    return parser


def _add_how(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset", default="fast", choices=PRESETS, help="fast (default), best, or as published: paper"
    )
    _add_machine(parser)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", default=0, type=int, help="of the random numbers (default 0)")
    parser.add_argument("--threads", type=int, help="CPU threads at most; 1 is quickest on a busy machine")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")


def _number(text: str) -> float:
    value = float(text)
    return int(value) if value.is_integer() else value


def _denoise_task(plane: ImageFile, _missing: NDArray[np.bool_] | None, options: argparse.Namespace) -> Task:
    return Denoise(plane.image, noise=options.noise, strength=options.strength, channel_axis=plane.channel_axis)


def _inpaint_task(plane: ImageFile, missing: NDArray[np.bool_], _options: argparse.Namespace) -> Task:
    return Inpaint(plane.image, missing=missing, channel_axis=plane.channel_axis)


def _super_resolve_task(plane: ImageFile, _missing: NDArray[np.bool_] | None, options: argparse.Namespace) -> Task:
    return SuperResolve(plane.image, factor=options.factor, channel_axis=plane.channel_axis)


def _read_missing(source: ImageFile, path: Path, options: argparse.Namespace) -> NDArray[np.bool_] | None:
    """Return what is missing of an image, or of each plane of a stack; None where the command asks for no mask."""
    if "missing" not in options:
        return None
    mask = read_image(options.missing / path.name if options.missing.is_dir() else options.missing)
    missing: NDArray[np.bool_] = np.asarray(mask.image != 0)
    # of a file that names no axes, planes may look like channels; so may one mask for each
    has_planes = mask.channel_axis == 0 and source.planes != "" and len(missing) == source.image.shape[0]
    if mask.channel_axis is not None and not has_planes:  # a mask saved as a colour picture
        colours = np.moveaxis(missing, mask.channel_axis, -1)
        # the last channel is not the picture
        transparent = mask.channel_axis == mask.image.ndim - 1 and colours.shape[-1] in (2, 4)
        missing = np.asarray((colours[..., :-1] if transparent else colours).any(axis=-1))
    if not source.planes:
        return missing
    from .stack import mask_of_planes

    if mask.planes and "".join(letter for letter in source.planes if letter in mask.planes) == mask.planes:
        lengths = dict(zip(mask.planes, missing.shape, strict=False))  # named: those that it lacks count for all
        missing = missing.reshape([lengths.get(letter, 1) for letter in source.planes] + list(missing.shape[-2:]))
    axes = len(source.leading) + 2
    return mask_of_planes(missing, tuple(source.image.shape[i] for i in range(axes) if i != source.channel_axis))


def _restore_files(options: argparse.Namespace) -> int:
    if not options.input.is_dir():
        return _restore_file(options.input, options.output, options)
    paths = image_files(options.input)
    if not paths:
        raise FileError(f"{options.input}: no image ({', '.join(SUFFIXES)}) in this folder.")
    if options.output.suffix.lower() in SUFFIXES or (options.output.exists() and not options.output.is_dir()):
        raise FileError(f"{options.output}: must be a folder, as {options.input} is one.")
    options.output.mkdir(parents=True, exist_ok=True)
    return max(_restore_one_of_many(path, options) for path in paths)


def _restore_one_of_many(path: Path, options: argparse.Namespace) -> int:
    """Restore one file of a folder; a bad one is reported and the others go on."""
    from .restoration import RestorationError

    try:
        return _restore_file(path, options.output / path.name, options)
    except RestorationError as error:
        return _complain(f"{path.name}: {error}", EXIT_FAILED)
    except FileError as error:  # has the name already
        return _complain(error, EXIT_BAD_INPUT)
    except (ValueError, TypeError, OSError) as error:
        return _complain(f"{path.name}: {error}", EXIT_BAD_INPUT)


def _restore_file(path: Path, output: Path, options: argparse.Namespace) -> int:
    source = read_image(path)
    if output.exists() and output.samefile(path):
        raise FileError(f"{output}: would overwrite the input; choose another name or folder.")
    check_writable(output, source, np.dtype(np.float32) if options.dtype == "float32" else None)
    result = _run(_steps(source, path, options), name=path.name)
    write_image(output, enlarged(source, result.image), result.provenance)
    print(f"{output}: {_summary(result)}")
    if "failed" in result.provenance:  # planes of a stack
        return _complain(f"{path.name}: {result.stop_reason}", EXIT_FAILED)
    return 0


def _steps(source: ImageFile, path: Path, options: argparse.Namespace) -> Steps | StackSteps:
    """Return the steps of an image, or of all planes of a stack."""
    from .restoration import iter_restore
    from .stack import StackSteps

    missing = _read_missing(source, path, options)
    how = {name: getattr(options, name) for name in ("preset", "device", "seed", "dtype", "threads")}
    if not source.planes:
        return iter_restore(options.make_task(source, missing, options), **how)
    parts = []
    for index, plane in source.parts():
        own = None if missing is None else missing[tuple(i for i in index if i is not None)]
        # a plane that lacks nothing stays as it is
        is_whole = own is not None and not own.any() and np.isfinite(plane.image).all()
        parts.append((index, plane.image, None if is_whole else _plane_steps(index, plane, own, options, how)))
    if all(steps is None for *_, steps in parts):
        raise ValueError("no pixel is missing in any plane: mark the unknown pixels in the mask (or NaN in the image).")
    return StackSteps.of(source.leading, parts, warm_start=True)


def _plane_steps(
    index: Index, plane: ImageFile, missing: NDArray[np.bool_] | None, options: argparse.Namespace, how: dict[str, Any]
) -> Steps:
    from .restoration import iter_restore

    try:
        return iter_restore(options.make_task(plane, missing, options), **how)
    except ValueError as error:
        raise ValueError(f"plane {', '.join(str(i) for i in index if i is not None)}: {error}") from error


def _run(steps: Steps | StackSteps, *, name: str) -> Restoration:
    """Restore with a line of progress on a terminal."""
    steps.wants_image = lambda: False
    line = ProgressLine()
    try:
        for step in steps:
            line.show(f"{name}: {_progress(step)} on {steps.device}")
        return steps.result
    finally:
        line.clear()
        steps.close()


def _progress(step: Step) -> str:
    left = "" if step.seconds_left is None else f", about {duration(step.seconds_left)} left"
    return f"{step.iteration}/{step.total}{left}"


def _summary(result: Restoration) -> str:
    made = result.provenance
    return f"{result.iterations} iterations in {made['seconds']:.0f} s on {made['device_name']}; {result.stop_reason}"


def _complain(message: object, status: int) -> int:
    complain(message)
    return status


def _demo(options: argparse.Namespace) -> int:
    from .demo import open_demo, write_demo

    if not options.headless:
        obstacle = open_demo(options)
        if obstacle is None:
            return 0
        sys.stderr.write(f"deep-image-prior: {obstacle}; writing pictures instead.\n")
    return write_demo(options)


def _reproduce(options: argparse.Namespace) -> int:
    from .reproduce.plans import Request
    from .reproduce.run import reproduce

    if options.iterations is not None and options.iterations < 1:
        raise ValueError(f"--iterations {options.iterations}: must be 1 at least.")
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
