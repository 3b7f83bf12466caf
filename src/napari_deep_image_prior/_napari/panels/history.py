"""Controls that show earlier steps of a fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, Slider

from .controls import ask_where_to_save, button, row, wrapping_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..jobs.run import Run

HISTORY_HELP = "Show the image at an earlier step of a paused or finished fit."
KEEP_HELP = "Add the image on display as a new layer. Its metadata record the step."
RUN_ON_HELP = (
    "Continue a finished fit: a stopped fit runs to its planned end, "
    "a completed fit for the same number of steps again."
)
GIF_HELP = "Save all snapshots of the fit as an animated GIF."


class HistoryControls(Container[Any]):
    """Show earlier steps of a paused or finished fit, keep one, or continue the fit."""

    def __init__(self, run_on: Callable[[], object], report: Callable[[object], object]) -> None:
        super().__init__(name="history_controls", labels=False, label=" ")
        self.margins = (0, 0, 0, 0)
        self._run: Run | None = None
        self._report = report
        self._slider = Slider(
            name="history", min=0, max=1, value=0, tooltip=HISTORY_HELP, readout=False
        )
        self._slider.changed.connect(self._scrub)
        self._text = wrapping_label("history_text", 2)
        self._keep_button = button("keep", "Keep this step", KEEP_HELP, self._keep)
        self._run_on_button = button("run_on", "Run on", RUN_ON_HELP, run_on)
        self._gif_button = button("gif", "Save GIF …", GIF_HELP, self._save_gif)
        buttons = row("history_buttons", self._keep_button, self._run_on_button, self._gif_button)
        self.extend([self._slider, self._text, buttons])
        self.native.layout().setSpacing(2)

    def show_run(self, run: Run | None, *, may_run_on: bool) -> None:
        """Show the snapshots of a run."""
        self._run = run
        self._enable(run, may_run_on=may_run_on)
        count = 0 if run is None else len(run.history)
        if run is None or run.shown is None or count == 0:
            self._text.value = ""
            return
        places = [index for index, snapshot in enumerate(run.history) if snapshot is run.shown]
        with self._slider.changed.blocked():
            self._slider.max = max(1, count - 1)
            self._slider.value = max(1, count - 1) if count == 1 else (places or [count - 1])[0]
        place = run.shown.place if run.is_one_fit else ""  # each plane or channel counts its own
        what = place or "the image so far"
        if run.shown.provenance:
            what = ", ".join(filter(None, ["the result", place]))
        megabytes, limit = run.history.nbytes / 1e6, run.history.limit / 1e6
        snapshots = "1 snapshot" if count == 1 else f"{count} snapshots"
        self._text.value = f"Showing {what}\n{snapshots}, {megabytes:.0f} of {limit:.0f} MB"

    def _enable(self, run: Run | None, *, may_run_on: bool) -> None:
        count = 0 if run is None else len(run.history)
        self._slider.enabled = count > 1 and run is not None and run.can_be_scrubbed
        self._keep_button.enabled = count > 0
        # a stack has no earlier images
        self._gif_button.enabled = count > 0 and run is not None and run.is_one_fit
        self._run_on_button.enabled = run is not None and run.can_run_on and may_run_on

    def _scrub(self, index: int) -> None:
        if self._run is not None and self._run.can_be_scrubbed:
            self._run.scrub(min(index, len(self._run.history) - 1))

    def _keep(self) -> None:
        if self._run is None:
            return
        try:
            kept = self._run.keep()
        except RuntimeError as error:
            self._report(error)
        else:
            self._report(f"kept as '{kept.name}'.")

    def _save_gif(self) -> None:
        run = self._run
        if run is None:
            return
        path = ask_where_to_save(self.native, run.layer, Path(), "GIF", (".gif",))
        try:
            if path:
                run.write_animation(path)
        except ValueError as error:  # FileError is one
            self._report(error)
        else:
            self._report(f"saved as {path}" if path else "nothing was saved.")
