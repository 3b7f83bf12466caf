"""TIFF files of other programs: units, color models, channel names, and misleading files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_deep_image_prior.io.files import read_image, write_image
from napari_deep_image_prior.io.image_file import FileError, ImageFile
from napari_deep_image_prior.io.units import in_unit, ome_unit

if TYPE_CHECKING:
    from pathlib import Path

GRAY = np.random.default_rng(0).integers(0, 250, (9, 11)).astype(np.uint8)


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("Microns", "µm"),
        ("UM", "µm"),
        ("\u03bcm", "µm"),
        ("\\u00B5m", "µm"),
        ("micrometers", "µm"),
        ("NM", "nm"),
        ("mm", "mm"),
        ("Mm", "Mm"),
        ("inches", "in"),
        ("sec", "s"),
        ("Minutes", "min"),
        ("pixel", ""),
        ("null", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_units_are_spelled_as_in_ome(written: object, unit: str) -> None:
    assert ome_unit(written) == unit


def test_units_are_converted_within_their_kind() -> None:
    assert in_unit(500, "nm", "µm") == pytest.approx(0.5)
    assert in_unit(3, "s", "µm") is None


def _imagej(path: Path, image: np.ndarray, **metadata: Any) -> None:
    tifffile.imwrite(path, image, imagej=True, resolution=(5.0, 4.0), metadata=metadata)


def test_sizes_in_different_units_are_converted_to_one(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 500.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25}
    tifffile.imwrite(tmp_path / "a.ome.tif", GRAY, metadata={"axes": "YX", **sizes})
    found = read_image(tmp_path / "a.ome.tif")
    assert found.unit == "nm"
    assert found.pixel_size == pytest.approx((250, 500))


def test_a_negative_spacing_is_a_distance(tmp_path: Path) -> None:
    _imagej(tmp_path / "a.tif", np.stack([GRAY, GRAY]), axes="ZYX", unit="um", spacing=-2.0)
    assert read_image(tmp_path / "a.tif").spacing == {"Z": (2.0, "µm")}


def test_other_programs_read_the_calibration(tmp_path: Path) -> None:
    _imagej(tmp_path / "a.tif", GRAY, unit="um")
    write_image(tmp_path / "b.tif", read_image(tmp_path / "a.tif"))
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        tags = tiff.pages[0].tags
        x, y = (tags[f"{axis}Resolution"].value for axis in "XY")
        assert x[0] / x[1] == pytest.approx(5e4, rel=1e-4)  # pixels per centimeter
        assert y[0] / y[1] == pytest.approx(4e4, rel=1e-4)
        assert tags["ResolutionUnit"].value == 3


def test_channel_names_of_imagej_and_details_of_ome_are_kept(tmp_path: Path) -> None:
    _imagej(tmp_path / "a.tif", np.stack([GRAY, GRAY]), axes="CYX", Labels=["DAPI", "GFP"])
    assert read_image(tmp_path / "a.tif").channel_names == ("DAPI", "GFP")
    channel = {"Name": ["a", "b"], "Color": [255, -1], "EmissionWavelength": [460.0, 520.0]}
    metadata = {"axes": "CYX", "Channel": channel}
    tifffile.imwrite(tmp_path / "b.ome.tif", np.stack([GRAY, GRAY]), metadata=metadata)
    write_image(tmp_path / "c.tif", read_image(tmp_path / "b.ome.tif"))
    found = read_image(tmp_path / "c.tif")
    assert found.channel_names == ("a", "b")
    assert found.channel_details["Color"] == ["255", "-1"]
    assert [float(one) for one in found.channel_details["EmissionWavelength"]] == [460, 520]


def test_lookup_tables_of_imagej_become_colors_of_ome(tmp_path: Path) -> None:
    ramp, none = np.arange(256, dtype=np.uint8), np.zeros(256, dtype=np.uint8)
    tables = [np.stack([none, ramp, none]), np.stack([ramp, none, ramp])]
    _imagej(tmp_path / "a.tif", np.stack([GRAY, GRAY]), axes="CYX", mode="composite", LUTs=tables)
    write_image(tmp_path / "b.tif", read_image(tmp_path / "a.tif"))
    colors = [int(code) % 2**32 for code in read_image(tmp_path / "b.tif").channel_details["Color"]]
    assert colors == [0x00FF00FF, 0xFF00FFFF]


@pytest.mark.parametrize("axes", ["TCYX", "CTYX", "ZYX"])
def test_exposure_and_position_of_each_plane_are_kept(tmp_path: Path, axes: str) -> None:
    shape = tuple({"T": 3, "C": 2, "Z": 4}[letter] for letter in axes[:-2])
    exposures = [0.1 * (1 + i) for i in range(int(np.prod(shape)))]
    plane = {"ExposureTime": exposures, "PositionX": exposures[::-1]}
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        np.broadcast_to(GRAY, (*shape, *GRAY.shape)),
        metadata={"axes": axes, "Plane": plane},
    )
    source = read_image(tmp_path / "a.ome.tif")
    write_image(tmp_path / "b.tif", source, {"task": {}})
    again = read_image(tmp_path / "b.tif")
    assert len(again.plane_details) == len(exposures)
    first, second = (
        {tuple(sorted(one.items())) for one in file.plane_details} for file in (source, again)
    )
    assert first == second
    # of another number of planes
    write_image(tmp_path / "c.tif", replace(source, image=source.image[:1]))
    assert "Plane" not in tifffile.TiffFile(tmp_path / "c.tif").ome_metadata.replace("PlaneC", "")


@pytest.mark.parametrize("how", ["ome", "imagej", "plain", "png"])
def test_the_description_is_kept_beside_the_provenance(tmp_path: Path, how: str) -> None:
    text = "HeLa <5 µm> & control\nday 3"
    source = tmp_path / "a.tif"
    if how == "ome":
        tifffile.imwrite(source, GRAY, ome=True, metadata={"axes": "YX", "Description": text})
    elif how == "imagej":
        text = text.replace("µ", "u")
        _imagej(source, GRAY, axes="YX", Info=text)
    elif how == "plain":
        text = text.replace("µ", "u")
        tifffile.imwrite(source, GRAY, description=text, metadata=None)
    else:
        source = tmp_path / "a.png"
        write_image(source, ImageFile(GRAY, description=text))
    out = tmp_path / f"b{source.suffix}"
    for _ in range(2):  # the result's own is read again
        file = read_image(source)
        assert file.description == text
        write_image(out, file, {"task": {"kind": "denoise"}})
        assert read_image(out).provenance == {"task": {"kind": "denoise"}}
        source = out


def test_what_programs_write_is_no_description(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY)
    write_image(tmp_path / "b.tif", ImageFile(GRAY), {"task": {}})
    for name in ("a.tif", "b.tif"):
        assert read_image(tmp_path / name).description == ""


@pytest.mark.parametrize(
    ("image", "options", "kind"),
    [
        (GRAY, {"photometric": "miniswhite"}, "MINISWHITE"),
        (np.stack([GRAY] * 3), {"photometric": "rgb", "planarconfig": "separate"}, "RGB"),
        (np.dstack([GRAY] * 3).astype(np.float32), {"photometric": "rgb"}, "RGB"),
        (
            np.dstack([GRAY] * 4),
            {"photometric": "minisblack", "planarconfig": "contig", "metadata": {"axes": "YXC"}},
            "MINISBLACK",
        ),
    ],
    ids=["inverted", "planar", "float color", "four stains"],
)
def test_the_color_model_is_kept(
    tmp_path: Path, image: np.ndarray, options: dict[str, Any], kind: str
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", image, **options)
    source = read_image(tmp_path / "a.tif")
    write_image(tmp_path / "b.tif", source)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages[0].photometric.name == kind
    again = read_image(tmp_path / "b.tif")
    assert again.channel_count == source.channel_count
    assert sorted(again.image.ravel()) == sorted(source.image.ravel())


def test_a_palette_is_read_as_its_displayed_colors(tmp_path: Path) -> None:
    palette = np.random.default_rng(0).integers(0, 2**16, (3, 256)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", GRAY, photometric="palette", colormap=palette)
    found = read_image(tmp_path / "a.tif")
    assert found.is_color
    np.testing.assert_array_equal(found.image, np.moveaxis(palette[:, GRAY] >> 8, 0, -1))


def test_other_color_models_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([GRAY] * 3), photometric="cielab")
    with pytest.raises(FileError, match="CIELAB is not supported"):
        read_image(tmp_path / "a.tif")


def test_the_orientation_is_kept(tmp_path: Path) -> None:
    extra = [(274, "H", 1, 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", GRAY, extratags=extra, metadata=None)
    write_image(tmp_path / "b.tif", read_image(tmp_path / "a.tif"))
    found = read_image(tmp_path / "b.tif")
    assert found.orientation == 6
    np.testing.assert_array_equal(found.image, GRAY)


@pytest.mark.parametrize("compression", ["lzw", "zstd", "packbits", "deflate"])
def test_compressed_files_are_read(tmp_path: Path, compression: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, compression=compression)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").image, GRAY)


@pytest.mark.parametrize("kept", [0.5, 0.9])
@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"ome": True}], ids=str)
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float, options: dict[str, Any]) -> None:
    path = tmp_path / "a.tif"
    stack = np.random.default_rng(0).integers(0, 250, (3, 32, 36)).astype(np.uint16)
    tifffile.imwrite(path, stack, metadata={"axes": "ZYX"}, **options)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(FileError):
        read_image(path)


@pytest.mark.parametrize(
    "claim", ['SizeZ="1000000000"><TiffData IFD="0"', 'SizeZ="1"><TiffData IFD="1000000000"']
)
def test_planes_that_a_file_cannot_hold_are_not_counted(tmp_path: Path, claim: str) -> None:
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="24" '
        f'SizeY="20" SizeC="1" SizeT="1" {claim}/></Pixels></Image></OME>'
    )
    path = tmp_path / "claims.tif"
    tifffile.imwrite(path, np.zeros((20, 24), np.uint16), description=xml, metadata=None)
    with pytest.raises(FileError, match="claims 1000000000 planes and holds 1"):
        read_image(path)


def test_malformed_details_of_channels_are_not_copied(tmp_path: Path) -> None:
    image, path = np.zeros((20, 24), np.uint16), tmp_path / "a.tif"
    details = {"EmissionWavelength": [461], "EmissionWavelengthUnit": ["nm"], "Color": [-1]}
    metadata = {"axes": "YX", "Channel": {"Name": ["DAPI"], **details}}
    tifffile.imwrite(path, image, ome=True, metadata=metadata)
    with tifffile.TiffFile(path) as tiff:
        xml = str(tiff.ome_metadata)
    assert read_image(path).channel_details == {k: [str(v[0])] for k, v in details.items()}
    for old, new in (('"461"', '"blue"'), ('"nm"', '"furlong"'), ('"-1"', '"red"')):
        assert old in xml
        xml = xml.replace(old, new)
    tifffile.imwrite(path, image, description=xml.encode(), metadata=None)
    found = read_image(path)
    assert (found.channel_names, found.channel_details) == (("DAPI",), {})
