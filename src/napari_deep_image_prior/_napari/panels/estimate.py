"""The Estimate button: predict run time and memory use before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import PushButton

from ..jobs.estimate import EstimateJob

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.components import ViewerModel

    from ...restoration.cost import Estimate

ESTIMATE, CANCEL = "Estimate", "Cancel estimate"
HELP = "Predict run time and memory use from a few steps, before a run."


class EstimateButton(PushButton):
    """Start an estimate, or cancel the one that is being made.

    Parameters
    ----------
    viewer : napari.Viewer
    begin : callable
        Returns the generator of an estimate.
    on_place, on_end : callable
        As of `EstimateJob`.
    on_change : callable
        Called with a message when an estimate has begun or was cancelled, or cannot be made.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        begin: Callable[[], Generator[str, None, Estimate]],
        *,
        on_place: Callable[[str], object],
        on_end: Callable[[object], object],
        on_change: Callable[[object], object],
        when_loaded: Callable[[Callable[[], object]], object],
    ) -> None:
        super().__init__(name="estimate", text=ESTIMATE, tooltip=HELP)
        self._viewer, self._begin = viewer, begin
        self._on_place, self._on_end, self._on_change = on_place, on_end, on_change
        self.job: EstimateJob | None = None
        self.changed.connect(
            lambda _value: self._cancel() if self.is_active else when_loaded(self._start)
        )

    @property
    def is_active(self) -> bool:
        """Whether an estimate is being made."""
        return self.job is not None and self.job.is_active

    def show_state(self, *, may_start: bool) -> None:
        """Show what pressing the button does."""
        self.text = CANCEL if self.is_active else ESTIMATE
        self.enabled = self.is_active or may_start

    def cancel(self) -> None:
        """Cancel the estimate that is being made."""
        if self.job is not None:
            self.job.cancel()

    def _start(self) -> None:
        try:
            estimation = self._begin()
        except (ValueError, TypeError) as error:
            self._on_change(error)
            return
        self.job = EstimateJob(self._viewer, estimation, self._on_place, self._on_end)
        self.job.start()
        self._on_change("estimating …")

    def _cancel(self) -> None:
        self.cancel()
        self._on_change("the estimate was cancelled.")
