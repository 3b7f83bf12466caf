"""The panel Deconvolve."""

from typing import Any

import numpy as np
import pytest

import napari_deep_image_prior as dip
from napari_deep_image_prior._napari.panels.deconvolve import SHOWN

from .conftest import open_panel, press

pytestmark = pytest.mark.gui


@pytest.fixture
def widget(viewer: Any, picture: np.ndarray) -> Any:
    viewer.add_image(picture, name="cells", scale=(50, 50), units=("nm", "nm"))
    return open_panel(viewer, "Deconvolve")


def test_only_the_controls_of_the_chosen_blur_are_shown(widget: Any) -> None:
    def shown() -> set[str]:
        names = {name for group in SHOWN.values() for name in group}
        inside = widget.native
        return {name for name in names if getattr(widget, name).native.isVisibleTo(inside)}

    for source, names in SHOWN.items():
        widget.psf_from.value = source
        assert shown() == set(names) - {"z_step"}, "that of a volume is not needed"


def test_the_size_of_a_pixel_comes_from_the_layer(widget: Any, viewer: Any) -> None:
    assert widget.pixel_size.value == pytest.approx(0.05)
    widget.psf_from.value = "microscope optics"
    arguments = widget._arguments()
    assert arguments["spacing"] == (pytest.approx(0.05), pytest.approx(0.05))
    widget.image.value = viewer.add_image(np.ones((40, 40)), name="without a unit")
    assert widget.pixel_size.value == pytest.approx(0.05), "a layer in pixels changes nothing"


def test_the_psf_is_shown_as_a_layer_and_serves_as_one(widget: Any, viewer: Any) -> None:
    widget.psf_from.value = "microscope optics"
    press(widget.show_psf)
    psf = viewer.layers["PSF"].data
    assert psf.sum() == pytest.approx(1)
    assert np.unravel_index(psf.argmax(), psf.shape) == tuple(n // 2 for n in psf.shape)
    widget.psf_from.value = "image layer"
    widget.psf_layer.reset_choices()
    widget.psf_layer.value = viewer.layers["PSF"]
    np.testing.assert_array_equal(widget._arguments()["psf"], psf)


def test_a_script_gets_the_size_of_a_pixel_from_the_layer(viewer: Any, picture: np.ndarray) -> None:
    layer = viewer.add_image(picture, scale=(50, 50), units=("nm", "nm"))
    optics = {"na": 0.8, "wavelength": 520, "refractive_index": 1.0}
    settings = dip.DeconvolutionFit(iterations=1, couplings=(0.3,))
    how = {"task": "deconvolve", "settings": settings, "block": True}
    run = dip.restore_layer(viewer, layer, **optics, **how)
    given = dip.Deconvolve(picture, **optics, spacing=(0.05, 0.05))
    np.testing.assert_allclose(run.task.kernel, given.kernel)


def test_the_image_itself_is_no_psf(widget: Any, viewer: Any) -> None:
    widget.psf_from.value = "image layer"
    widget.psf_layer.value = viewer.layers["cells"]
    press(widget.run)
    assert "Choose another layer as PSF" in widget.status.value
    assert [layer.name for layer in viewer.layers] == ["cells"]


def test_an_objective_that_cannot_be_is_refused_in_the_panel(widget: Any, viewer: Any) -> None:
    widget.psf_from.value = "microscope optics"
    widget.refractive_index.value = 1.0
    press(widget.run)
    assert "Na" in widget.status.value or "NA" in widget.status.value
    assert [layer.name for layer in viewer.layers] == ["cells"]
