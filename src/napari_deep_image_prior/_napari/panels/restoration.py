"""The base class of the three restoration panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from magicgui.widgets import ComboBox, Container, ProgressBar

from ...methods.method import PRESETS
from ...methods.registry import method_of
from ...restoration.base import RestorationError
from ...restoration.cautions import collected_cautions
from ...restoration.devices import available_devices
from ..actions.before_after import bind_compare
from ..actions.restore import estimate_layer, restore_layer, restores_volumes
from ..jobs.current import active_run, last_run
from ..jobs.queue import queue_of
from ..viewer.loading import Loader
from ..viewer.messages import sentence
from ..viewer.preferences import preferences
from ..viewer.proxies import unwrap_proxy
from .channels import ChannelControls
from .controls import (
    Collapsible,
    button,
    connect_until_destroyed,
    named,
    on_destroyed,
    row,
    wrapping_label,
)
from .estimate import EstimateButton
from .fit_curve import FitCurve
from .help import help_link
from .history import HistoryControls
from .image_choice import ImageChoice
from .memory import remember
from .more_options import more_options
from .panel_layout import finish_layout
from .planes import PlanesChoice
from .queue import QueueList
from .status import status_text
from .trials import TrialControls

if TYPE_CHECKING:
    from collections.abc import Generator

    from magicgui.widgets.bases import Widget
    from napari.components import ViewerModel
    from napari.layers import Image

    from ...restoration.cost import Estimate
    from ..actions.trials import Trial
    from ..jobs.run import Run

PRESET_HELP = (
    "fast: good quality in little time. best: higher quality in about ten times the time. "
    "paper: the published settings; hours on a CPU."
)
CANCEL_HELP = "End the fit and remove its layer, or restore the result from before Run on."
BAR = 1000
"""Maximum of the progress bar."""


class RestorationWidget(Container[Any]):
    """A panel with the image, the restoration options, the buttons and the state of the fit.

    The controls are attributes, including those inside rows: `image`, `preset`,
    `device`, `seed`, `run`, `pause`, `stop`, `cancel`, and the task's own.
    """

    kind: ClassVar[str]
    own: ClassVar[tuple[str, ...]] = ()
    """Names of the settings of this task alone, which are remembered."""
    warning: ClassVar[str]
    """What the prior may invent; visible before a run."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(labels=True)
        self._viewer = napari_viewer
        self._run: Run | None = None
        self._is_past = self._was_active = False
        self._prediction = ""
        bind_compare(napari_viewer)
        self._loader = Loader(self.native, self._report)
        self._preferences = preferences()
        self._add_options()
        self._add_fit_controls()
        names = ("planes", "preset", "device", "seed", "snapshot_memory", "fit_contrast")
        settings = [getattr(self, name) for name in (*names, *self.own)]
        remember(self._viewer, self.kind, settings)
        for each in (self._channels, *settings):
            each.changed.connect(self._forget_prediction)  # a weak reference
        controls = (self.buttons, self.progress, self._status)
        finish_layout(self.native, fixed=[each.native for each in controls])
        self._previous_image = self.image.value
        self._notice = ""
        self.image.changed.connect(self._channels.set_layer)
        self.image.changed.connect(self._report_replaced_image)
        self._channels.set_layer(self.image.value)
        self._show_state()
        if (run := last_run(napari_viewer, self.kind)) is not None:
            self._follow(run)  # the widget was closed and opened again
        elif self._preferences.problem:
            self._report(self._preferences.problem)
        connect_until_destroyed(self.native, queue_of(napari_viewer).changed, self._follow_next_run)
        self._layers = unwrap_proxy(napari_viewer).layers
        self._layers.events.removed.connect(self._layer_was_removed)  # a weak reference
        on_destroyed(self.native, self._disconnect_layers)
        on_destroyed(self.native, self.estimate.cancel)
        self._loader.preload(self._show_devices)
        on_destroyed(self.native, self._channels.disconnect_layer)
        on_destroyed(self.native, self._planes.disconnect_layer)

    def _add_options(self) -> None:
        """Add the controls for the image and for how it is restored."""
        self.append(ImageChoice(self._viewer, "image", "The image layer to restore."))
        for widget in self._own_widgets():
            self.append(widget)
        self._channels = ChannelControls(self._show_planes)
        self.append(self._channels)
        self._planes = PlanesChoice(volumes=restores_volumes(method_of(self.kind)))
        self.append(self._planes)
        self.append(ComboBox(name="preset", choices=PRESETS, value="fast", tooltip=PRESET_HELP))
        self.append(Collapsible("more", "More options", more_options(self._preferences)))
        self._trials = TrialControls(
            self._viewer,
            self.kind,
            self.image,
            self._arguments,
            follow=self._follow_if_free,
            apply=self._apply,
            report=self._report,
            when_loaded=self._loader.call,
        )
        self.append(self._trials)
        self.snapshot_memory.changed.connect(self._limit_history)

    def _add_fit_controls(self) -> None:
        """Add the buttons, and the displays of the state of the fit."""
        self.append(self._buttons())
        self.append(self._more_buttons())
        self.append(ProgressBar(name="progress", value=0, max=BAR, label=" "))
        self._status = wrapping_label("status", 4)
        self.append(self._status)
        self._history = HistoryControls(self._run_on, self._report)
        self.append(self._history)
        self._curve, self._queue = FitCurve(), QueueList(self._viewer)
        self._warning = wrapping_label("warning", 2)
        self._warning.value = self.warning
        link = help_link(self.native, self.kind, self._report)
        for part in (self._curve, self._warning.native, self._queue, link):
            self.native.layout().addWidget(part)

    def _own_widgets(self) -> list[Widget]:
        """Return the controls of this task alone."""
        return []

    def _task_arguments(self) -> dict[str, Any]:
        """Return the arguments of `restore_layer` for this task alone."""
        return {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (a widget of any kind)
        try:
            return super().__getattr__(name)
        except AttributeError:
            control = named(self, name)
            if control is None:
                raise
            return control

    def _buttons(self) -> Container[Any]:
        return row(
            "buttons",
            button("run", "Run", "Restore the image into a new layer.", self._press_run),
            button("pause", "Pause", "Pause or resume the fit.", self._pause_or_resume),
            button("stop", "Stop", "End the fit and keep the best image so far.", self._stop),
            button("cancel", "Cancel", CANCEL_HELP, self._cancel),
        )

    def _more_buttons(self) -> Container[Any]:
        queue_help = "Run these settings after the restorations in the queue."
        return row(
            "more_buttons",
            button("queue", "Add to queue", queue_help, self._press_run),
            EstimateButton(
                self._viewer,
                self._estimate,
                on_place=self._show_estimating,
                on_end=self._show_estimate,
                on_change=self._show_estimate_change,
                when_loaded=self._loader.call,
            ),
        )

    def _arguments(self) -> dict[str, Any]:
        """Return the selected options as arguments of `restore_layer`."""
        options = {
            name: getattr(self, name).value for name in ("preset", "device", "seed", "fit_contrast")
        }
        return {
            "task": self.kind,
            "planes": self._planes.value,
            **options,
            **self._channels.arguments(),
            **self._task_arguments(),
        }

    def _report_replaced_image(self, image: Image | None) -> None:
        """Report, until the next run, that the selected image was deleted and which replaces it."""
        self._forget_prediction()
        previous, self._previous_image = self._previous_image, image
        self._notice = self._prediction = ""
        if previous is not None and previous not in self._viewer.layers:
            other = "choose or open another image"
            now = other if image is None else f"the image is now '{image.name}'"
            self._notice = f"'{previous.name}' was deleted: {now}."
        self._show_state()

    def _show_devices(self) -> None:
        """Offer the devices, which only torch knows, and select the preferred one."""
        selected, self._preferences = self.device.value, preferences()
        self.device.choices = ["auto", *available_devices()]
        self.device.value = self._preferences.device if selected == "auto" else selected
        if self._preferences.problem and self._run is None:
            self._report(self._preferences.problem)

    def _show_planes(self) -> None:
        self._planes.offer(self.image.value, self._channels.roles)

    def _press_run(self) -> None:
        self._loader.call(self._start)

    def _estimate(self) -> Generator[str, None, Estimate]:
        return estimate_layer(self._viewer, self.image.value, **self._arguments())

    def _show_estimate_change(self, message: object) -> None:
        self._notice = self._prediction = ""
        self._show_state()
        self._report(message)

    def _show_estimating(self, place: str) -> None:
        if self._run is None or not self._run.is_active:
            self._report(f"estimating: {place}")

    def _show_estimate(self, outcome: object) -> None:
        self._prediction = sentence(outcome)  # stays above the state of a run that has waited
        self._show_state()

    def _forget_prediction(self) -> None:
        """Show and make no estimate of other settings."""
        was_active = self.estimate.is_active
        self.estimate.cancel()
        if self._prediction or was_active:
            self._prediction = ""
            self._show_state()
        if was_active and (self._run is None or not self._run.is_active):
            self._report("the estimate was cancelled, as the settings have changed.")

    def _start(self) -> None:
        self._notice = self._prediction = ""
        # in the panel, where the button was clicked; napari would show a notification
        try:
            with collected_cautions() as cautions:
                run = restore_layer(self._viewer, self.image.value, **self._arguments())
        except (ValueError, TypeError, RuntimeError) as error:
            self._report(error)
            return
        self._notice = "\n".join(map(sentence, cautions))
        self._follow_if_free(run)

    def _follow_if_free(self, run: Run) -> None:
        if self._run is None or not self._run.is_active:
            self._follow(run)

    def _apply(self, trial: Trial) -> None:
        """Select the settings of a trial and restore the whole image with them."""
        self.image.value = trial.source
        self._channels.select(trial.arguments["channel_axis"], trial.arguments["channels"])
        for name, value in trial.settings.items():
            getattr(self, name).value = value
        self._start()

    def _report(self, message: object) -> None:
        # in the panel, where the button was clicked; a notification would repeat it
        self._status.value = sentence(message)

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
            self._report(error)

    def _limit_history(self, megabytes: int) -> None:
        if self._run is not None:
            self._run.history.limit = megabytes * 10**6
            self._show_state()

    def _follow_next_run(self) -> None:
        """Follow the active run, if it is of this panel's task and the panel follows no other."""
        first = active_run(self._viewer)
        is_free = self._run is None or not self._run.is_active
        is_mine = first is not None and first.task.kind == self.kind
        if first is not None and is_mine and is_free and first is not self._run:
            self._follow(first)
        else:
            self._show_state()

    def _disconnect_layers(self) -> None:
        self._layers.events.removed.disconnect(self._layer_was_removed)

    def _layer_was_removed(self, event: Any) -> None:  # noqa: ANN401  (napari's event)
        """Show nothing more of a run that has ended, once its result or its source is gone."""
        run = self._run
        if run is None or run.state != "done":
            return
        if event.value is run.layer:
            run.changed.disconnect(self._show_state)
            self._run = None
        elif event.value is run.source:
            self._is_past = True  # its result can still be looked at
        self._show_state()

    def _follow(self, run: Run) -> None:
        if self._run is not None:
            self._run.changed.disconnect(self._show_state)
        self._run, self._is_past = run, False
        run.history.limit = self.snapshot_memory.value * 10**6
        connect_until_destroyed(self.native, run.changed, self._show_state)
        self._show_state()

    def _show_state(self, _run: Run | None = None) -> None:
        run = self._run
        is_active = run is not None and run.is_active
        if self._was_active and not is_active:
            self._prediction = ""  # of a run that has ended
        self._was_active = is_active
        self._enable_buttons()
        is_busy = self.estimate.is_active and not is_active
        self.progress.native.setRange(0, 0 if is_busy else BAR)  # 0: a bar without a value
        self._history.show_run(run, may_run_on=active_run(self._viewer) is None)
        if run is None:
            ready = "Press Run, or Estimate to predict the run time."
            prompt = "Open an image to begin." if self.image.value is None else ready
            self._status.value = self._prediction or self._notice or prompt
            self.progress.value = 0
            self._curve.show_run(None)
            return
        is_shown = run.is_active or (run.state == "done" and not self._is_past)
        fraction = 0.0 if run.step is None or not is_shown or is_busy else run.step.fraction
        self.progress.value = round(BAR * fraction)
        text = "" if self._is_past and not run.is_active else status_text(run)
        notices = () if self._is_past and not run.is_active else run.notices.values()
        self._status.value = "\n".join(
            filter(None, [self._prediction, self._notice, text, *notices])
        )
        self._curve.show_run(run if is_shown else None)

    def _enable_buttons(self) -> None:
        state = None if self._run is None else self._run.state
        self.run.enabled = self._run is None or not self._run.is_active
        self.queue.enabled = active_run(self._viewer) is not None
        self.estimate.show_state(may_start=not self.queue.enabled)
        self.cancel.enabled = not self.run.enabled
        self.pause.enabled = self.stop.enabled = state in ("running", "paused")
        self.pause.text = "Resume" if state == "paused" else "Pause"
