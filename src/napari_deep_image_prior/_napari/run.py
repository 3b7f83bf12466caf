"""One restoration in a viewer: the worker, the result layer, and the handle that steers both.

The widgets and `restore_layer` use nothing else, so a click and a script do the same.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

from napari.layers import Image
from napari.utils.notifications import show_error
from psygnal import Signal

from ..restoration import RestorationError, iter_restore
from .layers import first_picture, picture, result_options, source_of, task_of_layers

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np
    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray

    from ..restoration import Restoration, Step, Steps
    from ..tasks import Task
    from .layers import Plane

State = Literal["running", "paused", "stopping", "done", "cancelled", "failed"]
STATUS_SECONDS = 0.05
"""The worker reports at most this often: a GPU takes hundreds of steps a second."""

_active: list[Run] = []


def restore_layer(
    viewer: ViewerModel,
    image_layer: Image,
    *,
    task: str = "denoise",
    missing: Labels | NDArray[Any] | None = None,
    factor: float | Sequence[float] | None = None,
    psf: None = None,
    block: bool = False,
    **options: Any,  # noqa: ANN401  (each is checked by the function that takes it)
) -> Run:
    """Restore the displayed plane of an image layer into a new layer, as the widgets do.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that holds the layer.
    image_layer : napari.layers.Image
        Of several planes (a stack, a time series) the one on display is restored.
    task : {"denoise", "inpaint", "super-resolve"}
        What to do.
    missing : Labels layer or (Y, X) array, optional
        For inpainting: painted (nonzero) pixels are unknown, NaN pixels as well.
    factor : number, or one for Y and one for X
        For super-resolution: how many times larger.
    psf : None
        Kept for deconvolution, which is not there yet.
    block : bool
        Return only when the run has ended.
    **options
        `noise` and `noise_std` of `Denoise`; `preset`, `settings`, `device`, `seed`,
        `dtype` and `threads` of `restore` (by default one thread less than there are cores).

    Returns
    -------
    Run
        The handle: `pause`, `resume`, `stop` (keeps the result), `cancel`, `wait`,
        `layer` and `result`.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit the layer.
    RuntimeError
        If another restoration is running in this viewer.

    Examples
    --------
    >>> run = restore_layer(viewer, viewer.layers["cells"], block=True)  # doctest: +SKIP
    >>> run.layer.name  # doctest: +SKIP
    'cells denoised'
    """
    if psf is not None:
        raise ValueError("psf belongs to deconvolution, which this version does not have.")
    viewer, image_layer = _unwrapped(viewer), _unwrapped(image_layer)
    if active_run(viewer) is not None:
        raise RuntimeError("a restoration is running in this viewer: stop or cancel it first.")
    if isinstance(image_layer, Image) and image_layer not in viewer.layers:
        raise ValueError("the image layer is not in this viewer.")
    asked = {name: options.pop(name) for name in ("noise", "noise_std") if name in options}
    made, plane = task_of_layers(viewer, task, image_layer, missing=_unwrapped(missing), factor=factor, **asked)
    # a colour picture must stay one that napari can show; and the window needs a core of its own
    dtype = "same" if plane.is_rgb and plane.values.dtype.kind != "f" else "float32"
    threads = max(1, (os.cpu_count() or 2) - 1)
    steps = iter_restore(made, **{"dtype": dtype, "threads": threads, **options})
    run = Run(viewer, made, plane, steps)
    run.start()
    if block:
        run.wait()
    return run


def active_run(viewer: ViewerModel) -> Run | None:
    """Return the restoration that is running in `viewer`, if there is one."""
    viewer = _unwrapped(viewer)
    return next((run for run in _active if run.viewer is viewer), None)


class Run:
    """The handle of a restoration in a viewer.

    Attributes
    ----------
    state : {"running", "paused", "stopping", "done", "cancelled", "failed"}
    layer : napari.layers.Image
        The result, updated as the fit goes on.
    step : Step or None
        The last step that was reported.
    result : Restoration or None
        The outcome, once done.
    message : str
        One line for people: why it ended, or what went wrong.
    """

    changed = Signal(object)
    """Emitted with the run itself at each report and change of state, in the main thread."""

    def __init__(self, viewer: ViewerModel, task: Task, plane: Plane, steps: Steps) -> None:
        self.viewer, self.task, self.device = viewer, task, steps.device
        self.state: State = "running"
        self.step: Step | None = None
        self.result: Restoration | None = None
        self.message = ""
        self.misfits: list[float] = []
        self._plane, self._steps = plane, steps
        self._preview_taken = True
        self._going = Event()
        self._going.set()
        self.layer = Image(picture(plane, first_picture(task, steps.dtype)), **result_options(plane, task))
        self._worker: Any = None  # napari's worker classes are untyped

    @property
    def is_active(self) -> bool:
        """Whether the fit has not ended yet."""
        return self.state in ("running", "paused", "stopping")

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time to the end, None before the first report."""
        return self.step.seconds_left if self.step is not None and self.is_active else None

    def start(self) -> None:
        """Show the result layer and start the fit in a worker thread."""
        from napari.qt import create_worker

        self.viewer.add_layer(self.layer)
        self.viewer.layers.events.removed.connect(self._layer_was_removed)
        self._steps.wants_image = self._preview_is_due
        self._worker = create_worker(_work, self._steps, self._going, _start_thread=False)
        self._worker.yielded.connect(self._take_step)
        self._worker.returned.connect(self._end)
        self._worker.finished.connect(self._worker_is_gone)
        _active.append(self)
        self._worker.start()

    def pause(self) -> None:
        """Hold the fit after the step it is at."""
        if self.state == "running":
            self._going.clear()
            self._change("paused")

    def resume(self) -> None:
        """Go on with a paused fit."""
        if self.state == "paused":
            self._going.set()
            self._change("running")

    def stop(self) -> None:
        """End the fit and keep the best image so far as the result."""
        if self.state in ("running", "paused"):
            self._steps.stop()
            self._going.set()
            self._change("stopping")

    def cancel(self) -> None:
        """End the fit and remove the result layer."""
        if not self.is_active:
            return
        self._worker.quit()
        self._finish("cancelled", "the result layer was removed")
        if self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)

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
        if not self._preview_taken or not self._steps.image_is_due():
            return False
        self._preview_taken = False
        return True

    def _take_step(self, step: Step | None) -> None:
        if step is None or not self.is_active:
            return
        self.step = step
        if step.misfit:
            self.misfits.append(step.misfit)
        if step.image is not None:
            self._show(step.image)
            self._preview_taken = True
        self.changed.emit(self)

    def _show(self, image: NDArray[np.floating]) -> None:
        self.layer.data = picture(self._plane, image)

    def _end(self, outcome: Restoration | Failure) -> None:
        if not self.is_active:
            return
        if isinstance(outcome, Failure):
            self._fail(outcome.error)
            return
        self.result = outcome
        self._show(outcome.image)
        made = {**outcome.provenance, "source": source_of(self._plane)}
        self.layer.metadata = {**self.layer.metadata, "deep_image_prior": made}  # assigned: its event tells others
        self._finish("done", outcome.stop_reason)

    def _fail(self, error: Exception) -> None:
        known = isinstance(error, RestorationError)
        message = str(error) if known else f"{type(error).__name__}: {error} (please report this)"
        self._finish("failed", message)
        if self.step is None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)  # it shows nothing but the input
        show_error(f"{self.layer.name}: {message}")

    def _layer_was_removed(self, event: Any) -> None:  # noqa: ANN401  (napari's event)
        if event.value is self.layer and self.is_active:
            self._worker.quit()
            self._finish("cancelled", "the result layer was deleted")

    def _worker_is_gone(self) -> None:
        # quit leaves the generator open, and with it the fit's memory
        self._steps.close()
        if self.is_active:  # the window was closed
            self._finish("cancelled", "the window was closed")

    def _finish(self, state: State, message: str) -> None:
        self.message = message
        self.viewer.layers.events.removed.disconnect(self._layer_was_removed)
        if self in _active:
            _active.remove(self)
        self._change(state)

    def _change(self, state: State) -> None:
        self.state = state
        self.changed.emit(self)


@dataclass(frozen=True)
class Failure:
    """How a worker tells that its fit failed."""

    error: Exception


def _work(steps: Steps, going: Event) -> Generator[Step | None, None, Restoration | Failure]:
    """Drive the steps while `going` is set; runs in the worker thread.

    An exception is returned in a `Failure`, not raised: superqt swallows a RuntimeError of
    a generator (and most of torch's are), and the worker would seem to run for ever.
    """
    reported = 0.0
    try:
        for step in steps:
            while not going.wait(STATUS_SECONDS):
                yield None  # a pause; the worker sees at yields that it shall quit
            now = time.monotonic()
            if step.image is not None or now - reported > STATUS_SECONDS:
                reported = now
                yield step
    except Exception as error:  # noqa: BLE001  (shown to the user by Run._end)
        return Failure(error)
    return steps.result


def _unwrapped(thing: Any) -> Any:  # noqa: ANN401  (viewers, layers and arrays)
    """Return the object inside napari's PublicOnlyProxy, which is never identical to it."""
    return getattr(thing, "__wrapped__", thing)
