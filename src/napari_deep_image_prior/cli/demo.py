"""The demo sub-command: the bundled samples in napari, or as image files with quality figures."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation.quality import measure_quality
from ..evaluation.samples import Sample, noisy_tissue, scratched_portrait, small_cat
from ..fitting.settings import SelfSupervisedFit
from ..io.files import write_image
from ..io.image_file import ImageFile
from ..methods.registry import preset_settings
from ..restoration.api import iter_restore
from .progress import run_with_progress
from .termination import terminable

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

EDGE = 128
"""Edge of the tissue that is restored without napari; the first estimate takes its time by area."""
SHORTER = 3
"""Without napari, the preset fast has only one in so many iterations: two minutes in all."""


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


@terminable()
def write_demo(options: argparse.Namespace) -> int:
    """Restore each sample; write input, result and truth as images, and the quality figures."""
    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    figures = []
    samples = (noisy_tissue(edge=EDGE), scratched_portrait(), small_cat())
    print(f"restoring {len(samples)} samples ...", flush=True)
    for number, sample in enumerate(samples, 1):
        figure = _restore_sample(sample, f"{number}/{len(samples)}", options)
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


def _restore_sample(sample: Sample, count: str, options: argparse.Namespace) -> dict[str, Any]:
    settings = preset_settings(sample.task.kind, options.preset, factor=sample.task.magnification)
    preset = options.preset
    if preset == "fast" and isinstance(settings, SelfSupervisedFit):
        settings = replace(settings, iterations=settings.iterations // SHORTER)
        preset = f"fast, 1/{SHORTER} of the iterations"
    steps = iter_restore(
        sample.task,
        settings=settings,
        device=options.device,
        seed=options.seed,
        threads=options.threads,
    )
    result = run_with_progress(steps, name=f"{count} {sample.name}")
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
        "psnr_before": measure_quality(before, sample.truth, channel_axis=axis).psnr,
        "psnr_after": measure_quality(result.image, sample.truth, channel_axis=axis).psnr,
        "classical": sample.baseline,
        "psnr_classical": measure_quality(classical, sample.truth, channel_axis=axis).psnr,
        "seconds": result.provenance["seconds"],
        "iterations": result.iterations,
        "stop_reason": result.stop_reason,
        "device": result.provenance["device_name"],
        "preset": preset,
        "seed": options.seed,
    }


def _displayable(image: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image with the range of the truth mapped to 0 to 255."""
    low, high = (
        (0.0, 255.0) if truth.dtype == np.uint8 else (float(truth.min()), float(truth.max()))
    )
    return np.clip(np.rint((image.astype(float) - low) / (high - low) * 255), 0, 255).astype(
        np.uint8
    )
