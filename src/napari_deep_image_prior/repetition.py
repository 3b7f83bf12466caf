"""A result made again, from what is noted of how it was made."""

from __future__ import annotations

import dataclasses
from pprint import pformat
from typing import TYPE_CHECKING, Any

import numpy as np

from .provenance import fingerprint, unpacked
from .restoration import restore
from .settings import preset_settings, settings_from_dict
from .tasks import Denoise, Inpaint, SuperResolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from .restoration import Restoration
    from .settings import Settings
    from .tasks import Task

# what a repetition needs; the rest of a provenance describes the result
_NEEDED = ("task", "preset", "settings", "seed", "device", "threads", "dtype", "stopped_after", "versions")


def repeat(provenance: Mapping[str, Any], image: ArrayLike) -> Restoration:
    """Restore an image again, as a result's provenance says.

    With the same versions, device and threads the result is the same image.

    Parameters
    ----------
    provenance : dict
        `Restoration.provenance`, `layer.metadata["deep_image_prior"]`, or what a file holds.
        An inpainting's mask is in it.
    image : array
        The image that was restored then.

    Raises
    ------
    ValueError
        If it is another image, or the provenance is not one, or its device is not here.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> first = dip.restore(dip.Denoise(noisy), settings=dip.PriorFit(iterations=2), seed=3)
    >>> np.array_equal(dip.repeat(first.provenance, noisy).image, first.image)
    True
    """
    return restore(repeated_task(provenance, image), **repeated_options(provenance))


def repeated_task(provenance: Mapping[str, Any], image: ArrayLike) -> Task:
    """Return the task of a provenance, after a look whether `image` is the one it is about."""
    try:
        described = dict(provenance["task"])
        pixels = _recognised(np.asarray(image), described)
        kind = {"denoise": Denoise, "inpaint": Inpaint, "super-resolve": SuperResolve}[described["kind"]]
        fields = {field.name for field in dataclasses.fields(kind)}
        options = {name: value for name, value in described.items() if name in fields}
        if kind is Inpaint:
            options["missing"] = unpacked(described["missing_zlib"], described["shape"])
    except (KeyError, TypeError) as error:
        raise _not_a_provenance(error) from error
    task: Task = kind(pixels, **options)
    return task


def repeated_options(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `restore` of a provenance."""
    try:
        settings = settings_from_dict(provenance["settings"])
        options = {name: provenance[name] for name in ("seed", "device", "dtype", "threads")}
        options["stop_after"] = provenance["stopped_after"]
        preset = provenance["preset"]
        named = preset is not None and _of_preset(provenance["task"], preset) == settings
    except (KeyError, TypeError) as error:
        raise _not_a_provenance(error) from error
    return options | ({"preset": preset} if named else {"settings": settings})


def script(provenance: Mapping[str, Any], reading: str) -> str:
    """Return a Python script that makes a result again.

    Parameters
    ----------
    provenance : dict
        How it was made.
    reading : str
        The lines that read the image as `image`.
    """
    kind, version = provenance["task"]["kind"], provenance["versions"]["napari-deep-image-prior"]
    made = pformat({name: provenance[name] for name in _NEEDED}, width=110, sort_dicts=False)
    return f'''"""{kind.capitalize()} one image, with napari-deep-image-prior {version}."""

import napari_deep_image_prior as dip

{reading}

made = {made}
result = dip.repeat(made, image)  # refuses another image than the one restored then
restored = result.image
'''


def _recognised(image: NDArray[Any], described: Mapping[str, Any]) -> NDArray[Any]:
    """Return the image in the byte order it had then, if it is the same."""
    dtype = np.dtype(described["image_dtype"])
    if image.dtype.newbyteorder("=") == dtype.newbyteorder("="):  # files differ in the order of the bytes
        image = image.astype(dtype, copy=False)
    if list(image.shape) != described["shape"] or image.dtype != dtype:
        raise ValueError(
            f"this is another image than the one restored then: {image.dtype} of shape {image.shape}, "
            f"not {dtype} of shape {tuple(described['shape'])}."
        )
    if fingerprint(image) != described["image_sha256"]:
        raise ValueError("this is another image than the one restored then: its pixels differ (image_sha256).")
    return image


def _of_preset(described: Mapping[str, Any], preset: str) -> Settings:
    return preset_settings(described["kind"], preset, factor=max(described.get("factor", [1])))


def _not_a_provenance(error: Exception) -> ValueError:
    return ValueError(f"this does not say how a result was made ({type(error).__name__}: {error}).")
