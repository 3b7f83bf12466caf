"""deep-image-prior demo: the bundled samples, in napari or as pictures with figures."""

from __future__ import annotations

import json
import os
import platform
from typing import TYPE_CHECKING, Any

import numpy as np

from .classical import enlarge, fill, non_local_means
from .files import ImageFile, write_image
from .restoration import restore
from .samples import SAMPLES, Sample, noisy_tissue
from .tasks import Denoise, Inpaint

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray


def open_demo(options: argparse.Namespace) -> str | None:
    """Open napari on a sample with the fit running; return why that is not possible, or None."""
    on_linux = platform.system() == "Linux"
    if on_linux and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        return "there is no display"
    try:
        import napari
    except ImportError as error:
        return f"napari cannot be opened ({error}); install it with pip install 'napari-deep-image-prior[all]'"
    viewer = napari.Viewer(title="Deep Image Prior")
    sample = noisy_tissue()
    viewer.add_image(np.asarray(sample.task.image), name=sample.name)
    _, widget = viewer.window.add_plugin_dock_widget("napari-deep-image-prior", "Denoise")
    widget.preset.value, widget.seed.value = options.preset, options.seed
    widget.run.changed.emit(True)
    napari.run()
    return None


def write_demo(options: argparse.Namespace) -> int:
    """Restore each sample; write what went in, what came out and the truth side by side, and the figures."""
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    figures = []
    for make in SAMPLES:
        figure = _restore_sample(make(), options)
        figures.append(figure)
        print(  # noqa: T201
            f"{figure['sample']}: {figure['psnr_before']:.2f} dB -> {figure['psnr_after']:.2f} dB "
            f"({figure['classical']}: {figure['psnr_classical']:.2f} dB), {figure['seconds']:.0f} s on {figure['device']}",
            flush=True,
        )
    (folder / "figures.json").write_text(json.dumps(figures, indent=1))
    print(f"pictures (before | after | truth) and figures.json are in {folder}")  # noqa: T201
    return 0


def _restore_sample(sample: Sample, options: argparse.Namespace) -> dict[str, Any]:
    result = restore(sample.task, preset=options.preset, device=options.device, seed=options.seed)
    name, classical = _classical(sample)
    before = _before(sample)
    panels = [_displayable(image, sample.truth) for image in (before, result.image, sample.truth)]
    stem = sample.name.replace(" ", "-")
    axis = sample.task.channel_axis
    for suffix, image in zip(("before", "after", "truth"), panels, strict=True):
        write_image(options.output / f"{stem}-{suffix}.png", ImageFile(image, axis))
    side_by_side = ImageFile(np.concatenate(panels, axis=1), axis)
    write_image(options.output / f"{stem}.png", side_by_side, result.provenance)
    return {
        "sample": sample.name,
        "psnr_before": _psnr(before, sample.truth),
        "psnr_after": _psnr(result.image, sample.truth),
        "classical": name,
        "psnr_classical": _psnr(classical, sample.truth),
        "seconds": result.provenance["seconds"],
        "iterations": result.iterations,
        "stop_reason": result.stop_reason,
        "device": result.provenance["device"],
        "preset": options.preset,
        "seed": options.seed,
    }
