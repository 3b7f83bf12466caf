"""Repetition of a restoration from its provenance."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import selection, unmasked
from ..encoding import fingerprint
from ..methods.registry import method_of, preset_settings, settings_from_dict
from .api import new_steps, result_of
from .record import checked_record
from .stack import StackPart, StackSteps, task_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from ..arrays import Index
    from ..fitting.settings import Settings
    from ..methods.task import Task
    from .base import Restoration
    from .fitted import Fitted

# interventions that task, settings and seed do not describe
_INTERVENTIONS = {
    "snapshot": "it shows a fit before its end",
    "run_on": "its fit was run on after its end",
    "repainted": "its mask was repainted during the fit",
    "warm_start": "its fit started from the network of another image",
    "failed": "it is a stack, and the fits of some of its planes failed",
    "stack_stopped": "it is a stack, and was stopped before all of it was restored",
}


def repeat(
    provenance: Mapping[str, Any], image: ArrayLike, *, fitted: Fitted | None = None
) -> Restoration:
    """Restore an image again from the provenance of a result.

    With the same versions, device and threads the result is identical. For stacks, all planes are
    restored again in sequence.

    Parameters
    ----------
    provenance : dict
        `Restoration.provenance`, `layer.metadata["deep_image_prior"]`, or the record in a file.
        It includes an inpainting's mask.
    image : array
        The image that was restored, with the same values and dtype.
    fitted : Fitted, optional
        The network that the result was made with, if it was made by `Fitted.restore`.

    Returns
    -------
    Restoration

    Raises
    ------
    ValueError
        If the image differs, `provenance` is not a provenance record, its device is not available,
        or the result cannot be repeated: its fit was run on, repainted or captured before its end.
    RestorationError
        If the fit failed.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> settings = dip.DeepImagePriorFit(iterations=2)
    >>> first = dip.restore(dip.Denoise(noisy), settings=settings, seed=3)
    >>> np.array_equal(dip.repeat(first.provenance, noisy).image, first.image)
    True
    """
    if "stack" not in checked_record(provenance):
        options = repeated_options(provenance, fitted)
        return result_of(new_steps(repeated_task(provenance, image), **options))
    steps = repeated_stack(provenance, image, fitted)
    steps.wants_image = lambda: False
    try:
        for _step in steps:
            pass
        return steps.result
    finally:
        steps.close()


def check_repeatable(provenance: Mapping[str, Any], fitted: Fitted | None = None) -> None:
    """Raise ValueError if repeating a restoration would give another result."""
    needed = provenance.get("fitted")
    if needed and fitted is None:
        raise ValueError(
            "this result was made with a fitted network: pass it to repeat as fitted=, after "
            "load_fitted."
        )
    if fitted is not None and fitted.sha256 != needed:
        raise ValueError(
            "this result was made with another fitted network."
            if needed
            else "this result was made without a fitted network: omit fitted=."
        )
    for key, happened in _INTERVENTIONS.items():
        if provenance.get(key):
            raise ValueError(
                f"this result cannot be repeated: {happened}; run a new restoration instead."
            )


def repeated_task(provenance: Mapping[str, Any], image: ArrayLike) -> Task:
    """Return the task of a provenance; ValueError if `image` is not the one that was restored."""
    described = checked_record(provenance)["task"]
    pixels = recognized(unmasked(image), described)
    try:
        method = method_of(described["kind"])
    except ValueError:
        raise ValueError(
            f"the task {described['kind']!r} is unknown: install the package that provides it."
        ) from None
    try:
        return method.task.from_description(described, pixels)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"the task of this record cannot be made: {error}.") from error


def repeated_stack(
    provenance: Mapping[str, Any], image: ArrayLike, fitted: Fitted | None = None
) -> StackSteps:
    """Return the steps of all planes of a stack's provenance.

    Raises
    ------
    ValueError
        If the shape of `image` differs, or no plane was restored.
    """
    whole, options = checked_record(provenance), repeated_options(provenance, fitted)
    known = {tuple(plane["index"]): plane for plane in whole["planes"]}
    how = {name: whole["stack"][name] for name in ("called", "warm_start", "channel_axis")}
    if not known:
        raise ValueError("no plane of this stack was restored: there is nothing to repeat.")
    first = next(iter(known))
    has_colors = len(whole["task"]["shape"]) > 2 + first.count(None)
    pixels = unmasked(image)
    trailing = pixels.shape[-3 if has_colors else -2 :]
    leading = tuple(whole["stack_shape"][: len(first)])
    try:
        pixels = pixels.reshape(leading + trailing)
    except ValueError:
        raise ValueError(
            f"this is another stack than the restored one: shape {pixels.shape}, "
            f"not {leading + trailing}."
        ) from None

    keys = task_keys(whole["task"]["kind"])

    def load(index: Index) -> tuple[NDArray[Any], Task | None]:
        values, plane = pixels[selection(index)], known.get(index)
        if plane is None:
            return values, None
        described = whole["task"] | {name: value for name, value in plane.items() if name in keys}
        return values, repeated_task({**whole, "task": described}, values)

    parts = []
    for place in np.ndindex(*(1 if i is None else n for i, n in zip(first, leading, strict=True))):
        index = tuple(None if i is None else number for i, number in zip(first, place, strict=True))
        parts.append(StackPart(index, partial(load, index)))
    # a warm start depends on the plane before: the fits are in the order of the first time
    order = {index: number for number, index in enumerate(known)}
    parts.sort(key=lambda part: order.get(part.index, len(order)))
    return StackSteps.of(leading, parts, options, **how)


def repeated_options(provenance: Mapping[str, Any], fitted: Fitted | None = None) -> dict[str, Any]:
    """Return the arguments of `restore` from a provenance; ValueError if it cannot be repeated."""
    whole = checked_record(provenance)
    check_repeatable(whole, fitted)
    settings, preset = settings_from_dict(whole["settings"]), whole["preset"]
    options = {name: whole[name] for name in ("seed", "device", "dtype", "threads")}
    options["stop_after"] = whole["stopped_after"]
    if fitted is not None:
        return options | {"fitted": fitted}
    named = preset is not None and _settings_of_preset(whole["task"], preset) == settings
    return options | ({"preset": preset} if named else {"settings": settings})


def recognized(image: NDArray[Any], described: Mapping[str, Any]) -> NDArray[Any]:
    """Return the image in its original byte order; ValueError if it is not the described one."""
    dtype = np.dtype(described["image_dtype"])
    # files differ in byte order
    if image.dtype.newbyteorder("=") == dtype.newbyteorder("="):
        image = image.astype(dtype, copy=False)
    if list(image.shape) != described["shape"] or image.dtype != dtype:
        raise ValueError(
            f"this is another image than the restored one: {image.dtype} of shape {image.shape}, "
            f"not {dtype} of shape {tuple(described['shape'])}."
        )
    if fingerprint(image) != described["image_sha256"]:
        raise ValueError("this is another image than the restored one: its pixels differ.")
    return image


def _settings_of_preset(described: Mapping[str, Any], preset: str) -> Settings:
    """Return the current settings of a preset for a described task."""
    magnification = method_of(described["kind"]).task.described_magnification(described)
    settings = preset_settings(described["kind"], preset, factor=magnification)
    return settings.for_pixels(method_of(described["kind"]).task.described_pixels(described))
