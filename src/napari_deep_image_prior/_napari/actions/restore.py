"""A restoration in a viewer asked for by one call: what the widgets' Run button does, too."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from ...arrays import selection
from ...fitting.settings import WARM
from ...methods.registry import method_of
from ...restoration.api import iter_restore
from ...restoration.cost import estimating
from ...restoration.stack import StackPart
from ..jobs.mask_follower import MaskFollower
from ..jobs.run import Run
from ..layers.mask import MaskLayer
from ..layers.selection import LayerSelection
from ..layers.stack import stack_mask, stack_steps
from ..viewer.preferences import preferences
from ..viewer.proxies import unwrap_proxy
from .describe import describe_options

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ...arrays import Index
    from ...methods.registry import Method
    from ...methods.task import Task
    from ...restoration.cost import Estimate
    from ..layers.plane import Plane
    from ..layers.region import AskedRegion


def restore_layer(  # noqa: PLR0913  (a call is written with the few that matter)
    viewer: ViewerModel,
    image_layer: Image,
    *,
    task: str = "denoise",
    missing: Labels | NDArray[Any] | None = None,
    factor: float | Sequence[float] | None = None,
    planes: str = "displayed",
    channel_axis: int | str | None = "auto",
    channels: str = "jointly",
    region: AskedRegion | None = None,
    warm_start: bool = True,
    block: bool = False,
    **options: Any,  # noqa: ANN401  (each is checked by the function that takes it)
) -> Run:
    """Restore the displayed plane of an image layer, or all its planes, into a new layer, as the widgets do.

    While another restoration runs in the viewer, this one waits for its turn.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that holds the layer.
    image_layer : napari.layers.Image
        The image to restore.
    task : {"denoise", "inpaint", "super-resolve"}
        What to do.
    missing : Labels layer or (Y, X) array, optional
        For inpainting: painted (nonzero) pixels are unknown, NaN pixels as well. What is painted
        on a Labels layer during the fit takes effect at once.
    factor : number, or one for Y and one for X
        For super-resolution: how many times larger.
    planes : {"displayed", "all"}
        Of several planes (a stack, a time series) the one on display, or all one after another. A mask
        of one plane then counts for all, and what is painted during the fit is not followed.
    channel_axis : int, None or "auto"
        The layer's axis, before Y and X, that holds channels: all channels of a plane are restored, into one
        layer. "auto": the axis that the layer's `axis_labels` call c or channel; None: no such axis.
    channels : {"jointly", "separately"}
        One fit for all channels, the quicker one, or one for each, often better where they have little in
        common. A mask of one channel counts for all; painting is not followed by fits one by one.
    region : "visible", Shapes layer or ((y0, y1), (x0, x1)), optional
        Restore only this part of the plane on display, with all its channels, to try settings: what the canvas
        shows of it, the bounding box of the rectangle on a Shapes layer (of several the one selected), or rows
        and columns in pixels. What reaches beyond the image is cut off.
    warm_start : bool
        Of several planes to inpaint by a quick preset, start each from the network of the one before and give
        it a quarter of the steps: as good, and nearly four times as quick. False: each for itself.
    block : bool
        Return only when the run has had its turn and has ended.
    **options
        `noise`, `noise_std` and `strength` of `Denoise`; `preset`, `settings`, `device`, `seed`,
        `dtype` and `threads` of `restore` (by default those of napari's Preferences, or one less
        than there are cores).

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
    asked = {**{name: value for name, value in own.items() if name != "missing"}, **options}
    source, parts, options = _asked_for(viewer, image_layer, method, selected, **own, **options)
    # a color picture must stay one that napari can show
    options = {
        "dtype": "same" if source.is_rgb and source.values.dtype.kind != "f" else "float32",
        **options,
    }
    first = _first_task(source, parts)
    if source.is_stack:
        planned = stack_steps(source, parts, options, warm_start=warm_start)
        run = Run(viewer, first, source, planned, describe_options(asked))
    else:
        steps = iter_restore(first, **options)
        run = Run(viewer, first, source, steps, describe_options(asked))
        if isinstance(mask := unwrap_proxy(missing), Labels) and "missing" in method.task.pixelwise:
            run.mask = MaskFollower(viewer, mask, source, steps)
    run.start()
    if block:
        run.wait()
    return run


