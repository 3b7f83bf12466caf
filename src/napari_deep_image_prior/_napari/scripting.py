"""A restoration in a viewer asked for by one call: what the widgets' Run button does, too."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from ..estimate import estimating
from ..restoration import iter_restore
from ..stack import selection
from ..tasks import Denoise, Inpaint, SuperResolve
from .axes import chosen_channels
from .layers import SUFFIX, displayed_plane, whole_stack
from .mask_layer import MaskLayer
from .repainting import MaskFollower
from .run import Run, unwrapped
from .stacking import stack_mask, stack_steps

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ..estimate import Estimate
    from ..tasks import Task
    from .layers import Plane
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
        common. A mask of one channel counts for all.
    psf : None
        Kept for deconvolution, which is not there yet.
    block : bool
        Return only when the run has had its turn and has ended.
    **options
        `noise` and `noise_std` of `Denoise`; `preset`, `settings`, `device`, `seed`,
        `dtype` and `threads` of `restore` (by default one thread less than there are cores).

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
    source, parts, options = _asked_for(
        viewer,
        image_layer,
        task,
        planes=planes,
        channel_axis=channel_axis,
        channels=channels,
        missing=missing,
        factor=factor,
        **options,
    )
    # a colour picture must stay one that napari can show
    options = {"dtype": "same" if source.is_rgb and source.values.dtype.kind != "f" else "float32", **options}
    made = _first_task(parts)
    if source.is_stack:
        run = Run(viewer, made, source, stack_steps(source, parts, options))
    else:
        steps = iter_restore(made, **options)
        run = Run(viewer, made, source, steps)
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
    seed: int = 0,  # noqa: ARG001  (asked with the same arguments as a restoration; the time does not depend on it)
    **arguments: Any,  # noqa: ANN401  (those of restore_layer)
) -> Generator[None, None, Estimate]:
    """Find out what `restore_layer` would take, step by step: it may be left.

    Raises
    ------
    ValueError, TypeError
        At once, if an argument does not fit the layer.
    """
    _, parts, options = _asked_for(unwrapped(viewer), image_layer, task, **arguments)
    return _of_all(
        sum(made is not None for *_, made in parts),
        estimating(_first_task(parts), **{"preset": "fast", "settings": None, "device": "auto", **options}),
    )


def _of_all(count: int, working: Generator[None, None, Estimate]) -> Generator[None, None, Estimate]:
    """Return the estimate for so many planes from that of one."""
    one = yield from working
    return replace(one, seconds=count * one.seconds)


def _asked_for(
    viewer: ViewerModel,
    image: Image,
    kind: str,
    *,
    planes: str = "displayed",
    channel_axis: int | str | None = "auto",
    channels: str = "jointly",
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
    image, missing = unwrapped(image), unwrapped(missing)
    if not isinstance(image, Image):
        raise TypeError(f"choose an image layer first, not {_described(image)}.")
    if image not in viewer.layers:
        raise ValueError("the image layer is not in this viewer.")
    if kind not in SUFFIX:
        raise ValueError(f"task={kind!r} is unknown; choose one of {', '.join(SUFFIX)}.")
    if planes not in ("displayed", "all"):
        raise ValueError(f"planes={planes!r} is unknown; choose displayed or all.")
    asked: dict[str, Any] = {name: options.pop(name) for name in ("noise", "noise_std") if name in options}
    roles = chosen_channels(image, channel_axis, channels)
    source = whole_stack(image, roles) if planes == "all" else displayed_plane(viewer, image, roles)
    if isinstance(missing, Labels) and source.is_one_plane:
        missing = MaskLayer(viewer, missing, source).missing()
    if missing is None or not source.is_stack:
        parts = [(place, part, _task(kind, part, missing, factor, asked)) for place, part in source.parts()]
    else:
        masks = stack_mask(source, missing)
        parts = [
            (place, part, _task(kind, part, masks[selection(place)], factor, asked)) for place, part in source.parts()
        ]
    # the window needs a core of its own
    return source, parts, {"threads": max(1, (os.cpu_count() or 2) - 1), **options}


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
        raise ValueError("nothing is marked as missing: paint the pixels to fill in on a mask ('New mask').")
    return made


def _described(layer: object) -> str:
    return "nothing" if layer is None else f"a {type(layer).__name__}"
