"""The panel Deconvolve: the point spread function comes from a width, the optics, or a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from magicgui.widgets import ComboBox, FloatSpinBox
from napari.layers import Image

from ...methods.deconvolution.optics import Microscope
from ..layers.volume import depth_axis, length_in_micrometers
from .controls import button, layer_choice, row
from .restoration import RestorationWidget
from .tasks import PLAUSIBLE

if TYPE_CHECKING:
    from magicgui.widgets.bases import Widget
    from napari.components import ViewerModel

GAUSSIAN, OPTICS, LAYER = "Gaussian blur", "microscope optics", "image layer"
SHOWN = {
    GAUSSIAN: ("sigma",),
    OPTICS: ("na", "wavelength", "refractive_index", "microscope", "pixel_size", "z_step"),
    LAYER: ("psf_layer",),
}
"""Controls for each source of the point spread function (PSF)."""
NUMBERS = (
    (
        "sigma",
        "width (pixels)",
        2.0,
        (0.1, 20.0),
        0.1,
        "Standard deviation of the blur, in pixels.",
    ),
    ("na", "NA", 1.4, (0.05, 2.0), 0.05, "Numerical aperture, as on the objective."),
    (
        "wavelength",
        "wavelength (nm)",
        520.0,
        (200.0, 2000.0),
        5.0,
        "Wavelength of the light that is recorded.",
    ),
    (
        "refractive_index",
        "immersion index",
        1.518,
        (1.0, 2.0),
        0.001,
        "Refractive index of the immersion: oil 1.518, water 1.333, air 1.",
    ),
    (
        "pixel_size",
        "pixel (µm)",
        0.1,
        (0.001, 1000.0),
        0.001,
        "Size of a pixel; set from the scale of the layer if it is in units of length.",
    ),
    ("z_step", "z step (µm)", 0.3, (0.001, 1000.0), 0.001, "Distance of planes, for volumes."),
    (
        "background",
        "background",
        0.0,
        (-1e6, 1e6),
        1.0,
        "Intensity of the image without light. The result does not fall below it.",
    ),
)
"""Name, label, value, range, step and help of the numbers, in the order of the panel."""


class DeconvolveWidget(RestorationWidget):
    """Remove the blur of a microscope from an image layer."""

    kind = "deconvolve"
    own = (
        "psf_from",
        "sigma",
        "na",
        "wavelength",
        "refractive_index",
        "microscope",
        "background",
    )
    warning = f"Detail finer than the microscope resolves is {PLAUSIBLE}"

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(napari_viewer)
        self.psf_from.changed.connect(self._show_controls)
        self.image.changed.connect(self._show_pixel_size)
        self.image.changed.connect(self._show_controls)
        self.planes.changed.connect(self._show_controls)
        for name in ("pixel_size", "z_step", "psf_layer"):
            getattr(self, name).changed.connect(self._forget_prediction)
        self._show_controls()
        self._show_pixel_size()

    def _own_widgets(self) -> list[Widget]:
        return [
            ComboBox(
                name="psf_from",
                label="blur from",
                choices=list(SHOWN),
                tooltip="What the blur of a point is known from (the point spread function, PSF).",
            ),
            *(_number(*of_number) for of_number in NUMBERS[:4]),
            ComboBox(
                name="microscope",
                choices=get_args(Microscope),
                tooltip="Widefield, or a confocal with a small pinhole.",
            ),
            *(_number(*of_number) for of_number in NUMBERS[4:6]),
            layer_choice(
                Image,
                "psf_layer",
                "An image of one point, with the same pixels as the image to restore.",
            ),
            row(
                "psf_row",
                button("show_psf", "Show PSF", "Add the PSF as a layer.", self._add_psf),
            ),
            _number(*NUMBERS[6]),
        ]

    def _show_controls(self, _value: object = None) -> None:
        """Show the controls of the chosen source of the PSF."""
        for source, names in SHOWN.items():
            for name in names:
                getattr(self, name).visible = source == self.psf_from.value
        self.z_step.visible = self.z_step.visible and self._planes.value == "volume"

    def _show_pixel_size(self, image: Image | None = None) -> None:
        """Take the size of a pixel from the image, if it is a length."""
        image = self.image.value if image is None else image
        if image is None:
            return
        depth = depth_axis(image, self._channels.roles)
        for name, axis in (("pixel_size", image.ndim - 1), ("z_step", depth)):
            size = None if axis is None else length_in_micrometers(image, axis)
            if size is not None:
                getattr(self, name).value = size

    def _task_arguments(self) -> dict[str, Any]:
        return {**self._psf_arguments(), "background": self.background.value}

    def _psf_arguments(self) -> dict[str, Any]:
        """Return the arguments that give the PSF."""
        if self.psf_from.value == GAUSSIAN:
            return {"psf_sigma": self.sigma.value}
        if self.psf_from.value == LAYER:
            layer = self.psf_layer.value
            if layer is None or layer is self.image.value:
                raise ValueError("choose another layer as PSF: an image of one point.")
            return {"psf": np.asarray(layer.data[0] if layer.multiscale else layer.data).squeeze()}
        pixel, step = self.pixel_size.value, self.z_step.value
        plane = (pixel, pixel)
        return {
            "na": self.na.value,
            "wavelength": self.wavelength.value,
            "refractive_index": self.refractive_index.value,
            "microscope": self.microscope.value,
            "spacing": (step, *plane) if self._planes.value == "volume" else plane,
        }

    def _add_psf(self) -> None:
        """Add the PSF as a layer, to be looked at."""
        from ...methods.deconvolution.task import Deconvolve

        shape = (33, 65, 65) if self._planes.value == "volume" else (65, 65)
        try:
            task = Deconvolve(np.zeros(shape), **self._psf_arguments())
        except (ValueError, TypeError) as error:
            self._report(error)
            return
        image, axes = self.image.value, {}
        if image is not None:
            # the pixels of the image: napari draws layers of different units without any
            count = task.kernel.ndim
            axes = {"scale": image.scale[-count:], "units": image.units[-count:]}
        added = self._viewer.add_image(task.kernel, name="PSF", colormap="inferno", **axes)
        self._report(f"added '{added.name}', {' x '.join(map(str, task.kernel.shape))} pixels.")


def _number(
    name: str, label: str, value: float, limits: tuple[float, float], step: float, tooltip: str
) -> FloatSpinBox:
    low, high = limits
    return FloatSpinBox(
        name=name, label=label, value=value, min=low, max=high, step=step, tooltip=tooltip
    )
