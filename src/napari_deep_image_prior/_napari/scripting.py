"""A restoration in a viewer asked for by one call: what the widgets' Run button does, too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels

from ..restoration import iter_restore
from .layers import task_of_layers
from .repainting import MaskFollower
from .run import Run, unwrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray


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
    viewer, image_layer = unwrapped(viewer), unwrapped(image_layer)
    if isinstance(image_layer, Image) and image_layer not in viewer.layers:
        raise ValueError("the image layer is not in this viewer.")
    asked = {name: options.pop(name) for name in ("noise", "noise_std") if name in options}
    made, plane = task_of_layers(viewer, task, image_layer, missing=unwrapped(missing), factor=factor, **asked)
    # a colour picture must stay one that napari can show; and the window needs a core of its own
    dtype = "same" if plane.is_rgb and plane.values.dtype.kind != "f" else "float32"
    threads = max(1, (os.cpu_count() or 2) - 1)
    steps = iter_restore(made, **{"dtype": dtype, "threads": threads, **options})
    run = Run(viewer, made, plane, steps)
    if isinstance(mask := unwrapped(missing), Labels) and task == "inpaint":
        run.mask = MaskFollower(viewer, mask, plane, steps)
    run.start()
    if block:
        run.wait()
    return run
