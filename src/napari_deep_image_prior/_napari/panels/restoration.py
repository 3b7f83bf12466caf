"""What the three widgets share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from magicgui.widgets import ComboBox, Container, ProgressBar, SpinBox
from napari.layers import Image

from ...methods.registry import PRESETS
from ...restoration.base import RestorationError
from ...restoration.devices import available_devices
from ...restoration.timing import duration
from ..actions.before_after import bind_compare
from ..actions.restore import estimating_layer, restore_layer
from ..jobs.current import active_run, last_run
from ..jobs.estimate import Estimator
from ..jobs.queue import queue_of
from ..viewer.preferences import preferences
from .channels import ChannelControls
from .controls import Folded, button, layer_choice, listen, on_destroyed, row, wrapping_label
from .fit_curve import FitCurve
from .history import HistoryControls
from .label_column import LabelColumn
from .queue import QueueList
from .scrolling import let_scroll
from .trials import TrialControls

if TYPE_CHECKING:
    from magicgui.widgets.bases import Widget
    from napari.components import ViewerModel

    from ..actions.trials import Trial
    from ..jobs.run import Run

PRESET_HELP = (
    "fast: good and quick. best: higher quality, about ten times as long. "
    "paper: the published settings, hours on a CPU."
)

PLANES_HELP = "The plane on display, or all planes of the stack one after another; a mask of one plane counts for all."


class RestorationWidget(Container[Any]):
    """What the widgets share: the image, how to restore it, the buttons, and what the fit does.

    The members are reached by name, those in rows as well: `image`, `preset`,
    `device`, `seed`, `run`, `pause`, `stop`, `cancel`, and each task's own.
    """

    kind: ClassVar[str]
    warning: ClassVar[str]
    """What the prior may invent, always in sight."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(labels=True)
        self._viewer = napari_viewer
        self._run: Run | None = None
        bind_compare(napari_viewer)
        self._estimator = Estimator(self._say)
        self._preferences = preferences()
        self._add_what_is_asked()
        self._add_the_fit()
        self.native.layout().addStretch()
        LabelColumn(let_scroll(self.native))
        self._image_before = self.image.value
        self._notice = ""
        self.image.changed.connect(self._channels.offer)
        self.image.changed.connect(self._tell_of_another_image)
        self._channels.offer(self.image.value)
        self._show_state()
        if (run := last_run(napari_viewer, self.kind)) is not None:
            self._follow(run)  # the widget was closed and opened again
        elif self._preferences.complaint:
            self._say(self._preferences.complaint)
        listen(self.native, queue_of(napari_viewer).changed, self._take_up_the_next)
        on_destroyed(self.native, self._estimator.cancel)
        on_destroyed(self.native, self._channels.forget)

    def _add_what_is_asked(self) -> None:
        """Add the image and how to restore it."""
        self.append(layer_choice(Image, "image", "The layer to restore."))
        for widget in self._own_widgets():
            self.append(widget)
        self._channels = ChannelControls(self._offer_planes)
        self.append(self._channels)
        self.append(
            ComboBox(
                name="planes", choices=("displayed", "all"), value="displayed", tooltip=PLANES_HELP
            )
        )
        self.append(ComboBox(name="preset", choices=PRESETS, value="fast", tooltip=PRESET_HELP))
        self.append(Folded("more", "More options", self._more_options()))
        self._trials = TrialControls(
            self._viewer,
            self.kind,
            self.image,
            self._asked,
            follow=self._follow_if_free,
            apply=self._apply,
            report=self._say,
        )
        self.append(self._trials)

    def _add_the_fit(self) -> None:
        """Add the buttons, and what tells of the fit."""
        self.append(self._buttons())
        self.append(self._more_buttons())
        self.append(ProgressBar(name="progress", value=0, max=1, label=" "))
        self._status = wrapping_label("status", 4)
        self.append(self._status)
        self._history = HistoryControls(self._run_on, self._say)
        self.append(self._history)
        self._curve, self._queue = FitCurve(), QueueList(self._viewer)
        self._warning = wrapping_label("warning", 2)
        self._warning.value = self.warning
        for part in (self._warning.native, self._curve, self._queue):
            self.native.layout().addWidget(part)

    def _own_widgets(self) -> list[Widget]:
        """Return the widgets that only this task has."""
        return []

    def _more_options(self) -> list[Widget]:
        devices = ["auto", *available_devices()]
        liked = self._preferences
        memory = SpinBox(
            name="snapshot_memory",
            value=liked.snapshot_megabytes,
            max=10**6,
            step=50,
            label="snapshots (MB)",
            tooltip="Memory for looking back at the fit. Where it is full, every second snapshot is dropped.",
        )
        memory.changed.connect(self._limit_history)
        return [
            ComboBox(
                name="device",
                choices=devices,
                value=liked.device,
                tooltip="auto takes the GPU if there is one.",
            ),
            SpinBox(
                name="seed",
                value=0,
                max=2**31 - 1,
                tooltip="Another seed gives a slightly different result.",
            ),
            memory,
        ]

    def _arguments(self) -> dict[str, Any]:
        """Return what only this task passes on."""
        return {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (a widget of any kind)
        try:
            return super().__getattr__(name)
        except AttributeError:
            member = _member(self, name)
            if member is None:
                raise
            return member

    def _buttons(self) -> Container[Any]:
        return row(
            "buttons",
            button("run", "Run", "Restore the layer into a new one.", self._start),
            button("pause", "Pause", "Hold the fit, or go on with it.", self._pause_or_resume),
            button("stop", "Stop", "End the fit and keep the best image so far.", self._stop),
            button(
                "cancel",
                "Cancel",
                "End the fit and remove its layer, or what it did since Run on.",
                self._cancel,
            ),
        )

    def _more_buttons(self) -> Container[Any]:
        return row(
            "more_buttons",
            button("queue", "Add to queue", "Do this as well, in its turn.", self._start),
            button(
                "estimate",
                "Estimate",
                "Try a few steps to tell time and memory before a run.",
                self._estimate,
            ),
        )

    def _asked(self) -> dict[str, Any]:
        """Return what is asked for, as arguments of `restore_layer`."""
        chosen = {
            name: getattr(self, name).value for name in ("planes", "preset", "device", "seed")
        }
        if not self._is_stack:
            chosen["planes"] = "displayed"
        return {"task": self.kind, **chosen, **self._channels.asked(), **self._arguments()}

    @property
    def _is_stack(self) -> bool:
        image, channels = self.image.value, self._channels.axis
        return image is not None and image.ndim > (2 if channels is None else 3)

    def _tell_of_another_image(self, image: Image | None) -> None:
        """Say, until the next run, that the image is another one because the one before was deleted."""
        before, self._image_before = self._image_before, image
        self._notice = ""
        if before is not None and image is not None and before not in self._viewer.layers:
            self._notice = f"'{before.name}' was deleted: the image is now '{image.name}'."
        self._show_state()

    def _offer_planes(self) -> None:
        self.planes.visible = self._is_stack

    def _estimate(self) -> None:
        try:
            self._estimator.start(estimating_layer(self._viewer, self.image.value, **self._asked()))
        except (ValueError, TypeError) as error:
            self._say(error)
        else:
            self._say("estimating …")

    def _start(self) -> None:
        self._notice = ""
        try:
            run = restore_layer(self._viewer, self.image.value, **self._asked())
        except (ValueError, TypeError, RuntimeError) as error:
            self._say(error)
            return
        self._follow_if_free(run)

    def _follow_if_free(self, run: Run) -> None:
        if self._run is None or not self._run.is_active:
            self._follow(run)

    def _apply(self, trial: Trial) -> None:
        """Take over the settings of a trial and restore the whole image with them."""
        self.image.value = trial.source
        self._channels.choose(trial.asked["channel_axis"], trial.asked["channels"])
        for name, value in trial.settings.items():
            getattr(self, name).value = value
        self._start()

    def _say(self, message: object) -> None:
        # in the panel, where the button was pressed; a pop-up would say it twice
        text = str(message)
        self._status.value = text[:1].upper() + text[1:]

    def _pause_or_resume(self) -> None:
        if self._run is None:
            return
        if self._run.state == "paused":
            self._run.resume()
        else:
            self._run.pause()

    def _stop(self) -> None:
        if self._run is not None:
            self._run.stop()

    def _cancel(self) -> None:
        if self._run is not None:
            self._run.cancel()

    def _run_on(self) -> None:
        if self._run is None:
            return
        try:
            self._run.run_on()
        except (RestorationError, RuntimeError) as error:
            self._say(error)

    def _limit_history(self, megabytes: int) -> None:
        if self._run is not None:
            self._run.history.limit = megabytes * 10**6
            self._show_state()

    def _take_up_the_next(self) -> None:
        """Follow the run whose turn it is, if it is of this widget's kind and there is no other to follow."""
        first = active_run(self._viewer)
        if first is not None:
            self._estimator.cancel()  # its pace would not be the true one, nor would the run's
        is_free = self._run is None or not self._run.is_active
        if (
            first is not None
            and first is not self._run
            and first.task.kind == self.kind
            and is_free
        ):
            self._follow(first)
        else:
            self._show_state()

    def _follow(self, run: Run) -> None:
        if self._run is not None:
            self._run.changed.disconnect(self._show_state)
        self._run = run
        run.history.limit = self.snapshot_memory.value * 10**6
        listen(self.native, run.changed, self._show_state)
        self._show_state()

    def _show_state(self, _run: Run | None = None) -> None:
        run = self._run
        state = None if run is None else run.state
        self.run.enabled = run is None or not run.is_active
        self.queue.enabled = active_run(self._viewer) is not None
        self.estimate.enabled = not self.queue.enabled
        self.cancel.enabled = not self.run.enabled
        self.pause.enabled = self.stop.enabled = state in ("running", "paused")
        self.pause.text = "Resume" if state == "paused" else "Pause"
        self._history.show_run(run, may_run_on=active_run(self._viewer) is None)
        if run is None:
            ready = "Press Run, or Estimate to know the time before."
            invitation = "Open an image to begin." if self.image.value is None else ready
            self._status.value = self._notice or invitation
            return
        if run.step is not None:
            self.progress.max = run.step.total
            self.progress.value = run.step.iteration if run.is_active else 0
        if state == "done":
            self.progress.value = self.progress.max
        self._status.value = "\n".join(filter(None, [self._notice, _status_text(run)]))
        self._curve.show_misfits(run.misfits)


def _status_text(run: Run) -> str:
    if not run.is_active:
        is_told = run.state == "done" and run.is_one_fit  # of a stack each plane has its own
        found = run.result.provenance["found"] if is_told and run.result is not None else ""
        return "\n".join(
            filter(None, [f"{run.state.capitalize()}: {run.message.removesuffix('.')}.", found])
        )
    if run.state == "waiting":
        before = queue_of(run.viewer).jobs.index(run)
        if before == 0:
            return "Waiting for the uncertainty that is being found (Results), to be done after it."
        return f"Waiting for {before} other{'s' if before > 1 else ''}, to be done before it."
    if run.step is None:
        return f"Starting on {run.device} …"
    doing = {"running": "Step", "paused": "Paused at step", "stopping": "Stopping at step"}[
        run.state
    ]
    left = (
        f", {duration(run.seconds_left)} left"
        if run.state == "running" and run.seconds_left is not None
        else ""
    )
    return f"{doing} {run.step.iteration} of {run.step.total}{left}\n{run.device}\n{run.step.note}"


def _member(container: Container[Any], name: str) -> Any:  # noqa: ANN401  (a widget of any kind)
    """Find a widget by its name, in rows and folds as well."""
    for widget in container:
        if widget.name == name:
            return widget
        if isinstance(widget, Container) and (found := _member(widget, name)) is not None:
            return found
    return None
