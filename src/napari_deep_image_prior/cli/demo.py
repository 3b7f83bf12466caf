"""The demo sub-command: the bundled samples in napari, or as image files with quality figures."""

from __future__ import annotations

import json
import os
import platform
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation.samples import SAMPLES, Sample, noisy_tissue
from ..io.files import write_image
from ..io.image_file import ImageFile
from ..restoration.api import restore

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray


def open_demo(options: argparse.Namespace) -> str | None:
    """Open napari with a running fit of a sample; return the reason if that is impossible."""
    on_linux = platform.system() == "Linux"
    if on_linux and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        return "there is no display"
    try:
        import napari

        viewer = napari.Viewer(title="Deep Image Prior")
    except (ImportError, RuntimeError) as error:  # napari or a Qt binding is missing
        reason = str(error).strip().splitlines()[0]
        return (
            f"napari cannot be opened ({reason}); "
            "install it with pip install 'napari-deep-image-prior[all]'"
        )
    sample = noisy_tissue()
    viewer.add_image(np.asarray(sample.task.image), name=sample.name)
    _, widget = viewer.window.add_plugin_dock_widget("napari-deep-image-prior", "Denoise")
    widget.preset.value, widget.seed.value = options.preset, options.seed
    if options.device in widget.device.choices:
        widget.device.value = options.device
    widget.run.changed.emit(True)
    napari.run()
    return None


def write_demo(options: argparse.Namespace) -> int:
    """Restore each sample; write input, result and truth as images, and the quality figures."""
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    figures = []
    for make in SAMPLES:
        figure = _restore_sample(make(), options)
        figures.append(figure)
        gain = f"{figure['psnr_before']:.2f} dB -> {figure['psnr_after']:.2f} dB"
        other = f"{figure['classical']}: {figure['psnr_classical']:.2f} dB"
        print(
            f"{figure['sample']}: {gain} ({other}), "
            f"{figure['seconds']:.0f} s on {figure['device']}",
            flush=True,
        )
    (folder / "figures.json").write_text(json.dumps(figures, indent=1))
    print(f"images (before | after | truth) and figures.json are in {folder}")
    return 0


def _restore_sample(sample: Sample, options: argparse.Namespace) -> dict[str, Any]:
    result = restore(
        sample.task,
        preset=options.preset,
        device=options.device,
        seed=options.seed,
        threads=options.threads,
    )
    classical = sample.restore_by_baseline(np.asarray(sample.task.image))
    before = sample.task.to_result_grid(np.asarray(sample.task.image))
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
        "classical": sample.baseline,
        "psnr_classical": _psnr(classical, sample.truth),
        "seconds": result.provenance["seconds"],
        "iterations": result.iterations,
        "stop_reason": result.stop_reason,
        "device": result.provenance["device_name"],
        "preset": options.preset,
        "seed": options.seed,
    }


def _psnr(image: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the PSNR in dB; the peak is 255 for uint8, else the range of the truth."""
    peak = 255.0 if truth.dtype == np.uint8 else float(np.ptp(truth))
    return float(10 * np.log10(peak**2 / np.mean((image.astype(float) - truth) ** 2)))


def _displayable(image: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image with the range of the truth mapped to 0 to 255."""
    low, high = (
        (0.0, 255.0) if truth.dtype == np.uint8 else (float(truth.min()), float(truth.max()))
    )
    return np.clip(np.rint((image.astype(float) - low) / (high - low) * 255), 0, 255).astype(
        np.uint8
    )
