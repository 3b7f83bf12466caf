"""A fit that serves many images: learn from representative ones, restore the others with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..encoding import fingerprint
from ..io.files import check_folder, first_line, write_whole
from ..io.image_file import FileError
from ..methods.denoising.settings import neighbors_of
from ..methods.registry import settings_to_dict
from ..methods.task import Task
from .api import new_steps, result_of
from .base import explained_errors
from .cautions import warn_of
from .devices import choose_device, fit_environment
from .network import LARGEST, FittedNetwork, check_learnable, content_of
from .steps import place_of
from .threads import default_threads, patch_threads

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import torch
    from numpy.typing import DTypeLike

    from ..fitting.base import Progress
    from ..fitting.settings import Settings
    from ..methods.denoising.restorer import DenoisingRestorer
    from ..methods.denoising.settings import DenoisingFit
    from ..methods.denoising.task import Denoise
    from ..methods.denoising.whole import Whole
    from .base import Restoration
    from .steps import Steps

SUFFIX = ".safetensors"


class Fitted(FittedNetwork):
    """A network fitted by `fit`, which restores other images of the same kind."""

    def restore(self, task: Task, **how: Any) -> Restoration:  # noqa: ANN401  (those of restore)
        """Restore an image with the network, without a fit of its own.

        The noise and the first estimate are the image's own. How far the network's correction is
        followed is judged by recorrupted pairs of the image. Where the network adds nothing, the
        result is the first estimate, and the stop reason says so. With the same seed, an image that
        the network was fitted to alone gets the same result as by `restore`.

        Parameters
        ----------
        task : Denoise
            With as many channels as those the network was fitted to.
        **how
            `device`, `seed`, `dtype`, `threads` and `stop_after`, as of `restore`.

        Returns
        -------
        Restoration

        Raises
        ------
        RestorationError, ValueError, TypeError
            As `restore`; ValueError also if the task is of another kind.
        """
        return result_of(self.iter_restore(task, **how))

    def iter_restore(
        self,
        task: Task,
        *,
        device: str = "auto",
        seed: int = 0,
        dtype: DTypeLike = "float32",
        threads: int | None = None,
        stop_after: int | None = None,
    ) -> Steps:
        """Do the same as `restore`, step by step, as `iter_restore` does."""
        steps = new_steps(
            task,
            device=device,
            seed=seed,
            dtype=dtype,
            threads=threads,
            stop_after=stop_after,
            fitted=self,
        )
        warn_of(task)
        return steps

    def save(self, path: str | Path) -> None:
        """Write the network to a file, for `load_fitted`.

        Raises
        ------
        FileError (a ValueError)
            If the file cannot be written, or its name does not end with .safetensors.
        """
        check_fitted_path(path)
        write_whole(Path(path), self.content)


@dataclass(frozen=True, eq=False)
class FitStep:
    """One step of a fit to representative images."""

    image_number: int
    """Number of the image that is learned from, from 1."""
    images: int
    """Number of images."""
    iteration: int
    """Steps done with this image, from 1."""
    total: int
    """Steps planned with this image."""
    misfit: float | None
    """The held-out error relative to that of the first estimates; None before the network's fit."""
    place: str
    """The stage and what is done of it, as text."""
    result: Fitted | None = field(default=None, repr=False)
    """The result, with the last step only."""


def fit(
    task_or_tasks: Task | Sequence[Task],
    *,
    preset: str = "fast",
    settings: Settings | None = None,
    device: str = "auto",
    seed: int = 0,
    threads: int | None = None,
) -> Fitted:
    """Fit a network to one or several representative images, to restore others with it.

    Parameters
    ----------
    task_or_tasks : Denoise, or a sequence of them
        The images to learn from; all with the same number of channels, all planes or all volumes.
    preset, settings, device, seed, threads
        As of `restore`; presets "fast" and "best".

    Returns
    -------
    Fitted

    Raises
    ------
    RestorationError
        If the fit failed.
    ValueError, TypeError
        If an argument is invalid, or the task has no such fit.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> stack = np.random.default_rng(0).normal(100, 5, (3, 24, 24))
    >>> network = dip.CompactNetwork(widths=(8,), depth=0)
    >>> settings = dip.DenoisingFit(network, iterations=2, crop=16, draws=1)
    >>> fitted = dip.fit(dip.Denoise(stack[1]), settings=settings)
    >>> np.stack([fitted.restore(dip.Denoise(plane)).image for plane in stack]).shape
    (3, 24, 24)
    """
    for step in iter_fit(
        task_or_tasks, preset=preset, settings=settings, device=device, seed=seed, threads=threads
    ):
        if step.result is not None:
            return step.result
    raise AssertionError("the last step has the result")


