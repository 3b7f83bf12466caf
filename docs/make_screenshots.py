"""Make the screenshots of napari in docs/images, including those of the README.

Needs a display of at least 1366x768; on Linux without one:

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py

Names (denoise, inpaint, super-resolve, trial, steer, marking, results) select some of them. Each
runs the preset fast on a bundled sample, about a minute on one idle CPU core.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_deep_image_prior._napari.jobs.queue import queue_of
from napari_deep_image_prior.evaluation.samples import noisy_tissue

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parent / "images"
PLUGIN = "napari-deep-image-prior"
SIZE = (1366, 768)
"""A small laptop's screen."""
COLORS, LARGEST = 256, 240_000
"""A palette keeps the files small enough for a repository; noisy pictures get fewer colors."""


def main(names: list[str]) -> None:
    """Make the pictures of these tasks, or of all."""
    for name in names or TASKS:
        TASKS[name](name)


def denoise(name: str) -> None:
    """Before, during, and after the fit, the last in the light theme."""
    viewer, widget = _open("noisy", "Denoise")
    _save(viewer, f"{name}-start")
    _run(viewer, widget, name)
    viewer.theme = "light"
    _save_side_by_side(viewer, name)


def inpaint(name: str) -> None:
    """With the mask, during the fit, and after Stop."""
    viewer, widget = _open("scratched", "Inpaint")
    widget.image.value, widget.missing.value = viewer.layers[0], viewer.layers[1]
    _save(viewer, f"{name}-start")
    viewer.layers[1].visible = False
    _run(viewer, widget, name, stop=True)
    viewer.layers.remove(viewer.layers[1])
    _save_side_by_side(viewer, name)


def super_resolve(name: str) -> None:
    """Before, during, and after the fit."""
    viewer, widget = _open("small", "Super-resolve")
    _save(viewer, f"{name}-start")
    _run(viewer, widget, name)
    _save_side_by_side(viewer, name)


def trial(name: str) -> None:
    """Three trials of a part side by side, each stopped early."""
    viewer, widget = _open("noisy", "Denoise")
    widget.trying_toggle.native.click()
    viewer.scene.camera.zoom *= 2
    viewer.scene.camera.center = (90, 150)
    for noise in ("auto", "gaussian", "poisson"):
        widget.noise.value = noise
        widget.add_trial.native.click()
        _wait(
            lambda: (
                "step" in widget.status.value and widget.progress.value > 0.1 * widget.progress.max
            )
        )
        widget.stop.native.click()
        _wait(lambda: widget.run.enabled)
    widget.trial.value = widget.trial.choices[0]
    widget.beside.native.click()
    _save(viewer, name)
    viewer.close()


def steer(name: str) -> None:
    """Show an earlier step of a paused fit, a kept step, and two queued fits."""
    viewer, widget = _open("noisy", "Denoise")
    widget.run.native.click()
    _wait(lambda: widget.progress.value > 0.45 * widget.progress.max)
    for seed in (1, 2):
        widget.seed.value = seed
        widget.queue.native.click()
    widget.pause.native.click()
    _wait(lambda: widget.history.enabled)
    widget.history.value = widget.history.max // 2
    widget.keep.native.click()
    _save(viewer, name)
    for run in reversed(list(queue_of(viewer).jobs)):
        run.cancel()
    _wait(lambda: widget.run.enabled)
    viewer.close()


def marking(name: str) -> None:
    """Faulty lines and saturated pixels, marked by value and filled."""
    viewer, widget = _open("noisy", "Inpaint")
    frame = viewer.layers[0]
    frame.data = frame.data.copy()
    frame.data[40::37] += 400
    frame.name = "faulty frame"
    widget.marking_toggle.native.click()
    widget.marked.value = "striped rows"
    widget.mark.native.click()
    widget.run.native.click()
    _wait(lambda: widget.progress.value > 0.3 * widget.progress.max)
    widget.stop.native.click()
    _wait(lambda: widget.run.enabled)
    _save_side_by_side(viewer, name, name)


def results(name: str) -> None:
    """Residual, uncertainty and quality of a short denoising run."""
    viewer, widget = _open("noisy", "Denoise")
    truth = viewer.add_image(noisy_tissue().truth, name="truth", visible=False)
    widget.run.native.click()
    _wait(lambda: widget.progress.value > 0.3 * widget.progress.max)
    widget.stop.native.click()
    _wait(lambda: widget.run.enabled)
    layer = viewer.layers[-1]
    viewer.window.remove_dock_widget("all")
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Results")
    panel.result.value, panel.truth.value = layer, truth
    panel.residual.native.click()
    panel.seeds.value = 2
    panel.uncertainty.native.click()
    _wait(lambda: panel.uncertainty.text == "Uncertainty")
    panel.measure.native.click()
    viewer.layers.remove(truth)
    _save_side_by_side(viewer, name, name)


def _open(sample: str, display_name: str) -> tuple[napari.Viewer, Any]:
    viewer = napari.Viewer()
    viewer.theme = "dark"
    viewer.window.resize(*SIZE)
    viewer.open_sample(PLUGIN, sample)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, display_name)
    widget.image.value = viewer.layers[0]
    _settle()
    viewer.reset_view()  # fits the view to the canvas beside the panel
    return viewer, widget


def _run(viewer: napari.Viewer, widget: Any, name: str, *, stop: bool = False) -> None:  # noqa: ANN401  (a Container)
    """Press Run, take the picture `name` at 45 %, press Stop if asked, and wait for the end."""
    widget.run.native.click()
    _wait(lambda: widget.progress.value > 0.45 * widget.progress.max)
    _save(viewer, name)
    if stop:
        widget.stop.native.click()
    _wait(lambda: widget.run.enabled)
    if not widget.status.value.startswith("Done"):
        raise SystemExit(f"{name}: {widget.status.value}")


def _save_side_by_side(viewer: napari.Viewer, name: str, saved: str = "") -> None:
    viewer.canvas.grid.enabled = True
    viewer.reset_view()
    _save(viewer, saved or f"{name}-done")
    viewer.close()


def _wait(condition: Callable[[], bool]) -> None:
    while not condition():
        QApplication.processEvents()
        time.sleep(0.01)  # leave the cores to the fit


def _settle() -> None:
    """Let the layout, the canvas and the thumbnails update."""
    for _ in range(20):
        QApplication.processEvents()


def _save(viewer: napari.Viewer, name: str) -> None:
    _settle()
    pixels = viewer.screenshot(canvas_only=False, flash=False)
    picture = Image.fromarray(pixels[..., :3])
    if picture.size != SIZE:
        raise SystemExit(f"{name}: the window is {picture.size}, not {SIZE}; use a larger screen.")
    path = FOLDER / f"{name}.png"
    colors = COLORS
    picture.quantize(colors, dither=Image.Dither.NONE).save(path, optimize=True)
    while path.stat().st_size > LARGEST:
        colors //= 2
        picture.quantize(colors, dither=Image.Dither.NONE).save(path, optimize=True)
    sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")


TASKS: dict[str, Callable[[str], None]] = {
    "denoise": denoise,
    "inpaint": inpaint,
    "super-resolve": super_resolve,
    "trial": trial,
    "steer": steer,
    "marking": marking,
    "results": results,
}

if __name__ == "__main__":
    main(sys.argv[1:])
