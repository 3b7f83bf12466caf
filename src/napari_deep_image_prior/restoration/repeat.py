"""A result made again, from what is noted of how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import selection
from ..encoding import fingerprint
from ..methods.registry import method_of, preset_settings, settings_from_dict
from .api import restore
from .stack import TASK_KEYS, StackPart, StackSteps

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..arrays import Index
    from ..fitting.settings import Settings
    from ..methods.task import Task
    from .base import Restoration

# what a provenance has at least, and its parts
_KEYS = (
    *("preset", "seed", "device", "device_name", "threads", "dtype"),
    *("found", "seconds", "iterations", "stop_reason", "stopped_after"),
)
_PARTS = {
    "task": ("kind", "shape", "image_dtype", "image_sha256"),
    "settings": ("method",),
    "versions": ("napari-deep-image-prior",),
}

# what task, settings and seed do not tell
_STEERED = {
    "snapshot": "it shows a fit before its end",
    "run_on": "its fit was run on after its end",
    "repainted": "its mask was repainted during the fit",
    "warm_start": "its fit began with the network of another image",
    "failed": "it is a stack, and the fits of some of its planes failed",
    "stack_stopped": "it is a stack, and was stopped before all of it was restored",
}


def repeat(provenance: Mapping[str, Any], image: ArrayLike) -> Restoration:
    """Restore an image again, as a result's provenance says.

    With the same versions, device and threads the result is the same image. Of a stack all
    planes are restored again, one after another.

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
        If it is another image, or the provenance is not one, or its device is not here, or
        the fit was steered: run on after its end, repainted, or looked at before its end.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> first = dip.restore(dip.Denoise(noisy), settings=dip.DeepImagePriorFit(iterations=2), seed=3)
    >>> np.array_equal(dip.repeat(first.provenance, noisy).image, first.image)
    True
    """
    if "stack" not in checked(provenance):
        return restore(repeated_task(provenance, image), **repeated_options(provenance))
    steps = repeated_stack(provenance, image)
    steps.wants_image = lambda: False
    try:
        for _step in steps:
            pass
        return steps.result
    finally:
        steps.close()


def check_repeatable(provenance: Mapping[str, Any]) -> None:
    """Raise ValueError if restoring again would give another image than the one that a provenance is about."""
    for key, happened in _STEERED.items():
        if provenance.get(key):
            raise ValueError(
                f"this image cannot be made again: {happened}. Run the restoration anew instead."
            )


def checked(provenance: object) -> dict[str, Any]:
    """Return a provenance if it is one: it may come from a file, or from another program.

    Raises
    ------
    ValueError
        If it lacks what this version notes.
    """
    whole = dict(provenance) if isinstance(provenance, Mapping) else {}
    parts = {name: whole.get(name) for name in _PARTS}
    lacking = [name for name in _KEYS if name not in whole]
    for name, part in parts.items():
        lacking += (
            [name]
            if not isinstance(part, Mapping)
            else [key for key in _PARTS[name] if key not in part]
        )
    if lacking:
        raise ValueError(f"this does not say how a result was made: it lacks {lacking[0]}.")
    return whole


def repeated_task(provenance: Mapping[str, Any], image: ArrayLike) -> Task:
    """Return the task of a provenance, after a look whether `image` is the one it is about."""
    described = checked(provenance)["task"]
    pixels = recognized(np.asarray(image), described)
    try:
        method = method_of(described["kind"])
    except ValueError:
        raise ValueError(f"this version does not know the task {described['kind']!r}.") from None
    return method.task.from_description(described, pixels)


def repeated_stack(provenance: Mapping[str, Any], image: ArrayLike) -> StackSteps:
    """Return the steps of all planes of a stack's provenance, after a look whether `image` is the one it is about."""
    whole, options = checked(provenance), repeated_options(provenance)
    known = {tuple(plane["index"]): plane for plane in whole["planes"]}
    first = next(iter(known))
    has_colors = len(whole["task"]["shape"]) > 2 + first.count(None)
    pixels = np.asarray(image)
    trailing = pixels.shape[-3 if has_colors else -2 :]
    leading = tuple(whole["stack_shape"][: len(first)])
    try:
        pixels = pixels.reshape(leading + trailing)
    except ValueError:
        raise ValueError(
            f"this is another stack than the one restored then: shape {pixels.shape}, not {leading + trailing}."
        ) from None

    def load(index: Index) -> tuple[NDArray[Any], Task | None]:
        values, plane = pixels[selection(index)], known.get(index)
        if plane is None:
            return values, None
        described = whole["task"] | {
            name: value for name, value in plane.items() if name in TASK_KEYS
        }
        return values, repeated_task({**whole, "task": described}, values)

    parts = []
    for place in np.ndindex(*(1 if i is None else n for i, n in zip(first, leading, strict=True))):
        index = tuple(None if i is None else number for i, number in zip(first, place, strict=True))
        parts.append(StackPart(index, partial(load, index)))
    return StackSteps.of(leading, parts, options, **whole["stack"])


def repeated_options(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `restore` of a provenance, if they give the same image again."""
    whole = checked(provenance)
    check_repeatable(whole)
    settings, preset = settings_from_dict(whole["settings"]), whole["preset"]
    options = {name: whole[name] for name in ("seed", "device", "dtype", "threads")}
    options["stop_after"] = whole["stopped_after"]
    named = preset is not None and _settings_of_preset(whole["task"], preset) == settings
    return options | ({"preset": preset} if named else {"settings": settings})


def recognized(image: NDArray[Any], described: Mapping[str, Any]) -> NDArray[Any]:
    """Return the image in the byte order it had then, if it is the same."""
    dtype = np.dtype(described["image_dtype"])
    if image.dtype.newbyteorder("=") == dtype.newbyteorder(
        "="
    ):  # files differ in the order of the bytes
        image = image.astype(dtype, copy=False)
    if list(image.shape) != described["shape"] or image.dtype != dtype:
        raise ValueError(
            f"this is another image than the one restored then: {image.dtype} of shape {image.shape}, "
            f"not {dtype} of shape {tuple(described['shape'])}."
        )
    if fingerprint(image) != described["image_sha256"]:
        raise ValueError(
            "this is another image than the one restored then: its pixels differ (image_sha256)."
        )
    return image


def _settings_of_preset(described: Mapping[str, Any], preset: str) -> Settings:
    """Return the settings that a preset has today for a task that was described."""
    magnification = method_of(described["kind"]).task.described_magnification(described)
    return preset_settings(described["kind"], preset, factor=magnification)
