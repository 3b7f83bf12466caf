"""The part of a widget with which settings are tried first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Shapes

from ..actions.trials import add_trial, discard_trials, trials_of
from ..jobs.queue import queue_of
from ..layers.region import VISIBLE
from ..viewer.proxies import unwrap_proxy
from ..viewer.side_by_side import comparison_in
from .controls import Folded, button, listen, row, wrapping_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.layers import Image

    from ..actions.trials import Trial
    from ..jobs.run import Run
    from ..layers.region import AskedRegion

REGION_HELP = (
    "Where to try: what the canvas shows of the image, or the rectangle on a Shapes layer. "
    "All trials are of the same part: discard them to choose another."
)
ADD_HELP = "Restore only that part, with the settings above. Up to four trials of it."
BESIDE_HELP = "Show the given image and the trials in a grid, moved and zoomed together, at the same contrast."
APPLY_HELP = "Take over the settings of the chosen trial, and restore the whole image with them."
INVITATION = "Zoom in on a telling part, add a trial, change a setting, add another."
FOR_PHOTON_NOISE = 104 * 104
"""Pixels of which the noise "auto" can tell photon noise from texture: about `noise.PHOTON_BLOCKS`."""


class TrialControls(Folded):
    """Try settings on a part of the image, compare them there, and apply one of them to the whole.

    Parameters
    ----------
    viewer : napari.Viewer
    kind : {"denoise", "inpaint", "super-resolve"}
    image : ComboBox
        Where the image is chosen.
    asked : callable
        Returns the arguments of `restore_layer` as the widget is set.
    follow, apply, report : callable
        What is to be done with a run that was asked for, with the trial that was chosen, and with what
        the user is to be told.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        kind: str,
        image: ComboBox,
        asked: Callable[[], dict[str, Any]],
        *,
        follow: Callable[[Run], object],
        apply: Callable[[Trial], object],
        report: Callable[[object], object],
    ) -> None:
        self._viewer, self._kind = unwrap_proxy(viewer), kind
        self._image, self._asked = image, asked
        self._follow, self._settle, self._report = follow, apply, report
        self._region = ComboBox(name="region", choices=self._regions, tooltip=REGION_HELP)
        self._add_button = button("add_trial", "Add trial", ADD_HELP, self._add)
        self._beside_button = button(
            "beside", "Side by side", BESIDE_HELP, self._show_beside_or_back
        )
        self._chosen = ComboBox(
            name="trial", choices=self._numbers, tooltip="The trial that Apply to whole takes."
        )
        self._apply_button = button("apply", "Apply to whole", APPLY_HELP, self._apply)
        self._discard_button = button(
            "discard", "Discard trials", "Remove the trials' layers.", self._discard
        )
        self._told = wrapping_label("trial_text", 3)
        super().__init__(
            "trying",
            "Try first",
            [
                self._region,
                row("trial_buttons", self._add_button, self._beside_button),
                self._chosen,
                row("trial_ends", self._apply_button, self._discard_button),
                self._told,
            ],
        )
        listen(
            self.native, queue_of(viewer).changed, self.reset_choices
        )  # trials that wait have no layer in the viewer yet
        listen(
            self.native, comparison_in(viewer).changed, self._show_trials
        )  # napari's own button may end one
        self._show_trials()

    def reset_choices(self, *_: object) -> None:
        """Look which trials and Shapes layers there are; napari calls it when layers come and go."""
        super().reset_choices()
        self._show_trials()

    def _regions(self, _combo: object = None) -> list[tuple[str, AskedRegion]]:
        shapes = [(layer.name, layer) for layer in self._viewer.layers if isinstance(layer, Shapes)]
        return [("visible part", VISIBLE), *shapes]

    def _numbers(self, _combo: object = None) -> list[tuple[str, Image]]:
        return [
            (f"{trial.number}: {trial.words}", layer) for layer, trial in self._trials().items()
        ]

    def _trials(self) -> dict[Image, Trial]:
        return trials_of(self._viewer, self._kind)

    def _show_trials(self) -> None:
        trials = self._trials()
        beside = comparison_in(self._viewer).of(self._kind)
        if beside is not None and not self._given(trials):
            beside.leave()
            beside = None
        elif beside is not None:
            beside.take_in([*self._given(trials), *trials])
        self._beside_button.text = "Side by side" if beside is None else "Back"
        self._region.enabled = not trials
        for each in (self._beside_button, self._chosen, self._apply_button, self._discard_button):
            each.enabled = bool(trials)
        self._told.value = _told(list(trials.values()))

    def _given(self, trials: dict[Image, Trial]) -> list[Image]:
        """Return the image that was tried, if it and a trial are there."""
        return [trial.source for trial in trials.values() if trial.source in self._viewer.layers][
            :1
        ]

    def _add(self) -> None:
        try:
            run = add_trial(self._viewer, self._image.value, self._region.value, self._asked())
        except (ValueError, TypeError, RuntimeError) as error:
            self._report(error)
            return
        self.reset_choices()
        self._chosen.value = run.layer
        self._follow(run)

    def _show_beside_or_back(self) -> None:
        shown = comparison_in(self._viewer).of(self._kind)
        trials = self._trials()
        if shown is not None:
            shown.leave()
        elif not self._given(trials):
            self._report(
                "the image that was tried is not in the viewer any more: discard the trials."
            )
        else:
            comparison_in(self._viewer).show(
                self._viewer, self._kind, [*self._given(trials), *trials]
            )
        self._show_trials()

    def _leave_beside(self) -> None:
        if (shown := comparison_in(self._viewer).of(self._kind)) is not None:
            shown.leave()

    def _apply(self) -> None:
        trial = self._trials().get(self._chosen.value)
        if trial is None:
            self._report("choose a trial first.")
        elif trial.source not in self._viewer.layers:
            self._report("the image that was tried is not in the viewer any more.")
        else:
            self._leave_beside()
            self._settle(trial)
            self._show_trials()

    def _discard(self) -> None:
        self._leave_beside()
        discard_trials(self._viewer, self._kind)
        self.reset_choices()


def _told(trials: list[Trial]) -> str:
    """Tell which part is tried, and what a trial on it cannot tell."""
    if not trials:
        return INVITATION
    if (region := trials[0].region) is None:
        return f"The region is the whole of '{trials[0].source.name}': zoom in to try a part."
    (top, bottom), (left, right) = region
    height, width = bottom - top, right - left
    text = f"{height}x{width} pixels: rows {top} to {bottom - 1}, columns {left} to {right - 1}."
    if height * width < FOR_PHOTON_NOISE and any(
        trial.asked.get("noise") == "auto" for trial in trials
    ):
        text += " Too few for noise 'auto' to find photon noise: about 104x104."
    return text
