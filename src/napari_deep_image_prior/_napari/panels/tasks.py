"""The three widgets: Denoise, Inpaint, Super-resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from magicgui.widgets import ComboBox, FloatSlider, SpinBox
from napari.layers import Labels

from ...methods.denoising.task import STRONGEST, WEAKEST, NoiseKind
from ..actions.mark_pixels import mark_pixels
from ..layers.channels import Channels
from ..layers.plane import empty_mask
from .controls import button, layer_choice, row
from .pixel_marking import MarkControls
from .restoration import RestorationWidget

if TYPE_CHECKING:
    from magicgui.widgets.bases import Widget
    from napari.components import ViewerModel

STRENGTH_HELP = (
    "1 takes out the noise that was found. Less leaves the rest as grain (0.5: half of it). "
    "More smooths more, and takes faint detail with the noise."
)
NO_STRENGTH = "The preset paper knows no noise level: it has no strength. Choose fast or best."


class DenoiseWidget(RestorationWidget):
    """Remove the noise from an image layer."""

    kind = "denoise"
    warning = (
        "Faint detail may go with the noise, and a fine line may be an accident of it. "
        "Do not count, measure or diagnose without a look at the original."
    )

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self.preset.changed.connect(self._offer_strength)

    def _own_widgets(self) -> list[Widget]:
        tooltip = (
            "auto measures it. correlated: grain coarser than a pixel; "
            "poisson: photon counts without an offset; poisson-gaussian: a camera's."
        )
        noise = ComboBox(name="noise", choices=get_args(NoiseKind), value="auto", tooltip=tooltip)
        strength = FloatSlider(
            name="strength", value=1, min=WEAKEST, max=STRONGEST, step=0.05, tooltip=STRENGTH_HELP
        )
        return [noise, strength]

    def _offer_strength(self, preset: str) -> None:
        self.strength.enabled = preset != "paper"
        self.strength.tooltip = STRENGTH_HELP if self.strength.enabled else NO_STRENGTH

    def _arguments(self) -> dict[str, Any]:
        # the slider counts in steps of 0.05, not quite exactly
        strength = round(self.strength.value, 2) if self.strength.enabled else 1.0
        return {"noise": self.noise.value, "strength": strength}


class InpaintWidget(RestorationWidget):
    """Fill in the painted pixels of an image layer."""

    kind = "inpaint"
    warning = "A prior invents: what is filled in is plausible, not measured. Do not count, measure or diagnose on it."

    def _own_widgets(self) -> list[Widget]:
        missing = layer_choice(
            Labels, "missing", "Painted pixels are unknown and will be filled in."
        )
        new_mask = button(
            "new_mask", "New mask", "Add an empty mask to paint on the image.", self._add_mask
        )
        self._marking = MarkControls(self._mark)
        return [missing, row("mask_row", new_mask), self._marking]

    def _arguments(self) -> dict[str, Any]:
        return {"missing": self.missing.value}

    def _add_mask(self) -> None:
        if self.image.value is None:
            self._say("choose an image first: the mask is made to its shape.")
            return
        try:
            mask = empty_mask(self._viewer, self.image.value, Channels(self._channels.axis))
        except ValueError as error:
            self._say(error)
            return
        self.missing.reset_choices()
        self.missing.value = mask
        self._say(f"paint the pixels to fill in on '{mask.name}', then press Run.")

    def _mark(self) -> None:
        if self.image.value is None:
            self._say("choose an image first.")
            return
        what, value = self._marking.what.value, self._marking.value.value
        try:
            mask, count = mark_pixels(
                self._viewer,
                self.image.value,
                self.missing.value,
                what,
                value,
                Channels(self._channels.axis),
            )
        except ValueError as error:
            self._say(error)
            return
        if mask is None:
            self._say(f"no pixel of this plane is {what}: nothing was marked.")
            return
        self.missing.reset_choices()
        self.missing.value = mask
        self._say(f"marked {count} pixel{'' if count == 1 else 's'} on '{mask.name}' ({what}).")


class SuperResolveWidget(RestorationWidget):
    """Enlarge an image layer."""

    kind = "super-resolve"
    warning = "A prior invents: the finer detail is plausible, not measured. Do not count, measure or diagnose on it."

    def _own_widgets(self) -> list[Widget]:
        return [
            SpinBox(
                name="factor",
                value=4,
                min=2,
                max=16,
                tooltip="How many times larger along each side.",
            )
        ]

    def _arguments(self) -> dict[str, Any]:
        return {"factor": self.factor.value}
