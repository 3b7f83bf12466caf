"""A restoration in a viewer, and the handle that controls its fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from napari.utils.notifications import show_error
from psygnal import Signal

from ...restoration.base import FINISHING, RestorationError
from ..layers.result import ResultLayer, Snapshot
from ..viewer.preferences import preferences
from .activity import Activity
from .history import History
from .queue import queue_of
from .waiting import abandon_waiting
from .worker import Failure, Worker, to_result, wait_while

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.layers import Image

    from ...fitting.settings import Settings
    from ...methods.task import Task
    from ...restoration.base import Restoration, RestorationSteps, Step
    from ..layers.plane import Plane
    from .base import State
    from .mask_follower import MaskFollower


class Run:
    """The handle of a restoration in a viewer.

    Attributes
    ----------
    state : {"waiting", "running", "paused", "stopping", "done", "cancelled", "failed"}
    step : Step or None
        The last reported step.
    result : Restoration or None
        The result, once done.
    message : str
        One line for the user: why it ended, or what went wrong.
    notices : dict of str
        Lines for the user: planes without data, the contrast, the mask; empty ones say nothing.
    summary : str
        The preset and all options that are not the default; empty where the layer's name has them.
    fits_contrast : bool
        Whether the contrast limits of the result are fitted to it.
    history : History
        Snapshots of the fit, within `history.limit` bytes. They and the fit stay in memory until
        the layer is deleted or another run starts in the viewer.
    """

    changed = Signal(object)
    """Emitted with the run itself at each reported step and change of state, in the main thread."""

    def __init__(
        self,
        viewer: ViewerModel,
        task: Task,
        plane: Plane,
        steps: RestorationSteps,
        summary: str = "as before",
    ) -> None:
        self._viewer, self._queue = ref(viewer), queue_of(viewer)
        self.task, self.device, self.summary = task, steps.device, summary
        self.state: State = "waiting"
        self.step: Step | None = None
        self.result: Restoration | None = None
        self.message, self.fits_contrast = "", False
        self.notices: dict[str, str] = {}
        self.misfits: list[tuple[int, float]] = []
        """Steps of the network's fit, and the misfit of each."""
        self._activity, self.history = Activity(), History()
        self.changed.connect(self._show_activity)
        self.mask: MaskFollower | None = None
        self._steps = steps
        self._ended_with: Snapshot | None = None
        self._preview_shown, self._is_launched = True, False
        self._worker: Worker | None = None
        self._layer = ResultLayer(plane, task, steps.initial_image)

    @property
    def viewer(self) -> ViewerModel:
        """The viewer of the run; RuntimeError if it no longer exists."""
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("the viewer of this restoration no longer exists.")
        return viewer

    @property
    def layer(self) -> Image:
        """The result layer, updated while the fit runs."""
        return self._layer.image

    @property
    def shown(self) -> Snapshot | None:
        """The snapshot that the layer shows."""
        return self._layer.shown

    @property
    def is_active(self) -> bool:
        """Whether the fit has not ended yet."""
        return self.state in ("waiting", "running", "paused", "stopping")

    @property
    def is_one_fit(self) -> bool:
        """Whether one fit makes the result, rather than one for each plane or channel."""
        return self._steps.is_one_fit

    @property
    def settings(self) -> Settings:
        """The settings of the fit."""
        return self._steps.settings

    @property
    def source(self) -> Any:  # noqa: ANN401  (an Image or Labels layer)
        """The layer that is restored."""
        return self._layer.source

    @property
    def seconds_left(self) -> float | None:
        """Estimated time to the end; None before the first report."""
        return self.step.seconds_left if self.step is not None and self.is_active else None

    def start(self) -> None:
        """Join the viewer's queue, which shows the result layer and starts the fit."""
        self.viewer.layers.events.removed.connect(self._layer_was_removed)
        self._queue.join(self)

    def begin(self) -> None:
        """Show the result layer and start the fit: all jobs before it have ended."""
        self._queue.release_ended(but=self)
        if self.layer not in self.viewer.layers:
            self.viewer.add_layer(self.layer)
            if self.mask is not None:
                self.mask.keep_in_front(self.viewer)
        self._is_launched, self.state = False, "running"
        self.changed.emit(self)
        self._queue.request_thread(self)

    def launch(self) -> None:
        """Start the worker."""
        self._preview_shown, self._preview_seconds = True, preferences().preview_seconds
        self._steps.wants_image = self._preview_is_due
        # the steps stay open: an ended fit may be continued
        self._worker = Worker(
            to_result(self._steps),
            on_result=self._end,
            on_value=self._receive_step,
            on_finished=self._worker_finished,
            closes=False,
        )
        if self.state == "paused":
            self._worker.pause()
        self._is_launched = True
        self._worker.start()

    def pause(self) -> None:
        """Pause the fit after the current step."""
        if self.state == "running":
            if self._worker is not None:
                self._worker.pause()
            self._steer("paused")

    def resume(self) -> None:
        """Continue a paused fit."""
        if self.state == "paused":
            if self._worker is not None:
                self._worker.resume()
            if len(self.history):
                self._layer.show(self.history[-1])
            self._steer("running")

    def stop(self) -> None:
        """End the fit and keep the best image so far as the result."""
        if self.state in ("running", "paused"):
            self._steps.stop()
            if self._worker is not None:
                self._worker.resume()
            self._steer("stopping")

    def cancel(self) -> None:
        """End the fit and remove its layer; after `run_on`, show the earlier result again."""
        if not self.is_active:
            return
        if self._ended_with is not None:
            self.history.forget_from(self._ended_with.iteration)
            self._show_result(self._ended_with)
            self.abandon("the earlier result is shown again")
            return
        waited = self.state == "waiting"
        self.abandon("it had not started" if waited else "the result layer was removed")
        self._remove_layer()

    @property
    def can_run_on(self) -> bool:
        """Whether the fit has ended and is still in memory."""
        return self.state == "done" and len(self.history) > 0 and self._steps.can_run_on

    def run_on(self, iterations: int | None = None) -> None:
        """Continue an ended fit, see `Steps.run_on`.

        Raises
        ------
        RestorationError
            If the fit has not ended or is no longer in memory.
        """
        self._steps.run_on(iterations)
        self._layer.show(self.history[-1])
        self.state = "waiting"
        self._queue.join(self)

    @property
    def can_be_scrubbed(self) -> bool:
        """Whether the fit is paused or has ended, and has snapshots."""
        return self.state not in ("waiting", "running", "stopping") and len(self.history) > 0

    def scrub(self, index: int) -> None:
        """Show a snapshot of a paused or ended fit in the layer; its metadata record which one.

        Raises
        ------
        RuntimeError
            If the fit is running, or the snapshots are no longer in memory.
        """
        if not self.can_be_scrubbed:
            raise RuntimeError("no snapshots to show: pause or stop it first.")
        snapshot = self.history[index]
        self._layer.show(snapshot, self._provenance(snapshot))
        self.changed.emit(self)

    def keep(self) -> Image:
        """Add a copy of the image that the result layer shows as a new layer, and return it.

        Raises
        ------
        RuntimeError
            If the layer shows no snapshot yet.
        """
        kept = self._layer.copy({} if self.shown is None else self._provenance(self.shown))
        self.viewer.add_layer(kept)
        return kept

    def write_animation(self, path: str | Path) -> None:
        """Write the snapshots as an animated GIF, with the contrast limits of the layer.

        Raises
        ------
        FileError, ValueError
            If it cannot be written, or there is no snapshot.
        """
        self._layer.write_animation(path, self.history, self.viewer)

    def release(self) -> None:
        """Free the memory of an ended fit and its snapshots; the layer and the result stay."""
        if self.is_active:
            return
        self.history.clear()
        self.mask = None
        if self._worker is None:
            self._steps.close()
        self._queue.forget(self)
        self.changed.emit(self)

    def wait(self, timeout: float | None = None) -> Restoration | None:
        """Wait for the end while the window stays responsive, and return the result.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most.

        Raises
        ------
        TimeoutError
            If the run has not ended by then; it continues.
        RestorationError
            If the fit failed.
        """
        wait_while(lambda: self.is_active, timeout)
        if self.is_active:
            raise TimeoutError(f"the restoration has not ended after {timeout} s; it continues.")
        if self.state == "failed":
            raise RestorationError(self.message)
        return self.result

    def _preview_is_due(self) -> bool:
        """Whether the worker should copy an image: not before the last one is on the screen."""
        if not self._preview_shown or not self._steps.image_is_due(self._preview_seconds):
            return False
        self._preview_shown = False
        return True

    def _receive_step(self, step: Step | None) -> None:
        if step is None or not self.is_active:
            return
        self.step = step
        if step.misfit and step.stage != FINISHING:  # in which the last one is repeated
            self.misfits.append((step.fitted, step.misfit))
        if step.image is not None and step.result is None:  # the result is reported separately
            snapshot = Snapshot(step.image, step.fitted)
            # an earlier snapshot chosen in a pause stays on display
            is_live = self.shown is None or self.shown is self.history[-1]
            self._add_snapshot(snapshot)
            if is_live:
                self._layer.show(snapshot)
            self._preview_shown = True
        self.changed.emit(self)

    def _add_snapshot(self, snapshot: Snapshot) -> None:
        if not self.is_one_fit:
            self.history.clear()  # a stack is one array that fills: it has no earlier images
        if len(self.history) and self.history[-1].iteration == snapshot.iteration == 0:
            self.history.replace_last(snapshot)  # a first estimate that is more complete
        else:
            self.history.add(snapshot)

    def _provenance(self, snapshot: Snapshot) -> dict[str, Any]:
        when = " as it was at" if snapshot.iteration else ": the"
        return snapshot.provenance or self._steps.provenance(
            f"chosen by the user{when} {snapshot.place}", snapshot.iteration
        )

    def _end(self, outcome: Restoration | Failure) -> None:
        if not self.is_active:
            return
        if isinstance(outcome, Failure):
            self._fail(outcome.error)
            return
        self.result = outcome
        self._ended_with = Snapshot(outcome.image, outcome.iterations, outcome.provenance)
        self._queue.remember(self)  # a panel may be closed and opened again
        self._show_result(self._ended_with)
        if self.fits_contrast:
            self.notices["contrast"] = self._layer.fit_contrast()
        self._finish("done", outcome.stop_reason)
        self._queue.restored.emit(self)

    def _show_result(self, snapshot: Snapshot) -> None:
        self._add_snapshot(snapshot)
        self._layer.show(snapshot, self._provenance(snapshot))

    def _fail(self, error: BaseException) -> None:
        known = isinstance(error, RestorationError)
        message = str(error) if known else f"{type(error).__name__}: {error} (please report this)"
        self._finish("failed", message)
        if self.step is None:
            self._remove_layer()  # it shows only the input
        show_error(f"{self.layer.name}: {message}")

    def _remove_layer(self) -> None:
        viewer = self._viewer()
        if viewer is not None and self.layer in viewer.layers:
            viewer.layers.remove(self.layer)

    def _layer_was_removed(self, event: Any) -> None:  # noqa: ANN401  (napari's event)
        if event.value is self.layer:
            if self.is_active:
                self.abandon("the result layer was deleted")
            self.release()
        elif event.value is self.source and self.state == "waiting":
            abandon_waiting(self._queue, event.value)

    def _worker_finished(self) -> None:
        self._worker = None
        if self.is_active and self._is_launched:  # the window was closed
            self._queue.abandon_all("the window was closed")
        if not self.is_active and (self.state != "done" or not len(self.history)):
            # a worker that quits leaves the generator open, and with it the fit's memory
            self._steps.close()
        self._queue.return_thread(self)

    def abandon(self, message: str) -> None:
        """End without a new result; the layer stays."""
        if self._worker is None:
            self._steps.close()
        else:
            self._worker.quit()
        self._finish("cancelled", message)

    def _finish(self, state: State, message: str) -> None:
        self.state, self.message = state, message
        self.notices.pop("mask", None)
        if state != "done":
            self.mask = None  # its timer must not fire for a fit that cannot continue
        self._queue.leave(self)
        self.changed.emit(self)

    def _show_activity(self, _run: Run) -> None:
        fraction, place = (0.0, "") if self.step is None else (self.step.fraction, self.step.place)
        self._activity.show(self.layer.name, self.state, fraction, place)

    def _steer(self, state: State) -> None:
        self.state = state
        self.changed.emit(self)
        self._queue.changed.emit()