def estimating_layer(
    viewer: ViewerModel,
    image_layer: Image,
    *,
    task: str,
    warm_start: bool = True,
    seed: int = 0,  # noqa: ARG001  (asked with the same arguments as a restoration; the time does not depend on it)
    **arguments: Any,  # noqa: ANN401  (those of restore_layer)
) -> Generator[None, None, Estimate]:
    """Find out what `restore_layer` would take, step by step: it may be left.

    Raises
    ------
    ValueError, TypeError
        At once, if an argument does not fit the layer.
    """
    selected = LayerSelection.out_of(arguments)
    source, parts, options = _asked_for(
        unwrap_proxy(viewer), image_layer, method_of(task), selected, **arguments
    )
    first = _first_task(source, parts)
    options = {"preset": "fast", "settings": None, "device": "auto", **options}
    needed = [part.index for part in parts if part.load()[1] is not None]
    cold: float = len(needed)
    if warm_start and iter_restore(first, **options).settings.warm_started() is not None:
        one_by_one = None if source.channels.jointly else source.channels.axis
        count = len({None if one_by_one is None else index[one_by_one] for index in needed})
        cold = count + (cold - count) / WARM  # the others start from the plane before
    return _of_all(cold, estimating(first, **options))


def _of_all(
    count: float, working: Generator[None, None, Estimate]
) -> Generator[None, None, Estimate]:
    """Return the estimate for so many planes from that of one."""
    one = yield from working
    return replace(one, seconds=count * one.seconds)


def _asked_for(
    viewer: ViewerModel,
    image: Image,
    method: Method,
    selected: LayerSelection,
    **options: Any,  # noqa: ANN401  (of the task and of the fit)
) -> tuple[Plane, list[StackPart], dict[str, Any]]:
    """Return the plane or stack, its parts with their tasks, and the options that are left for the fit.

    Raises
    ------
    TypeError, ValueError
        If a layer or an argument is missing or does not fit.
    """
    image = unwrap_proxy(image)
    if not isinstance(image, Image):
        raise TypeError(f"choose an image layer first, not {_described(image)}.")
    if image not in viewer.layers:
        raise ValueError("the image layer is not in this viewer.")
    # arguments of `restore_layer` that other tasks have, or that were left out
    left_out = [name for name in ("missing", "factor") if name in options]
    left_out = [
        name for name in left_out if options[name] is None or name not in method.task.option_names()
    ]
    options = {name: value for name, value in options.items() if name not in left_out}
    own = {name: options.pop(name) for name in method.task.option_names() if name in options}
    _check_required(method, own)
    source = selected.of(viewer, image)
    masks = {
        name: _mask_on(viewer, unwrap_proxy(own.pop(name, None)), source)
        for name in method.task.pixelwise
    }
    parts = [
        StackPart(
            place, partial(_load, method.task, part, place if source.is_stack else None, masks, own)
        )
        for place, part in source.parts()
    ]
    return source, parts, {"threads": preferences().threads, **options}


def _check_required(method: Method, own: dict[str, Any]) -> None:
    """Raise ValueError where an option that the task needs was left out; a mask may be empty."""
    for option in method.options:
        if option.required and option.name not in own and option.name not in method.task.pixelwise:
            raise ValueError(f"{method.kind} needs {option.name}: {option.help}.")


def _mask_on(
    viewer: ViewerModel, missing: Labels | NDArray[Any] | None, source: Plane
) -> NDArray[Any] | None:
    """Return what is painted on the pixels that are restored; for a stack with all its axes."""
    if missing is None:
        return None
    if isinstance(missing, Labels) and source.is_one_plane:
        missing = MaskLayer(viewer, missing, source).missing()
    elif not isinstance(missing, Labels):
        missing = source.part_of(np.asarray(missing))
    return stack_mask(source, missing) if source.is_stack else missing


def _load(
    task: type[Task],
    plane: Plane,
    place: Index | None,
    masks: dict[str, NDArray[Any] | None],
    own: dict[str, Any],
) -> tuple[NDArray[Any], Task | None]:
    """Return the pixels of a plane and its task, None if there is nothing to do; `place`: where in the masks."""
    options = dict(own)
    for name, mask in masks.items():
        part = mask if mask is None or place is None else mask[selection(place)]
        options[name] = np.zeros(plane.size, dtype=bool) if part is None else np.asarray(part) != 0
    if not task.is_needed(plane.values, **options):
        return plane.values, None
    return plane.values, task(plane.values, channel_axis=plane.channel_axis, **options)


def _first_task(source: Plane, parts: list[StackPart]) -> Task:
    for part in parts:
        _, task = part.load()
        if task is not None:
            return task
    where = "" if source.region is None else " within the region"
    raise ValueError(
        f"nothing is marked as missing{where}: paint the pixels to fill in on a mask ('New mask')."
    )


def _described(layer: object) -> str:
    return "nothing" if layer is None else f"a {type(layer).__name__}"
