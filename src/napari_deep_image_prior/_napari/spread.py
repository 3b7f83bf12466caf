"""The uncertainty of a result in a viewer: the same restoration with several seeds, in a worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from psygnal import Signal

from ..repetition import repeated_options
from ..restoration import RestorationError
from ..seeds import iter_uncertainty
from .layers import picture, placement
from .provenances import made, source_plane
from .proxies import unwrapped
from .queue import QUEUE, active_run
from .worker import STATUS_SECONDS, Failure, closing

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari.components import ViewerModel
    from napari.layers import Layer
    from numpy.typing import NDArray

    from ..seeds import SeedStep
    from ..tasks import Task
    from .layers import Plane

_active: list[Spread] = []


def active_spread(viewer: ViewerModel) -> Spread | None:
    """Return the uncertainty that is being computed in `viewer`, if there is one."""
    viewer = unwrapped(viewer)
    return next((spread for spread in _active if spread.viewer is viewer), None)


class Spread:
    """The handle of an uncertainty that is being computed; its end is a new layer.

    Attributes
    ----------
    step : SeedStep or None
        The last step that was reported.
    message : str
        One line for people, once it has ended.
    """

    changed = Signal(object)
    """Emitted with the spread itself at each report and at the end, in the main thread."""

    def __init__(self, viewer: ViewerModel, result: Layer | None, seeds: int) -> None:
        if active_run(viewer) is not None:
            raise RuntimeError("a restoration is running in this viewer: stop or cancel it first.")
        task, self._plane = source_plane(viewer, result)
        # "same" would round the differences away
        options = repeated_options(made(result)) | {"dtype": "float32"}
        options.pop("seed")
        self.viewer, self._task = viewer, task
        self.step: SeedStep | None = None
        self.message = ""
        self._steps = iter_uncertainty(task, seeds=seeds, **options)
        self._worker: Any = None  # napari's worker classes are untyped

    @property
    def is_active(self) -> bool:
        """Whether it has not ended yet."""
        return self in _active

    def start(self) -> None:
        """Start the restorations in a worker thread."""
        from napari.qt import create_worker

        self._worker = create_worker(_work, self._steps, _start_thread=False)
        self._worker.yielded.connect(self._take_step)
        self._worker.returned.connect(self._end)
        self._worker.finished.connect(closing(self._steps))
        self._worker.finished.connect(self._worker_is_gone)
        _active.append(self)
        QUEUE.keep_busy(self)
        self._worker.start()

    def cancel(self) -> None:
        """End it without a layer."""
        if self.is_active:
            self._worker.quit()
            self._finish("the uncertainty was cancelled.")

    def _take_step(self, step: SeedStep) -> None:
        if self.is_active:
            self.step = step
            self.changed.emit(self)

    def _end(self, outcome: SeedStep | Failure) -> None:
        if not self.is_active:
            return
        if isinstance(outcome, Failure):
            error, known = outcome.error, isinstance(outcome.error, RestorationError)
            self._finish(str(error) if known else f"{type(error).__name__}: {error} (please report this)")
        elif outcome.result is not None:
            layer = uncertainty_layer(self._plane, self._task, outcome.result.std)
            layer.metadata["deep_image_prior_uncertainty"] = {"seeds": list(range(outcome.seeds))}
            try:
                self.viewer.add_layer(layer)
            finally:
                self._finish(
                    f"'{layer.name}' has the standard deviation over {outcome.seeds} seeds. Small is no proof: "
                    "what all seeds have in common may be wrong too."
                )

    def _worker_is_gone(self) -> None:
        try:
            if self.is_active:
                for run in QUEUE.of(self.viewer):  # those that wait for it
                    run.cancel()
                self._finish("the window was closed.")
        finally:
            QUEUE.give_thread_back(self)

    def _finish(self, message: str) -> None:
        self.message = message
        _active.remove(self)
        self.changed.emit(self)


def uncertainty_layer(plane: Plane, task: Task, std: NDArray[np.floating]) -> Image:
    """Return a map of a standard deviation that lies on its source; of colours their mean."""
    values = (std if not plane.is_rgb else std.mean(axis=task.channel_axis)).astype(np.float32)
    return Image(
        picture(plane, values),
        name=f"{plane.layer.name} uncertainty",
        colormap="magma",
        contrast_limits=(0, float(np.percentile(values, 99.9)) or 1.0),
        **placement(plane, values.shape[-2:]),
    )


def residual_layer(plane: Plane, task: Task, values: NDArray[np.floating]) -> Image:
    """Return a map of a residual that lies on its source, zero in the middle; of colours their mean."""
    if plane.is_rgb:
        values = values.mean(axis=task.channel_axis)
    known = np.abs(values[np.isfinite(values)])
    limit = float(np.percentile(known, 99.5)) if known.size else 0.0
    return Image(
        picture(plane, values),
        name=f"{plane.layer.name} residual",
        colormap="gray",
        contrast_limits=(-(limit or 1.0), limit or 1.0),
        **placement(plane, values.shape[-2:]),
    )


def _work(steps: Iterator[SeedStep]) -> Generator[SeedStep, None, SeedStep | Failure]:
    """Drive the steps; runs in the worker thread. As in a run, an exception is returned."""
    reported = 0.0
    try:
        for step in steps:
            if step.result is not None:
                return step
            if time.monotonic() - reported > STATUS_SECONDS:
                reported = time.monotonic()
                yield step
    except Exception as error:  # noqa: BLE001  (shown to the user by Spread._end)
        return Failure(error)
    return Failure(RestorationError("the restorations ended without a result: try again, or with fewer seeds."))
