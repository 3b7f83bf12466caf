"""The restoration panels: Denoise, Inpaint, Super-resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from magicgui.widgets import ComboBox, FloatSlider, SpinBox
from napari.layers import Labels

from ...methods.denoising.task import STRONGEST, WEAKEST, NoiseKind, Outliers
from ..actions.mark_pixels import mark_pixels
from ..layers.channels import Channels
from ..layers.plane import empty_mask
from ..layers.size import result_size
from .controls import button, layer_choice, row, wrapping_label
from .hole_width import HoleWidth
from .pixel_marking import MarkControls
from .restoration import RestorationWidget

if TYPE_CHECKING:
    from magicgui.widgets.bases import Widget
    from napari.components import ViewerModel

NOISE_WORDS: dict[NoiseKind, str] = {
    "auto": "detect in the image",
    "gaussian": "camera (read) noise",
    "correlated": "grain coarser than a pixel",
    "poisson": "photon (shot) noise",
    "poisson-gaussian": "photon and camera noise",
}
NOISE_HELP = (
    "Camera noise is equally strong everywhere. Photon noise grows with the brightness: photon "
    "counts without an offset. With both, the camera adds an offset and read noise."
)
STRENGTH_HELP = (
    "1 removes the estimated noise. Lower values keep part of it as grain (0.5: half). "
    "Higher values smooth more, and remove faint detail along with the noise."
)
OUTLIERS_HELP = (
    "Hot and dead pixels, cosmic rays and other single pixels far beyond the noise. keep: leave "
    "them in the image. fill: treat them as unknown. Single bright points are filled too."
)
NO_STRENGTH = "Not available for preset paper, which has no noise level. Choose fast or best."
PLAUSIBLE = "plausible, not measured. Do not count, measure or diagnose on it."


class DenoiseWidget(RestorationWidget):
    """Remove the noise from an image layer."""

    kind = "denoise"
    own = ("noise", "strength", "outliers")
    warning = (
        "Faint detail may be removed with the noise, and a fine line may be an artifact. "
        "Do not count, measure or diagnose without the original."
    )

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self.preset.changed.connect(self._enable_strength)
        self._enable_strength(self.preset.value)

    def _own_widgets(self) -> list[Widget]:
        noise = ComboBox(
            name="noise",
            choices=[(words, kind) for kind, words in NOISE_WORDS.items()],
            value="auto",
            tooltip=NOISE_HELP,
        )
        strength = FloatSlider(
            name="strength", value=1, min=WEAKEST, max=STRONGEST, step=0.05, tooltip=STRENGTH_HELP
        )
        outliers = ComboBox(
            name="outliers", choices=get_args(Outliers), value="keep", tooltip=OUTLIERS_HELP
        )
        return [noise, strength, outliers]

    def _enable_strength(self, preset: str) -> None:
        self.strength.enabled = preset != "paper"
        self.strength.tooltip = STRENGTH_HELP if self.strength.enabled else NO_STRENGTH

    def _task_arguments(self) -> dict[str, Any]:
        # the slider's values are only near to multiples of 0.05
        strength = round(self.strength.value, 2) if self.strength.enabled else 1.0
        return {
            "noise": self.noise.value,
            "strength": strength,
            "outliers": self.outliers.value,
        }


class InpaintWidget(RestorationWidget):
    """Fill in the painted pixels of an image layer."""

    kind = "inpaint"
    own = ("marked", "mark_value")
    warning = f"A prior invents: what is filled in is {PLAUSIBLE}"

    def _own_widgets(self) -> list[Widget]:
        missing = layer_choice(
            Labels, "missing", "The mask. Painted pixels are unknown and are filled in."
        )
        new_mask = button(
            "new_mask", "New mask", "Add an empty mask to paint on the image.", self._add_mask
        )
        self._marking = MarkControls(self._mark)
        self._hole_width = HoleWidth(self._viewer, "hole_width")
        missing.changed.connect(self._hole_width.watch)
        missing.changed.connect(self._forget_prediction)
        self._hole_width.watch(missing.value)
        return [missing, row("mask_row", new_mask), self._hole_width.label, self._marking]

    def _task_arguments(self) -> dict[str, Any]:
        return {"missing": self.missing.value}

    def _add_mask(self) -> None:
        if self.image.value is None:
            self._report("choose an image first: the mask has its shape.")
            return
        try:
            mask = empty_mask(self._viewer, self.image.value, Channels(self._channels.axis))
        except ValueError as error:
            self._report(error)
            return
        self._select_mask(mask)
        self._report(f"paint the pixels to fill in on '{mask.name}', then press Run.")

    def _mark(self) -> None:
        if self.image.value is None:
            self._report("choose an image first.")
            return
        which = self._marking.pixels.value
        try:
            mask, count = mark_pixels(
                self._viewer,
                self.image.value,
                self.missing.value,
                which,
                self._marking.value.value,
                Channels(self._channels.axis),
            )
        except ValueError as error:
            self._report(error)
            return
        if mask is None:
            self._report(f"no pixel of this plane is {which}: nothing was marked.")
            return
        self._select_mask(mask)
        self._report(f"marked {count} pixel{'' if count == 1 else 's'} on '{mask.name}' ({which}).")

    def _select_mask(self, mask: Labels) -> None:
        self.missing.reset_choices()
        self.missing.value = mask


class SuperResolveWidget(RestorationWidget):
    """Enlarge an image layer."""

    kind = "super-resolve"
    own = ("factor",)
    warning = f"A prior invents: the finer detail is {PLAUSIBLE}"

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self.image.changed.connect(self._show_size)
        self.factor.changed.connect(self._show_size)
        self._show_size()

    def _own_widgets(self) -> list[Widget]:
        help_text = "Magnification along Y and X."
        factor = SpinBox(name="factor", value=4, min=2, max=16, tooltip=help_text)
        self._size = wrapping_label("result_size", 1)
        return [factor, self._size]

    def _show_size(self, _value: object = None) -> None:
        self._size.value = (
            "" if self.image.value is None else result_size(self.image.value, self.factor.value)
        )

    def _task_arguments(self) -> dict[str, Any]:
        return {"factor": self.factor.value}
