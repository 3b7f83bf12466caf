"""Records and files of an earlier version open and give the same image.

`tests/records` was written before the settings got their current names (GuidedFit, MaskedFit, ...).
"""

import json
from pathlib import Path

import numpy as np
import pytest

import napari_deep_image_prior as dip
from napari_deep_image_prior.io.files import read_image

RECORDS = Path(__file__).parents[1] / "records"
INPUT = np.load(RECORDS / "input.npy")
ROUNDING = 1.0
"""Largest difference in intensity, of about 120, that another processor or torch may cause."""
IMPROVED = 6.0
"""The same for denoised images: their first estimate has been improved since."""


@pytest.mark.parametrize("name", ["denoise", "inpaint", "super-resolve", "paper"])
def test_an_old_record_is_repeated(name: str) -> None:
    made = json.loads((RECORDS / f"{name}.json").read_text())
    assert made["settings"]["method"] in ("GuidedFit", "MaskedFit", "CrossScaleFit", "PriorFit")
    again = dip.repeat(made, INPUT)
    assert again.provenance["task"] == made["task"]
    settings = again.provenance["settings"]
    assert {name: settings[name] for name in made["settings"]} == {
        **made["settings"],
        "method": settings["method"],
    }
    if (stored := RECORDS / f"{name}.npy").exists():
        np.testing.assert_allclose(again.image, np.load(stored), atol=_allowed(again))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("denoised", "stack"),
        ("channels", "channels"),
        ("inpainted", "stack"),
        ("enlarged", "small"),
    ],
)
def test_an_old_file_of_a_stack_opens_and_is_repeated(name: str, source: str) -> None:
    found = read_image(RECORDS / f"{name}.dip.ome.tif")
    assert found.provenance is not None
    again = dip.repeat(found.provenance, read_image(RECORDS / f"{source}.tif").image)
    np.testing.assert_allclose(
        again.image.astype(float), found.image.astype(float), atol=2 * _allowed(again)
    )


def test_an_old_result_saved_from_napari_opens_at_its_position() -> None:
    from napari_deep_image_prior._napari.layers.files import read_layer

    ((image, options, kind),) = read_layer(str(RECORDS / "layer.dip.ome.tif"))
    assert kind == "image"
    assert options["scale"] == [0.2, 0.2]
    assert options["translate"] == [3, 4]
    again = dip.repeat(options["metadata"]["deep_image_prior"], INPUT)
    np.testing.assert_allclose(again.image, image, atol=_allowed(again))


def _allowed(again: dip.Restoration) -> float:
    return IMPROVED if again.provenance["task"]["kind"] == "denoise" else ROUNDING
