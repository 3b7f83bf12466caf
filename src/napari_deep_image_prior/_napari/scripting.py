"""A restoration in a viewer asked for by one call: what the widgets' Run button does, too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from ..arrays import selection
from ..estimate import estimating
from ..restoration import iter_restore
from ..settings import WARM, MaskedFit
from ..tasks import Denoise, Inpaint, SuperResolve
from .layers import SUFFIX
from .mask_layer import MaskLayer
from .preferences import preferences
from .proxies import unwrapped
from .repainting import MaskFollower
from .run import Run
from .stacking import stack_mask, stack_steps
from .taking import Taken
from .wording import in_words

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ..estimate import Estimate
    from ..tasks import Task
    from .layers import Plane
    from .regions import AskedRegion
    from .stacking import Part


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
    psf: None = None,
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
    psf : None
        Kept for deconvolution, which is not there yet.
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
    if psf is not None:
        raise ValueError("psf belongs to deconvolution, which this version does not have.")
    viewer = unwrapped(viewer)
    taken = Taken(planes=planes, channel_axis=channel_axis, channels=channels, region=unwrapped(region))
    asked = {"factor": factor, **options}
    source, parts, options = _asked_for(viewer, image_layer, task, taken, missing=missing, factor=factor, **options)
    # a colour picture must stay one that napari can show
    options = {"dtype": "same" if source.is_rgb and source.values.dtype.kind != "f" else "float32", **options}
    made = _first_task(parts)
    if source.is_stack:
        planned = stack_steps(source, parts, options, warm_start=warm_start)
        run = Run(viewer, made, source, planned, in_words(asked))
    else:
        steps = iter_restore(made, **options)
        run = Run(viewer, made, source, steps, in_words(asked))
        if isinstance(mask := unwrapped(missing), Labels) and task == "inpaint":
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
    taken = Taken.out_of(arguments)
    source, parts, options = _asked_for(unwrapped(viewer), image_layer, task, taken, **arguments)
    cold: float = sum(made is not None for *_, made in parts)
    is_quick = isinstance(options.get("settings"), MaskedFit | None) and options.get("preset") != "paper"
    if task == "inpaint" and is_quick and warm_start:
        one_by_one = None if source.channels.jointly else source.channels.axis
        first = len({None if one_by_one is None else place[one_by_one] for place, _, made in parts if made is not None})
        cold = first + (cold - first) / WARM  # the others start from the plane before
    return _of_all(
        cold,
        estimating(_first_task(parts), **{"preset": "fast", "settings": None, "device": "auto", **options}),
    )


def _of_all(count: float, working: Generator[None, None, Estimate]) -> Generator[None, None, Estimate]:
    """Return the estimate for so many planes from that of one."""
    one = yield from working
    return replace(one, seconds=count * one.seconds)


def _asked_for(
    viewer: ViewerModel,
    image: Image,
    kind: str,
    taken: Taken,
    *,
    missing: Labels | NDArray[Any] | None = None,
    factor: float | Sequence[float] | None = None,
    **options: Any,  # noqa: ANN401  (of the task and of the fit)
) -> tuple[Plane, list[Part], dict[str, Any]]:
    """Return the plane or stack, the tasks of its planes, and the options that are left for the fit.

    Raises
    ------
    TypeError, ValueError
        If a layer or an argument is missing or does not fit.
    """
    image = unwrapped(image)
    if not isinstance(image, Image):
        raise TypeError(f"choose an image layer first, not {_described(image)}.")
    if image not in viewer.layers:
        raise ValueError("the image layer is not in this viewer.")
    if kind not in SUFFIX:
        raise ValueError(f"task={kind!r} is unknown; choose one of {', '.join(SUFFIX)}.")
    asked: dict[str, Any] = {name: options.pop(name) for name in ("noise", "noise_std", "strength") if name in options}
    source = taken.of(viewer, image)
    mask = _mask_on(viewer, unwrapped(missing), source)
    parts = []
    for place, part in source.parts():
        own = mask[selection(place)] if mask is not None and source.is_stack else mask
        parts.append((place, part, _task(kind, part, own, factor, asked)))
    return source, parts, {"threads": preferences().threads, **options}


def _mask_on(viewer: ViewerModel, missing: Labels | NDArray[Any] | None, source: Plane) -> NDArray[Any] | None:
    """Return what is painted on the pixels that are restored; for a stack with all its axes."""
    if missing is None:
        return None
    if isinstance(missing, Labels) and source.is_one_plane:
        missing = MaskLayer(viewer, missing, source).missing()
    elif not isinstance(missing, Labels):
        missing = source.part_of(np.asarray(missing))
    return stack_mask(source, missing) if source.is_stack else missing


def _task(
    kind: str,
    plane: Plane,
    missing: NDArray[Any] | None,
    factor: float | Sequence[float] | None,
    options: dict[str, Any],
) -> Task | None:
    """Make the task of a plane; None if nothing is to be filled in."""
    options = {**options, "channel_axis": plane.channel_axis}
    if kind == "denoise":
        return Denoise(plane.values, **options)
    if kind == "super-resolve":
        if factor is None:
            raise ValueError("super-resolve needs a factor, for example factor=4.")
        return SuperResolve(plane.values, factor=factor, **options)
    unknown = np.zeros(plane.size, dtype=bool) if missing is None else np.asarray(missing) != 0
    if not unknown.any() and np.isfinite(plane.values).all():  # NaNs may mark the missing pixels
        return None
    return Inpaint(plane.values, missing=unknown, **options)


def _first_task(parts: list[Part]) -> Task:
    made = next((task for *_, task in parts if task is not None), None)
    if made is None:
        where = "" if parts[0][1].region is None else " within the region"
        raise ValueError(f"nothing is marked as missing{where}: paint the pixels to fill in on a mask ('New mask').")
    return made


def _described(layer: object) -> str:
    return "nothing" if layer is None else f"a {type(layer).__name__}"
