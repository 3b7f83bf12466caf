"""Make docs/images/denoise.gif: napari while a fit runs, for the README.

Needs a display of at least 1366x768; on Linux without one:

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_animation.py

Runs the preset fast on a bundled sample, about a minute on one idle CPU core.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

PATH = Path(__file__).parent / "images" / "denoise.gif"
PLUGIN = "napari-deep-image-prior"
WINDOW = (1366, 768)
"""A small laptop's screen."""
SHOWN = (900, 506)
COLORS = 64
SHARES = (0.01, 0.04, 0.08, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
"""Fractions of the steps at which the window is captured."""
MOMENT, REST = 500, 1800
"""How long a frame is shown, in milliseconds: during the fit, and before and after it."""


def main() -> None:
    """Run a fit in napari and write the animation."""
    viewer = napari.Viewer()
    viewer.theme = "dark"
    viewer.window.resize(*WINDOW)
    viewer.open_sample(PLUGIN, "noisy")
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise")
    widget.image.value = viewer.layers[0]
    _settle()
    viewer.reset_view()
    viewer.scene.camera.zoom *= 1.9
    viewer.scene.camera.center = (100, 150)
    frames, durations = [_window(viewer)], [REST]
    widget.run.native.click()
    for share in SHARES:
        while widget.progress.value <= share * widget.progress.max:
            QApplication.processEvents()
            time.sleep(0.01)  # leave the cores to the fit
            if widget.run.enabled:
                break
        frames.append(_window(viewer))
        durations.append(MOMENT)
    while not widget.run.enabled:
        QApplication.processEvents()
        time.sleep(0.01)
    if not widget.status.value.startswith("Done"):
        raise SystemExit(widget.status.value)
    frames.append(_window(viewer))
    durations.append(REST)
    viewer.close()
    _write(frames, durations)


def _window(viewer: napari.Viewer) -> Image.Image:
    _settle()
    pixels = viewer.screenshot(canvas_only=False, flash=False)
    picture = Image.fromarray(pixels[..., :3])
    if picture.size != WINDOW:
        raise SystemExit(f"the window is {picture.size}, not {WINDOW}; use a larger screen.")
    return picture.resize(SHOWN, Image.Resampling.LANCZOS)


def _settle() -> None:
    """Let the layout, the canvas and the thumbnails update."""
    for _ in range(20):
        QApplication.processEvents()


def _write(frames: list[Image.Image], durations: list[int]) -> None:
    """Write all frames with one palette and without dithering: unchanged pixels cost nothing."""
    together = Image.new("RGB", (SHOWN[0], SHOWN[1] * len(frames)))
    for number, frame in enumerate(frames):
        together.paste(frame, (0, number * SHOWN[1]))
    palette = together.quantize(COLORS, dither=Image.Dither.NONE)
    reduced = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    reduced[0].save(
        PATH, save_all=True, append_images=reduced[1:], duration=durations, loop=0, optimize=True
    )
    sys.stdout.write(f"{PATH.name}: {len(frames)} frames, {PATH.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
