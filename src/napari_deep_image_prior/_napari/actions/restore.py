"""Restore a layer by one call, as the Run button does."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from ...arrays import has_data, selection
from ...fitting.settings import WARM
from ...methods.registry import method_of
from ...restoration.api import iter_restore, new_steps
from ...restoration.cautions import CautionWarning
from ...restoration.cost import estimating
from ...restoration.stack import StackPart
from ..jobs.mask_follower import MaskFollower
from ..jobs.run import Run
from ..layers.mask import MaskLayer
from ..layers.plane import nearest_index
from ..layers.selection import LayerSelection
from ..layers.stack import stack_mask, stack_steps, without_data
from ..layers.volume import size_in_micrometers, voxel_size
from ..viewer.preferences import preferences
from ..viewer.proxies import unwrap_proxy
from .describe import describe_options

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ...arrays import Index
    from ...methods.method import Method
    from ...methods.task import Task
    from ...restoration.cost import Estimate
    from ..layers.plane import Plane
    from ..layers.region import RegionLike

FIT_OPTIONS = ("preset", "settings", "device", "seed", "dtype", "threads", "stop_after")
"""Options of `iter_restore`."""
FIXED_MASK = "The mask is used as it was at the start: painting on it does not change this run."


def restore_layer(  # noqa: PLR0913  (a call needs few of them)
    viewer: ViewerModel,
    image_layer: Image,
    *,
    task: str = "denoise",
    missing: Labels | NDArray[Any] | None = None,
    factor: float | Sequence[float] | None = None,
    planes: str = "displayed",
    channel_axis: int | str | None = "auto",
    channels: str = "jointly",
    region: RegionLike | None = None,
    warm_start: bool = True,
    fit_contrast: bool = True,
    block: bool = False,
    **options: Any,  # noqa: ANN401  (each is checked by the function that takes it)
) -> Run:
    """Restore the displayed plane of an image layer, or all its planes, into a new layer.

    If another restoration runs in the viewer, this one waits in its queue.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that holds the layer.
    image_layer : napari.layers.Image
        The image to restore.
    task : {"denoise", "inpaint", "super-resolve", "deconvolve"}
        The kind of restoration.
    missing : Labels layer or (Y, X) array, optional
        For inpainting: painted (nonzero) pixels are unknown, as are NaN pixels. Changes of a
        Labels layer during the fit take effect at once.
    factor : number, or one for Y and one for X
        For super-resolution: the magnification.
    planes : {"displayed", "all", "volume"}
        For stacks and time series: restore the displayed plane, or all planes in sequence,
        starting with the displayed one and continuing with the first after the last. With
        "all", a mask of one plane applies to all planes, and changes during the fit are ignored.
        "volume" denoises the planes along Z together. Z is the axis labeled z, or the only one
        beside Y, X and the channels; the size of the voxels is the layer's scale.
    channel_axis : int, None or "auto"
        The layer's channel axis, before Y and X. All channels of a plane are restored, into one
        layer. "auto": the axis labeled c or channel in `axis_labels`; None: no channel axis.
    channels : {"jointly", "separately"}
        One fit for all channels, which is faster, or one fit for each, often better for channels
        with little in common. A mask of one channel applies to all channels. Separate fits ignore
        changes of the mask during the fit.
    region : "visible", Shapes layer or ((y0, y1), (x0, x1)), optional
        Restore only this part of the displayed plane, with all its channels, to try settings: the
        part visible on the canvas, the bounding box of the rectangle on a Shapes layer (the
        selected one of several), or rows and columns in pixels. It is clipped to the image.
    warm_start : bool
        For inpainting several planes with a fast preset: start each fit from the network of the
        previous plane, with a quarter of the steps. This takes little more than a quarter of the
        time, at the same quality. False: fit each plane independently.
    fit_contrast : bool
        Fit the contrast limits of the result to it, if those of the source are the range of its
        values, which the noise widens. False: keep the limits of the source. Parts of a plane,
        RGB images and limits chosen by hand keep theirs.
    block : bool
        Return only when the run has ended.
    **options
        Options of the task, such as `noise` and `strength` of `Denoise`, or `psf` of `Deconvolve`;
        `spacing` is by default that of the layer. `preset`, `settings`, `device`, `seed`, `dtype`
        and `threads` of `restore` (the default for threads is napari's preference, or one less than
        the number of cores).

    Returns
    -------
    Run
        The handle: `pause`, `resume`, `stop` (keeps the result), `cancel`, `wait`,
        `run_on`, `scrub`, `keep`, `layer` and `result`.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit the layer.

    Examples
    --------
    >>> run = restore_layer(viewer, viewer.layers["cells"], block=True)  # doctest: +SKIP
    >>> run.layer.name  # doctest: +SKIP
    'cells denoised'
    """
    viewer = unwrap_proxy(viewer)
    method = method_of(task)
    selected = LayerSelection(
        planes=planes, channel_axis=channel_axis, channels=channels, region=unwrap_proxy(region)
    )
    own = {"missing": missing, "factor": factor}
    summary = describe_options({"task": task, "factor": factor, **options})
    source, parts, options = _load_selection(
        viewer, image_layer, method, selected, **own, **options
    )
    _warn_of_transparency(image_layer)
    # an RGB image must keep a dtype that napari can show
    keeps_dtype = source.is_rgb and source.values.dtype.kind != "f"
    options = {"dtype": "same" if keeps_dtype else "float32", **options}
    first = _first_task(source, parts)
    mask = unwrap_proxy(missing)
    is_painted = isinstance(mask, Labels) and "missing" in method.task.pixelwise
    if source.is_stack:
        displayed = nearest_index(viewer, source.layer)
        stack = stack_steps(source, parts, options, warm_start=warm_start, displayed=displayed)
        run = Run(viewer, first, source, stack, summary)
        run.notices["data"] = without_data(source)
        run.notices["mask"] = FIXED_MASK if is_painted else ""
    else:
        steps = iter_restore(first, **options)
        run = Run(viewer, first, source, steps, summary)
        if is_painted:
            run.mask = MaskFollower(viewer, mask, source, steps)
    run.fits_contrast = fit_contrast and source.region is None
    run.start()
    if block:
        run.wait()
    return run


def _warn_of_transparency(image: Image) -> None:
    pixels = image.data[0] if image.multiscale else image.data
    if image.rgb and pixels.shape[-1] == 4 and np.ptp(np.asarray(pixels[..., 3])) > 0:
        warnings.warn(
            f"the transparency of '{image.name}' is left out; transparent pixels are restored like "
            "any others",
            CautionWarning,
            stacklevel=3,
        )


def estimate_layer(
    viewer: ViewerModel,
    image_layer: Image,
    *,
    task: str,
    warm_start: bool = True,
    seed: int = 0,  # noqa: ARG001  (an argument of a restoration that its time does not depend on)
    fit_contrast: bool = True,  # noqa: ARG001
    **arguments: Any,  # noqa: ANN401  (those of restore_layer)
) -> Generator[str, None, Estimate]:
    """Predict run time and memory of `restore_layer`, step by step: may be closed early.

    Raises
    ------
    ValueError, TypeError
        At once, if an argument does not fit the layer.
    """
    selected = LayerSelection.from_arguments(arguments)
    source, parts, options = _load_selection(
        unwrap_proxy(viewer), image_layer, method_of(task), selected, **arguments
    )
    first = _first_task(source, parts)
    options = {"preset": "fast", "settings": None, "device": "auto", **options}
    restored = [part.index for part in parts if part.load()[1] is not None]
    cold_starts: float = len(restored)
    if warm_start and new_steps(first, **options).settings.warm_started() is not None:
        one_by_one = None if source.channels.jointly else source.channels.axis
        count = len({None if one_by_one is None else index[one_by_one] for index in restored})
        # the others start from the plane before
        cold_starts = count + (cold_starts - count) / WARM
    return _for_planes(cold_starts, estimating(first, **options))


def _for_planes(
    count: float, estimation: Generator[str, None, Estimate]
) -> Generator[str, None, Estimate]:
    """Return the estimate for `count` planes from that for one."""
    one = yield from estimation
    return replace(one, seconds=count * one.seconds)


def _load_selection(
    viewer: ViewerModel,
    image: Image,
    method: Method,
    selected: LayerSelection,
    **options: Any,  # noqa: ANN401  (of the task and of the fit)
) -> tuple[Plane, list[StackPart], dict[str, Any]]:
    """Return the selected plane or stack, its parts with their tasks, and the options of the fit.

    Raises
    ------
    TypeError, ValueError
        If a layer or an argument is missing or does not fit.
    """
    image = unwrap_proxy(image)
    if image is None:
        raise TypeError("choose an image layer first.")
    if not isinstance(image, Image):
        raise TypeError(f"choose an image layer, not a layer of type {type(image).__name__}.")
    if image not in viewer.layers:
        raise ValueError("the image layer is not in this viewer.")
    known = {*method.task.option_names(), *FIT_OPTIONS}
    given = [name for name, value in options.items() if value is not None]
    # arguments of this function for other tasks; a mask must not be lost by a wrong name
    others = ("factor",) if method.task.pixelwise else ("factor", "missing")
    if unknown := [name for name in given if name not in (*known, *others)]:
        raise TypeError(
            f"{method.kind} has no option {unknown[0]!r}; "
            f"choose from {', '.join(method.task.option_names())}."
        )
    options = {
        name: value
        for name, value in options.items()
        if name in known and (value is not None or name not in ("missing", "factor"))
    }
    own = {name: options.pop(name) for name in method.task.option_names() if name in options}
    _check_required(method, own)
    if selected.planes == "volume" and not restores_volumes(method):
        raise ValueError(
            f"{method.kind} restores no volumes in napari yet: choose planes='displayed' or 'all', "
            "or use Python or the command line."
        )
    source = selected.load(viewer, image)
    if image not in viewer.layers:  # lazy pixels take their time
        raise ValueError(f"layer '{image.name}' was deleted while it was read.")
    if method.task.needs_micrometers:
        own.setdefault("spacing", size_in_micrometers(image, source.depth))
    elif source.depth is not None:
        own.setdefault("spacing", voxel_size(image, source.depth))
    masks = {
        name: _mask_on(viewer, unwrap_proxy(own.pop(name, None)), source)
        for name in method.task.pixelwise
    }
    parts = [
        StackPart(
            place,
            partial(_load, method.task, part, place if source.is_stack else None, masks, own),
        )
        for place, part in source.parts()
    ]
    return source, parts, {"threads": preferences().threads, **options}


def restores_volumes(method: Method) -> bool:
    """Return whether a task restores volumes of layers: those with the layer's own voxels."""
    return method.task.volumes and "spacing" in method.task.option_names()


