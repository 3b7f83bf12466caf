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
MAX_SIGMA = 20.0


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
            FloatSpinBox(
                name="sigma",
                label="width (pixels)",
                value=2.0,
                min=0.1,
                max=MAX_SIGMA,
                step=0.1,
                tooltip="Standard deviation of the blur, in pixels.",
            ),
            FloatSpinBox(
                name="na",
                label="NA",
                value=1.4,
                min=0.05,
                max=2.0,
                step=0.05,
                tooltip="Numerical aperture, as on the objective.",
            ),
            FloatSpinBox(
                name="wavelength",
                label="wavelength (nm)",
                value=520.0,
                min=200.0,
                max=2000.0,
                step=5.0,
                tooltip="Wavelength of the light that is recorded.",
            ),
            FloatSpinBox(
                name="refractive_index",
                label="immersion index",
                value=1.518,
                min=1.0,
                max=2.0,
                step=0.001,
                tooltip="Refractive index of the immersion: oil 1.518, water 1.333, air 1.",
            ),
            ComboBox(
                name="microscope",
                choices=get_args(Microscope),
                tooltip="Widefield, or a confocal with a small pinhole.",
            ),
            FloatSpinBox(
                name="pixel_size",
                label="pixel (µm)",
                value=0.1,
                min=0.001,
                max=1000.0,
                step=0.001,
                tooltip="Size of a pixel; set from the scale of the layer if it is in units of "
                "length.",
            ),
            FloatSpinBox(
                name="z_step",
                label="z step (µm)",
                value=0.3,
                min=0.001,
                max=1000.0,
                step=0.001,
                tooltip="Distance of planes, for volumes.",
            ),
            layer_choice(
                Image,
                "psf_layer",
                "An image of one point, with the same pixels as the image to restore.",
            ),
            row(
                "psf_row",
                button("show_psf", "Show PSF", "Add the PSF as a layer.", self._add_psf),
            ),
            FloatSpinBox(
                name="background",
                value=0.0,
                min=-1e6,
                max=1e6,
                step=1.0,
                tooltip="Intensity of the image without light. The result does not fall below it.",
            ),
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

        depth = 33 if self._planes.value == "volume" else 1
        shape = (depth, 65, 65)[3 - (3 if depth > 1 else 2) :]
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
