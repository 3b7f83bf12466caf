"""The uncertainty of a result: the same restoration with several seeds, in a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from psygnal import Signal

from ...evaluation.uncertainty import iter_uncertainty
from ...restoration.base import RestorationError
from ...restoration.repeat import repeated_options
from ..layers.maps import uncertainty_layer
from ..layers.provenance import provenance_of, source_plane
from .activity import Activity
from .current import active_run
from .queue import queue_of
from .worker import Failure, Worker

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari.components import ViewerModel
    from napari.layers import Layer

    from ...evaluation.uncertainty import SeedStep
    from .base import State


def active_uncertainty(viewer: ViewerModel) -> UncertaintyJob | None:
    """Return the uncertainty estimate that is running in `viewer`, if there is one."""
    jobs = (job for job in queue_of(viewer).occupants if isinstance(job, UncertaintyJob))
    return next((job for job in jobs if job.is_active), None)


class UncertaintyJob:
    """The handle of an uncertainty estimate in a viewer; its result is a new layer.

    It does not wait in the viewer's queue, but occupies it.

    Attributes
    ----------
    state : {"waiting", "running", "done", "cancelled", "failed"}
    step : SeedStep or None
        The last step that was reported.
    message : str
        One line for the user, once it has ended.
    """

    changed = Signal(object)
    """Emitted with the job itself at each report and at the end, in the main thread."""

    def __init__(self, viewer: ViewerModel, result: Layer | None, seeds: int) -> None:
        if active_run(viewer) is not None:
            raise RuntimeError("a restoration is running in this viewer: stop or cancel it first.")
        task, self._plane = source_plane(viewer, result)
        # with "same" the differences could be rounded to 0
        options = repeated_options(provenance_of(result)) | {"dtype": "float32"}
        options.pop("seed")
        self._viewer, self._queue, self._task = ref(viewer), queue_of(viewer), task
        self.state: State = "waiting"
        self.step: SeedStep | None = None
        self.message = ""
        self._steps = iter_uncertainty(task, seeds=seeds, **options)
        self._worker: Worker | None = None
        self._name = f"{self._plane.layer.name} uncertainty"
        self._activity = Activity()
        self.changed.connect(self._show_activity)

    @property
    def is_active(self) -> bool:
        """Whether it is running."""
        return self.state == "running"

    def start(self) -> None:
        """Start the restorations in a worker thread."""
        self._queue.occupy(self)

    def begin(self) -> None:
        """Become the current job."""
        self.state = "running"

    def launch(self) -> None:
        """Start the worker."""
        self._worker = Worker(
            _to_uncertainty(self._steps),
            on_result=self._end,
            on_value=self._receive_step,
            on_finished=self._worker_finished,
        )
        self._worker.start()

    def cancel(self) -> None:
        """End without a layer."""
        self.abandon("the uncertainty estimate was cancelled.")

    def abandon(self, message: str) -> None:
        """End without a layer, because the window no longer exists."""
        if not self.is_active:
            return
        if self._worker is None:
            self._steps.close()  # type: ignore[attr-defined]  # a generator
        else:
            self._worker.quit()
        self._finish("cancelled", message)

    def release(self) -> None:
        """Do nothing: no memory is held after the end."""

    def _receive_step(self, step: SeedStep | None) -> None:
        if step is not None and self.is_active:
            self.step = step
            self.changed.emit(self)

    def _end(self, outcome: SeedStep | Failure) -> None:
        if not self.is_active:
            return
        if isinstance(outcome, Failure):
            error, known = outcome.error, isinstance(outcome.error, RestorationError)
            message = (
                str(error) if known else f"{type(error).__name__}: {error} (please report this)"
            )
            self._finish("failed", message)
        elif outcome.result is not None:
            layer = uncertainty_layer(self._plane, self._task, outcome.result.std)
            layer.metadata["deep_image_prior_uncertainty"] = {"seeds": list(range(outcome.seeds))}
            try:
                viewer: Any = self._viewer()
                if viewer is not None:
                    viewer.add_layer(layer)
            finally:
                self._finish(
                    "done",
                    f"'{layer.name}' shows the standard deviation over {outcome.seeds} seeds. "
                    "A small value is no proof: all seeds may share an error.",
                )

    def _worker_finished(self) -> None:
        try:
            if self.is_active:
                self._queue.abandon_all("the window was closed.")
        finally:
            self._queue.return_thread(self)

    def _show_activity(self, _job: UncertaintyJob) -> None:
        step = self.step
        fraction = 0.0 if step is None else (step.number - 1 + step.step.fraction) / step.seeds
        place = "" if step is None else f"seed {step.number} of {step.seeds}"
        self._activity.show(self._name, self.state, fraction, place)

    def _finish(self, state: State, message: str) -> None:
        self.state, self.message = state, message
        self.changed.emit(self)


def _to_uncertainty(steps: Iterator[SeedStep]) -> Generator[SeedStep, None, SeedStep]:
    """Yield the steps before the one with the result, and return that one."""
    try:
        for step in steps:
            if step.result is not None:
                return step
            yield step
    finally:
        steps.close()  # type: ignore[attr-defined]  # a generator
    raise RestorationError(
        "the restorations ended without a result: try again, or use fewer seeds."
    )