def _check_required(method: Method, own: dict[str, Any]) -> None:
    """Raise ValueError if a required option has no value; a mask may be empty."""
    for option in method.options:
        if option.required and option.name not in own and option.name not in method.task.pixelwise:
            raise ValueError(f"{method.kind} needs {option.name}: {option.help}.")


def _mask_on(
    viewer: ViewerModel, missing: Labels | NDArray[Any] | None, source: Plane
) -> NDArray[Any] | None:
    """Return the mask on the pixels that are restored; for a stack with all its axes."""
    if missing is None:
        return None
    if isinstance(missing, Labels) and source.is_one_plane:
        missing = MaskLayer(viewer, missing, source).missing()
    elif not isinstance(missing, Labels):
        missing = source.part_of(np.asarray(missing))
    return stack_mask(viewer, source, missing) if source.is_stack else missing


def _load(
    task: type[Task],
    plane: Plane,
    place: Index | None,
    masks: dict[str, NDArray[Any] | None],
    own: dict[str, Any],
) -> tuple[NDArray[Any], Task | None]:
    """Return the pixels of a plane and its task, or None if there is nothing to restore.

    `place` is the index of the plane in the masks.
    """
    options = dict(own)
    for name, mask in masks.items():
        part = mask if mask is None or place is None else mask[selection(place)]
        options[name] = np.zeros(plane.size, dtype=bool) if part is None else np.asarray(part) != 0
    if not task.is_needed(plane.values, plane.channel_axis, **options):
        return plane.values, None
    return plane.values, task(plane.values, channel_axis=plane.channel_axis, **options)


def _first_task(source: Plane, parts: list[StackPart]) -> Task:
    for part in parts:
        _, task = part.load()
        if task is not None:
            return task
    if not any(has_data(part.values, part.channel_axis) for _, part in source.parts()):
        what = "every plane" if source.is_stack else "this plane"
        raise ValueError(
            f"{what} of '{source.layer.name}' has no data: all its pixels, or all of a channel, "
            "are NaN or infinite."
        )
    where = "" if source.region is None else " within the region"
    raise ValueError(
        f"nothing is marked as missing{where}: paint the pixels to fill in on a mask ('New mask')."
    )
