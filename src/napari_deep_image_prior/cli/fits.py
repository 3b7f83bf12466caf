"""One fit for many images: --fit, --save-fit and --with-fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..io.console import ProgressLine, say
from ..io.image_file import FileError
from ..methods.denoising.settings import DenoisingFit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from ..methods.method import Method
    from ..methods.task import Task
    from ..restoration.fitted import Fitted
    from ..restoration.stack import StackPart

MOST_IMAGES = 4
"""Planes of a stack from which a network learns."""


def add_fits(parser: argparse.ArgumentParser, method: Method) -> None:
    """Add the options to a task that has such fits."""
    if DenoisingFit not in method.restorers:
        parser.set_defaults(fit="each", save_fit=None, with_fit=None)
        return
    parser.add_argument(
        "--fit",
        default="each",
        choices=("each", "once"),
        help="for a stack, fit a network to each plane (default), or once to "
        f"{MOST_IMAGES} planes and restore all with it",
    )
    file = parser.add_mutually_exclusive_group()
    file.add_argument(
        "--save-fit",
        type=Path,
        metavar="F",
        help="fit once and write the network to F (.safetensors), for other images",
    )
    file.add_argument(
        "--with-fit",
        type=Path,
        metavar="F",
        help="restore with the network in F and its settings, without a fit",
    )


def check_fits(options: argparse.Namespace) -> None:
    """Read the network of --with-fit, and check where that of --save-fit goes.

    Raises
    ------
    FileError
        If one of them cannot be used.
    """
    options.fitted = None
    if options.with_fit is not None:
        from ..restoration.fitted import load_fitted

        options.fitted = load_fitted(options.with_fit)
    if options.save_fit is None:
        return
    from ..restoration.fitted import check_fitted_path, load_fitted

    if options.input.is_dir():
        raise FileError("--save-fit is for one file: fit to one image, then use --with-fit.")
    check_fitted_path(options.save_fit)
    if options.save_fit.exists() and not options.overwrite:
        try:
            load_fitted(options.save_fit)
        except FileError as error:
            raise FileError(f"{error}; use --overwrite or another name.") from error


def network_for(
    path: Path, options: argparse.Namespace, examples: Callable[[], list[Task]], *, is_stack: bool
) -> Fitted | None:
    """Return the network of --with-fit, or one that is fitted to examples; None: each has its own.

    A progress line is shown, and the network is written to the file of --save-fit.
    """
    once = options.save_fit is not None or (options.fit == "once" and is_stack)
    if options.fitted is not None or not once:
        return cast("Fitted | None", options.fitted)
    from ..restoration.fitted import iter_fit

    tasks, how = examples(), ("preset", "device", "seed", "threads")
    line, fitted = ProgressLine(), None
    try:
        for step in iter_fit(tasks, **{name: getattr(options, name) for name in how}):
            line.show(f"{path.name}: {step.place}")
            fitted = step.result
    finally:
        line.clear()
    if options.save_fit is not None and fitted is not None:
        fitted.save(options.save_fit)
        say(f"{options.save_fit}: fitted to {len(tasks)} image(s); {fitted.stop_reason}")
    return fitted


def representative(parts: Sequence[StackPart]) -> list[Task]:
    """Return the tasks of a few parts that are spread evenly over a stack."""
    count = min(MOST_IMAGES, len(parts))
    chosen = [parts[int((number + 0.5) * len(parts) / count)] for number in range(count)]
    tasks = [task for part in chosen if (task := part.load()[1]) is not None]
    others = (task for part in parts if (task := part.load()[1]) is not None)
    return tasks or [task for task in [next(others, None)] if task is not None]
