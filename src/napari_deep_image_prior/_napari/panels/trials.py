"""Controls that try settings on part of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Shapes

from ..actions.trials import add_trial, discard_trials, trials_of
from ..jobs.queue import queue_of
from ..layers.region import VISIBLE
from ..viewer.proxies import unwrap_proxy
from ..viewer.side_by_side import comparison_in
from .controls import Collapsible, button, connect_until_destroyed, row, wrapping_label
from .long_names import shorten_long_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.layers import Image

    from ..actions.trials import Trial
    from ..jobs.run import Run
    from ..layers.region import RegionLike

REGION_HELP = (
    "The part to restore: the part of the image visible on the canvas, or the rectangle on a "
    "Shapes layer. All trials show the same part: discard them to choose another."
)
ADD_HELP = "Restore only this part with the settings above. Up to four trials."
CHOICE_HELP = "The trial whose settings Apply to whole uses."
BESIDE_HELP = "Show the image and its trials in a grid, with linked camera and contrast."
APPLY_HELP = "Select the settings of the chosen trial, and restore the whole image with them."
PROMPT = "Zoom in on a representative part and add a trial. Change a setting and add another."
SOURCE_GONE = "the image of these trials is no longer in the viewer"
MIN_SHOT_NOISE_PIXELS = 104 * 104
"""Pixels from which noise "auto" can separate shot noise from texture: `noise.PHOTON_BLOCKS`."""


class TrialControls(Collapsible):
    """Try settings on part of the image, compare the trials, and apply one to the whole image.

    Parameters
    ----------
    viewer : napari.Viewer
    kind : {"denoise", "inpaint", "super-resolve", "deconvolve"}
    image : ComboBox
        The menu for choosing the image.
    arguments : callable
        Returns the selected options as arguments of `restore_layer`.
    follow, apply, report : callable
        Called with the run of a new trial, the trial to apply, and a message for the user.
    when_loaded : callable
        Calls a function once torch is loaded.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        kind: str,
        image: ComboBox,
        arguments: Callable[[], dict[str, Any]],
        *,
        follow: Callable[[Run], object],
        apply: Callable[[Trial], object],
        report: Callable[[object], object],
        when_loaded: Callable[[Callable[[], object]], object],
    ) -> None:
        self._viewer, self._kind = unwrap_proxy(viewer), kind
        self._image, self._arguments = image, arguments
        self._follow, self._apply_settings, self._report = follow, apply, report
        self._region = ComboBox(name="region", choices=self._regions, tooltip=REGION_HELP)
        self._chosen = ComboBox(name="trial", choices=self._trial_choices, tooltip=CHOICE_HELP)
        for choice in (self._region, self._chosen):
            shorten_long_names(choice)
        self._text = wrapping_label("trial_text", 3)
        self._add_button = button(
            "add_trial", "Add trial", ADD_HELP, lambda: when_loaded(self._add)
        )
        self._beside_button = button("beside", "Side by side", BESIDE_HELP, self._toggle_beside)
        self._apply_button = button("apply", "Apply to whole", APPLY_HELP, self._apply)
        self._discard_button = button(
            "discard", "Discard trials", "Remove the layers of the trials.", self._discard
        )
        super().__init__(
            "trying",
            "Try first",
            [
                self._region,
                row("trial_buttons", self._add_button, self._beside_button),
                self._chosen,
                row("trial_ends", self._apply_button, self._discard_button),
                self._text,
            ],
        )
        # waiting trials have no layer in the viewer yet
        connect_until_destroyed(self.native, queue_of(viewer).changed, self.reset_choices)
        # napari's grid button may end a comparison
        connect_until_destroyed(self.native, comparison_in(viewer).changed, self._show_trials)
        self._show_trials()

    def reset_choices(self, *_: object) -> None:
        """List trials and Shapes layers again; napari calls this when the layers change."""
        super().reset_choices()
        self._show_trials()

    def _regions(self, _combo: object = None) -> list[tuple[str, RegionLike]]:
        shapes = [(layer.name, layer) for layer in self._viewer.layers if isinstance(layer, Shapes)]
        return [("visible part", VISIBLE), *shapes]

    def _trial_choices(self, _combo: object = None) -> list[tuple[str, Image]]:
        return [
            (f"{trial.number}: {trial.summary}", layer) for layer, trial in self._trials().items()
        ]

    def _trials(self) -> dict[Image, Trial]:
        return trials_of(self._viewer, self._kind)

    def _show_trials(self) -> None:
        trials = self._trials()
        beside = comparison_in(self._viewer).of(self._kind)
        if beside is not None and not self._given(trials):
            beside.close()
            beside = None
        elif beside is not None:
            beside.add([*self._given(trials), *trials])
        self._beside_button.text = "Side by side" if beside is None else "Back"
        self._region.enabled = not trials
        for each in (self._beside_button, self._chosen, self._apply_button, self._discard_button):
            each.enabled = bool(trials)
        self._text.value = _describe_trials(list(trials.values()))

    def _given(self, trials: dict[Image, Trial]) -> list[Image]:
        """Return the image of the trials, as a list; empty if it or the trials are gone."""
        sources = [trial.source for trial in trials.values()]
        return [source for source in sources if source in self._viewer.layers][:1]

    def _add(self) -> None:
        try:
            run = add_trial(self._viewer, self._image.value, self._region.value, self._arguments())
        except (ValueError, TypeError, RuntimeError) as error:
            self._report(error)
            return
        self.reset_choices()
        self._chosen.value = run.layer
        self._follow(run)

    def _toggle_beside(self) -> None:
        comparison, trials = comparison_in(self._viewer), self._trials()
        shown = comparison.of(self._kind)
        if shown is not None:
            shown.close()
        elif not self._given(trials):
            self._report(f"{SOURCE_GONE}: discard the trials.")
        else:
            comparison.show(self._viewer, self._kind, [*self._given(trials), *trials])
        self._show_trials()

    def _close_beside(self) -> None:
        if (shown := comparison_in(self._viewer).of(self._kind)) is not None:
            shown.close()

    def _apply(self) -> None:
        trial = self._trials().get(self._chosen.value)
        if trial is None:
            self._report("choose a trial first.")
        elif trial.source not in self._viewer.layers:
            self._report(f"{SOURCE_GONE}.")
        else:
            self._close_beside()
            self._apply_settings(trial)
            self._show_trials()

    def _discard(self) -> None:
        self._close_beside()
        discard_trials(self._viewer, self._kind)
        self.reset_choices()


def _describe_trials(trials: list[Trial]) -> str:
    """Return which part the trials show, and what cannot be estimated on it."""
    if not trials:
        return PROMPT
    if (region := trials[0].region) is None:
        return f"The region is the whole of '{trials[0].source.name}': zoom in to try a part."
    (top, bottom), (left, right) = region
    height, width = bottom - top, right - left
    text = f"{height}x{width} pixels: rows {top} to {bottom - 1}, columns {left} to {right - 1}."
    is_small = height * width < MIN_SHOT_NOISE_PIXELS
    if is_small and any(trial.arguments.get("noise") == "auto" for trial in trials):
        text += " Too few to detect shot noise except photon counts: about 104x104 are needed."
    return text