def iter_fit(
    task_or_tasks: Task | Sequence[Task],
    *,
    preset: str = "fast",
    settings: Settings | None = None,
    device: str = "auto",
    seed: int = 0,
    threads: int | None = None,
) -> Iterator[FitStep]:
    """Do the same as `fit`, step by step; the arguments are the same.

    Leaving the loop ends the fit and frees its memory.

    Yields
    ------
    FitStep
        The last one has the result.

    Raises
    ------
    RestorationError, ValueError, TypeError
        As `fit`.
    """
    tasks = [task_or_tasks] if isinstance(task_or_tasks, Task) else list(task_or_tasks)
    if not tasks:
        raise ValueError("there is no image to learn from: give one task or several.")
    kinds = set()
    for task in tasks:
        chosen = new_steps(  # validates the arguments, and chooses the settings
            task, preset=preset, settings=settings, device=device, seed=seed, threads=threads
        ).settings
        check_learnable(task, chosen)
        warn_of(task)
        kinds.add((task.channels, neighbors_of(task.spatial_shape)))
    if len(kinds) > 1:
        raise ValueError(
            "the images to learn from differ in their number of channels, or some are planes and "
            "some volumes: fit each kind alone."
        )
    working = learning(tasks, cast("DenoisingFit", chosen), choose_device(device), seed)
    return _in_environment(working, threads or default_threads(), patch_threads(threads))


def load_fitted(path: str | Path) -> Fitted:
    """Read a network that `Fitted.save` wrote.

    Raises
    ------
    FileError (a ValueError)
        If the file is missing, damaged, or not of a fitted network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path}: no such file.")
    if path.stat().st_size > LARGEST:
        raise FileError(f"{path}: is too large for a fitted network.")
    try:
        return Fitted.from_content(path.read_bytes())
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError) as error:
        raise FileError(f"{path}: is not a fitted network: {first_line(error)}") from error


def check_fitted_path(path: str | Path) -> None:
    """Raise FileError if no network can be written to `path`."""
    path = Path(path)
    if path.suffix != SUFFIX:
        raise FileError(f"{path}: the name of a fitted network must end with {SUFFIX}.")
    check_folder(path)


def learning(
    tasks: Sequence[Task],
    settings: DenoisingFit,
    device: torch.device,
    seed: int,
    whole: Whole | None = None,
) -> Generator[FitStep, None, list[DenoisingRestorer]]:
    """Yield the steps of a fit: of the examples of each image, then of the network.

    whole: a large image of which the images are parts.

    Returns
    -------
    list of DenoisingRestorer
        Those of the images; the first one has the network.
    """
    from ..methods.base import weights_of
    from ..methods.denoising.restorer import DenoisingRestorer

    restorers: list[DenoisingRestorer] = []
    learned_from = []
    with explained_errors(device):
        for number, task in enumerate(tasks):
            # other random numbers for each image
            own = (seed + number) % 2**31
            restorer = DenoisingRestorer.for_task(cast("Denoise", task), settings, device, own)
            if whole is not None:
                restorer.use(whole)
            restorers.append(restorer)
            for done in restorer.examples(restorers[0].model):
                yield _step(done, number, len(tasks), 0)
            found = "; ".join(filter(None, [restorer.noise_summary, task.detected]))
            image = fingerprint(np.asarray(task.image))
            learned_from.append({"image_sha256": image, "found": found})
        first = restorers[0]
        for fitted, done in enumerate(first.fitting(), start=1):
            yield _step(done, len(tasks) - 1, len(tasks), fitted)
        described = {
            "kind": tasks[0].kind,
            "settings": settings_to_dict(settings),
            "channels": tasks[0].channels,
            "neighbors": neighbors_of(tasks[0].spatial_shape),
            "adds_nothing": first.adds_nothing,
            "stop_reason": first.stop_reason,
            "seed": seed,
            "version": version("napari-deep-image-prior"),
            "learned_from": learned_from,
        }
        content = content_of(weights_of(first.model.network), described)
    # read as from a file: a saved network and this one are the same
    yield replace(
        _step(done, len(tasks) - 1, len(tasks), fitted), result=Fitted.from_content(content)
    )
    return restorers


def _step(done: Progress, number: int, images: int, fitted: int) -> FitStep:
    where = place_of(done, fitted)
    if images > 1 and not fitted:
        where = f"image {number + 1} of {images}: {where}"
    return FitStep(number + 1, images, done.iteration, done.total, done.misfit, where)


def _in_environment(
    working: Generator[FitStep, None, Any], threads: int, workers: int
) -> Iterator[FitStep]:
    """Yield the steps; torch's settings are changed only while a step is made."""
    try:
        while True:
            with fit_environment(threads, workers):
                step = next(working, None)
            if step is None:
                return
            yield step
    finally:
        working.close()
