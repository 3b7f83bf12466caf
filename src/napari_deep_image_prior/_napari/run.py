"""One restoration in a viewer: the handle that steers the fit and its result layer."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_error
from psygnal import Signal

from ..animation import write_animation
from ..restoration import RestorationError
from ..stack import StackSteps, first_picture
from .history import History, Snapshot
from .layers import picture, result_options, seen_channel, source_of, whole_range
from .preferences import preferences
from .queue import QUEUE
from .worker import Failure, drive

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

    from ..restoration import Restoration, Step, Steps
    from ..tasks import Task
    from .layers import Plane
    from .repainting import MaskFollower

State = Literal["waiting", "running", "paused", "stopping", "done", "cancelled", "failed"]
METADATA = "deep_image_prior"
"""Where a layer tells how it was made."""


class Run:
    """The handle of a restoration in a viewer.

    Attributes
    ----------
    state : {"waiting", "running", "paused", "stopping", "done", "cancelled", "failed"}
    layer : napari.layers.Image
        The result, updated as the fit goes on.
    step : Step or None
        The last step that was reported.
    result : Restoration or None
        The outcome, once done.
    message : str
        One line for people: why it ended, or what went wrong.
    how : str
        The preset, and what of the settings is not usual, in words; nothing where the layer's name says it.
    history : History
        Snapshots of the fit, within `history.limit` bytes. They and the fit stay in memory until the
        layer is deleted or another run starts in the viewer.
    shown : Snapshot or None
        Which of them the layer shows.
    """

    changed = Signal(object)
    """Emitted with the run itself at each report and change of state, in the main thread."""

    def __init__(
        self, viewer: ViewerModel, task: Task, plane: Plane, steps: Steps | StackSteps, how: str = "as before"
    ) -> None:
        self.viewer, self.task, self.device, self.how = viewer, task, steps.device, how
        self.state: State = "waiting"
        self.step: Step | None = None
        self.result: Restoration | None = None
        self.message = ""
        self.misfits: list[float] = []
        self.history = History()
        self.shown: Snapshot | None = None
        self._ended_with: Snapshot | None = None
        self.mask: MaskFollower | None = None
        self._plane, self._steps = plane, steps
        self._preview_taken = True
        self._going = Event()
        self._going.set()
        first = steps.image if isinstance(steps, StackSteps) else first_picture(task, steps.dtype)
        self.layer = Image(picture(plane, first), **result_options(plane, task))
        self._worker: Any = None  # napari's worker classes are untyped
        self._is_launched = False

    @property
    def is_active(self) -> bool:
        """Whether the fit has not ended yet."""
        return self.state in ("waiting", "running", "paused", "stopping")

    @property
    def is_stack(self) -> bool:
        """Whether it restores planes or channels one after another."""
        return isinstance(self._steps, StackSteps)

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time to the end, None before the first report."""
        return self.step.seconds_left if self.step is not None and self.is_active else None

    def start(self) -> None:
        """Show the result layer and start the fit in a worker thread, once it is its turn in the viewer."""
        self.viewer.layers.events.removed.connect(self._layer_was_removed)
        QUEUE.join(self)

    def begin(self) -> None:
        """Show the result layer and start the fit: it is its turn."""
        for earlier in QUEUE.ended(self.viewer):
            if earlier is not self:
                earlier.release()
        if self.layer not in self.viewer.layers:
            self.viewer.add_layer(self.layer)
        self._is_launched = False
        self._change("running")
        QUEUE.take_thread(self)

    def launch(self) -> None:
        """Start the worker."""
        from napari.qt import create_worker

        self._preview_taken, self._preview_seconds = True, preferences().preview_seconds
        self._steps.wants_image = self._preview_is_due
        self._worker = create_worker(drive, self._steps, self._going, _start_thread=False)
        self._worker.yielded.connect(self._take_step)
        self._worker.returned.connect(self._end)
        self._worker.finished.connect(self._worker_is_gone)
        self._is_launched = True
        self._worker.start()

    def pause(self) -> None:
        """Hold the fit after the step it is at."""
        if self.state == "running":
            self._going.clear()
            self._change("paused")
            QUEUE.changed.emit()

    def resume(self) -> None:
        """Go on with a paused fit."""
        if self.state == "paused":
            self._going.set()
            if len(self.history):
                self._show(self.history[-1])
            self._change("running")
            QUEUE.changed.emit()

    def stop(self) -> None:
        """End the fit and keep the best image so far as the result."""
        if self.state in ("running", "paused"):
            self._steps.stop()
            self._going.set()
            self._change("stopping")
            QUEUE.changed.emit()

    def cancel(self) -> None:
        """End the fit and remove the result layer; if the fit was run on after a result, that one comes back."""
        if not self.is_active:
            return
        if self._ended_with is not None:
            self._show_result(self._ended_with)
            self._abandon("the earlier result is back")
            return
        self._abandon("it was still waiting" if self.state == "waiting" else "the result layer was removed")
        if self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)

    @property
    def can_run_on(self) -> bool:
        """Whether the fit has ended and is still in memory."""
        return self.state == "done" and self._steps.can_run_on

    def run_on(self, iterations: int | None = None) -> None:
        """Go on with an ended fit where it was, see `Steps.run_on`.

        Raises
        ------
        RestorationError
            If the fit has not ended or is no longer in memory.
        """
        self._steps.run_on(iterations)
        self._show(self.history[-1])
        self.state = "waiting"
        QUEUE.join(self)

    @property
    def can_be_scrubbed(self) -> bool:
        """Whether the fit is not running, and there are snapshots to look at."""
        return self.state not in ("waiting", "running", "stopping") and len(self.history) > 0

    def scrub(self, index: int) -> None:
        """Show a snapshot of a paused or ended fit in the layer; its metadata say which one.

        Raises
        ------
        RuntimeError
            If the fit is running, or the snapshots are no longer in memory.
        """
        if not self.can_be_scrubbed:
            raise RuntimeError("there is no paused or ended fit to look at: pause or stop it first.")
        snapshot = self.history[index]
        self._show(snapshot, self._description(snapshot))
        self.changed.emit(self)

    def keep(self) -> Image:
        """Add what the result layer shows as a layer of its own, and return that.

        Raises
        ------
        RuntimeError
            If there is nothing to keep yet.
        """
        if self.shown is None:
            raise RuntimeError("there is nothing to keep yet: wait for the first picture.")
        options = result_options(self._plane, self.task)
        if not self._plane.is_rgb:
            options |= {name: getattr(self.layer, name) for name in ("colormap", "contrast_limits", "gamma")}
        options["name"] = f"{self.layer.name}, step {self.shown.iteration}"
        kept = Image(picture(self._plane, self.shown.image.copy()), **options)
        kept.metadata[METADATA] = self._description(self.shown)
        self.viewer.add_layer(kept)
        return kept

    def write_animation(self, path: str | Path) -> None:
        """Write the snapshots as an animated GIF, as bright as the layer is shown.

        Raises
        ------
        FileError, ValueError
            If it cannot be written, or there is no snapshot.
        """
        # a colour picture is shown as it is
        limits = whole_range(np.dtype(self.layer.dtype)) if self._plane.is_rgb else self.layer.contrast_limits
        images = [seen_channel(self.viewer, self._plane, snapshot.image) for snapshot in self.history]
        write_animation(path, images, contrast_limits=limits, channel_axis=-1 if self._plane.is_rgb else None)

    def release(self) -> None:
        """Free the memory of an ended fit and of its snapshots; the layer and the result stay."""
        if self.is_active:
            return
        self.history.clear()
        if self._worker is None:
            self._steps.close()
        QUEUE.forget(self)
        self.layer.__dict__.pop(METADATA, None)
        self.changed.emit(self)

    def wait(self, timeout: float | None = None) -> Restoration | None:
        """Wait for the end while the window stays alive, and return the result.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most.

        Raises
        ------
        TimeoutError
            If the run has not ended by then; it goes on.
        RestorationError
            If the fit failed.
        """
        from qtpy.QtCore import QEventLoop, QTimer

        loop = QEventLoop()

        def leave_at_the_end() -> None:
            if not self.is_active:
                loop.quit()

        # a timer rather than a signal: it also sees an end that came before the loop
        timer = QTimer()
        timer.timeout.connect(leave_at_the_end)
        timer.start(20)
        if timeout is not None:
            QTimer.singleShot(int(timeout * 1000), loop.quit)
        if self.is_active:
            loop.exec()
        timer.stop()
        if self.is_active:
            raise TimeoutError(f"the restoration has not ended after {timeout} s; it goes on.")
        if self.state == "failed":
            raise RestorationError(self.message)
        return self.result

    def _preview_is_due(self) -> bool:
        """Tell the worker whether to copy an image: not before the last one is on the screen."""
        if not self._preview_taken or not self._steps.image_is_due(self._preview_seconds):
            return False
        self._preview_taken = False
        return True

    def _take_step(self, step: Step | None) -> None:
        if step is None or not self.is_active:
            return
        self.step = step
        if step.misfit:
            self.misfits.append(step.misfit)
        if step.image is not None and step.result is None:  # the result comes by itself
            snapshot = Snapshot(step.image, step.iteration, step.fitted)
            # who looks back in a pause is not disturbed
            is_live = self.shown is None or self.shown is self.history[-1]
            self._remember(snapshot)
            if is_live:
                self._show(snapshot)
            self._preview_taken = True
        self.changed.emit(self)

    def _remember(self, snapshot: Snapshot) -> None:
        if self.is_stack:
            self.history.clear()  # a stack is one array that fills: there is nothing to look back at
        self.history.add(snapshot)

    def _show(self, snapshot: Snapshot, made: dict[str, Any] | None = None) -> None:
        """Show a snapshot; of a fit that is not at rest, the layer does not say how it was made."""
        self.shown = snapshot
        self.layer.data = picture(self._plane, snapshot.image)
        others = {name: value for name, value in self.layer.metadata.items() if name != METADATA}
        # assigned: its event tells others
        self.layer.metadata = others if made is None else others | {METADATA: made}

    def _description(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return how a snapshot was made, for the metadata of a layer that shows it."""
        made = snapshot.made or self._steps.provenance(
            f"chosen by the user as it was at step {snapshot.iteration}", snapshot.fitted
        )
        return {**made, "step": snapshot.iteration, "source": source_of(self._plane)}

    def _end(self, outcome: Restoration | Failure) -> None:
        if not self.is_active:
            return
        if isinstance(outcome, Failure):
            self._fail(outcome.error)
            return
        self.result = outcome
        iteration = outcome.iterations if self.step is None else self.step.iteration
        self._ended_with = Snapshot(outcome.image, iteration, outcome.iterations, outcome.provenance)
        QUEUE.keep(self)
        # the layer holds it: a widget may be closed and opened again
        self.layer.__dict__[METADATA] = self
        self._show_result(self._ended_with)
        self._finish("done", outcome.stop_reason)
        QUEUE.restored.emit(self)

    def _show_result(self, snapshot: Snapshot) -> None:
        self._remember(snapshot)
        self._show(snapshot, self._description(snapshot))

    def _fail(self, error: Exception) -> None:
        known = isinstance(error, RestorationError)
        message = str(error) if known else f"{type(error).__name__}: {error} (please report this)"
        self._finish("failed", message)
        if self.step is None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)  # it shows nothing but the input
        show_error(f"{self.layer.name}: {message}")

    def _layer_was_removed(self, event: Any) -> None:  # noqa: ANN401  (napari's event)
        if event.value is self.layer and self.is_active:
            self._abandon("the result layer was deleted")
        elif event.value is self.layer:
            self.release()
        elif event.value is self._plane.layer and self.state == "waiting":
            self._abandon("its image layer was deleted before its turn")

    def _worker_is_gone(self) -> None:
        self._worker = None
        if self.is_active and self._is_launched:  # the window was closed
            for run in QUEUE.of(self.viewer):
                run._abandon("the window was closed")  # noqa: SLF001  (another of this class)
        if not self.is_active and (self.state != "done" or not len(self.history)):
            # quit leaves the generator open, and with it the fit's memory
            self._steps.close()
        QUEUE.give_thread_back(self)

    def _abandon(self, message: str) -> None:
        """End without a new result."""
        if self._worker is None:
            self._steps.close()
        else:
            self._worker.quit()
        self._finish("cancelled", message)

    def _finish(self, state: State, message: str) -> None:
        self.state, self.message = state, message
        QUEUE.leave(self)
        self.changed.emit(self)

    def _change(self, state: State) -> None:
        self.state = state
        self.changed.emit(self)
