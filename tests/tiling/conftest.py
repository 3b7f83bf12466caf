"""A small network, and OME-Zarr images."""

import numpy as np
import pytest

import napari_deep_image_prior as dip

SETTINGS = dip.DenoisingFit(
    dip.CompactNetwork(widths=(8,), depth=0), iterations=3, crop=16, draws=1, region=32
)


def scene(*shape, seed=0):
    """Return a noisy image of smooth structures."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    clean = 1000 + 300 * np.sin(y / 9) * np.cos(x / 13) + 200 * (np.hypot(y - 60, x - 70) < 25)
    return (clean + generator.normal(0, 60, shape)).astype(np.float32)


@pytest.fixture(scope="session")
def fit_file(tmp_path_factory):
    """Return the file of a network, with which the command line needs no fit."""
    path = tmp_path_factory.mktemp("fit") / "small.safetensors"
    dip.fit(dip.Denoise(scene(48, 48)), settings=SETTINGS).save(path)
    return path


def make_store(path, image, axes="yx", version="0.5", chunks=16):
    """Write an OME-Zarr image with two levels."""
    import zarr

    kinds = {"c": "channel", "t": "time"}
    named = [{"name": name, "type": kinds.get(name, "space")} for name in axes]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [0.5 * 2**level if n in "yx" else 1.0 for n in axes]}
            ],
        }
        for level in range(2)
    ]
    described = {"multiscales": [{"name": "test", "axes": named, "datasets": datasets}]}
    if version == "0.5":
        attributes = {"ome": {"version": "0.5", **described}}
    else:
        described["multiscales"][0]["version"] = "0.4"
        attributes = described
    form = 3 if version == "0.5" else 2
    group = zarr.create_group(str(path), zarr_format=form, attributes=attributes)
    halved = tuple(
        -(-n // 2) if name in "yx" else n for n, name in zip(image.shape, axes, strict=True)
    )
    for name, shape in (("0", image.shape), ("1", halved)):
        sizes = [min(chunks, n) if axis in "yx" else 1 for n, axis in zip(shape, axes, strict=True)]
        array = group.create_array(name, shape=shape, chunks=sizes, dtype=image.dtype)
        if name == "0":
            array[:] = image
    return path
