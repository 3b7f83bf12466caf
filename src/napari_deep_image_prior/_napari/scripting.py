"""A restoration in a viewer asked for by one call: what the widgets' Run button does, too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from ..estimate import estimating
from ..restoration import iter_restore
from ..tasks import Denoise, Inpaint, SuperResolve
from .layers import SUFFIX, displayed_plane
from .mask_layer import MaskLayer
from .repainting import MaskFollower
from .run import Run, unwrapped

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from ..estimate import Estimate
    from ..tasks import Task
    from .layers import Plane


def restore_layer(
    viewer: ViewerModel,
    image_layer: Image,
    *,
    task: str = "denoise",
    missing: Labels | NDArray[Any] | None = None,
    factor: float | Sequence[float] | None = None,
    psf: None = None,
    block: bool = False,
    **options: Any,  # noqa: ANN401  (each is checked by the function that takes it)
) -> Run:
    """Restore the displayed plane of an image layer into a new layer, as the widgets do.

    While another restoration runs in the viewer, this one waits for its turn.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that holds the layer.
    image_layer : napari.layers.Image
        Of several planes (a stack, a time series) the one on display is restored.
    task : {"denoise", "inpaint", "super-resolve"}
        What to do.
    missing : Labels layer or (Y, X) array, optional
        For inpainting: painted (nonzero) pixels are unknown, NaN pixels as well. What is painted
        on a Labels layer during the fit takes effect at once.
    factor : number, or one for Y and one for X
        For super-resolution: how many times larger.
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
    made, plane, options = _asked_for(viewer, image_layer, task, missing=missing, factor=factor, **options)
    # a colour picture must stay one that napari can show
    dtype = "same" if plane.is_rgb and plane.values.dtype.kind != "f" else "float32"
    steps = iter_restore(made, **{"dtype": dtype, **options})
    run = Run(viewer, made, plane, steps)
    if isinstance(mask := unwrapped(missing), Labels) and task == "inpaint":
        run.mask = MaskFollower(viewer, mask, plane, steps)
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
    made, _, options = _asked_for(unwrapped(viewer), image_layer, task, **arguments)
    return estimating(made, **{"preset": "fast", "settings": None, "device": "auto", **options})


def _asked_for(
    viewer: ViewerModel,
    image_layer: Image,
    kind: str,
    *,
    missing: Labels | NDArray[Any] | None = None,
    factor: float | Sequence[float] | None = None,
    **options: Any,  # noqa: ANN401  (of the task and of the fit)
) -> tuple[Task, Plane, dict[str, Any]]:
    """Return the task, its plane, and the options that are left for the fit."""
    image_layer = unwrapped(image_layer)
    if isinstance(image_layer, Image) and image_layer not in viewer.layers:
        raise ValueError("the image layer is not in this viewer.")
    asked = {name: options.pop(name) for name in ("noise", "noise_std") if name in options}
    made, plane = _task_of_layers(viewer, kind, image_layer, missing=unwrapped(missing), factor=factor, **asked)
    # the window needs a core of its own
    return made, plane, {"threads": max(1, (os.cpu_count() or 2) - 1), **options}


def _task_of_layers(
    viewer: ViewerModel,
    kind: str,
    image: Image,
    *,
    missing: Labels | NDArray[Any] | None = None,
    factor: float | Sequence[float] | None = None,
    **options: Any,  # noqa: ANN401  (noise, noise_std: checked by the task)
) -> tuple[Task, Plane]:
    """Make the task of the displayed plane of `image`.

    Raises
    ------
    TypeError, ValueError
        If a layer or an argument is missing or does not fit.
    """
    if not isinstance(image, Image):
        raise TypeError(f"choose an image layer first, not {_described(image)}.")
    if kind not in SUFFIX:
        raise ValueError(f"task={kind!r} is unknown; choose one of {', '.join(SUFFIX)}.")
    plane = displayed_plane(viewer, image)
    options["channel_axis"] = -1 if plane.is_rgb else None
    if kind == "denoise":
        return Denoise(plane.values, **options), plane
    if kind == "super-resolve":
        if factor is None:
            raise ValueError("super-resolve needs a factor, for example factor=4.")
        return SuperResolve(plane.values, factor=factor, **options), plane
    if missing is None:
        missing = np.zeros(plane.values.shape[:2], dtype=bool)
    elif isinstance(missing, Labels):
        missing = MaskLayer(viewer, missing, plane).missing()
    unknown = np.asarray(missing) != 0
    if not unknown.any() and np.isfinite(plane.values).all():  # NaNs may mark the missing pixels
        raise ValueError("nothing is marked as missing: paint the pixels to fill in on a mask ('New mask').")
    return Inpaint(plane.values, missing=unknown, **options), plane


def _described(layer: object) -> str:
    return "nothing" if layer is None else f"a {type(layer).__name__}"
