"""Make docs/images/card-*.png: parts of the bundled samples before and after, for docs/index.md.

    python docs/make_cards.py

Preset fast, seed 0, a few minutes on one CPU core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import napari_deep_image_prior as dip
from napari_deep_image_prior.evaluation.samples import noisy_tissue, scratched_portrait, small_cat

FOLDER = Path(__file__).parent / "images"
EDGE, GAP = 280, 8
"""Edge of each image, and gap between the two, in pixels."""
PARTS = {
    "denoise": (noisy_tissue, np.s_[30:130, 80:180], (100, 160)),
    "inpaint": (scratched_portrait, np.s_[30:170, 40:180], (0, 255)),
    "super-resolve": (small_cat, np.s_[40:180, 90:230], (0, 255)),
}
"""The sample, the displayed part of the result, and its contrast limits."""


def main() -> None:
    """Restore each sample and write the pair."""
    for name, (make, part, limits) in PARTS.items():
        sample = make()
        given = sample.task.to_result_grid(np.asarray(sample.task.image))
        restored = dip.restore(sample.task, seed=0).image
        both = [_picture(image[part], limits) for image in (given, restored)]
        card = Image.new("RGB", (2 * EDGE + GAP, EDGE), "white")
        card.paste(both[0], (0, 0))
        card.paste(both[1], (EDGE + GAP, 0))
        path = FOLDER / f"card-{name}.png"
        card.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")


def _picture(image: np.ndarray, limits: tuple[float, float]) -> Image.Image:
    low, high = limits
    shown = np.clip((image.astype(float) - low) / (high - low), 0, 1)
    picture = Image.fromarray(np.rint(255 * shown).astype(np.uint8)).convert("RGB")
    return picture.resize((EDGE, EDGE), Image.Resampling.NEAREST)


if __name__ == "__main__":
    main()
