"""
Restore a stack
===============

A stack is restored plane by plane. For inpainting, the fit of a plane can start from the network of
the previous plane.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import napari_deep_image_prior as dip
from napari_deep_image_prior.evaluation.samples import noisy_tissue

# %%
# The stack has three planes that differ by a small shift. A fifth of the pixels are dead.

truth = noisy_tissue().truth
stack = np.stack([truth[shift : shift + 96, :96] for shift in (0, 2, 4)])
dead = np.random.default_rng(0).random(stack.shape) < 0.2
damaged = np.where(dead, 0, stack)

# %%
# The first plane is fitted from scratch. For this page, its fit is shortened to 120 steps.
# Each later plane starts from the network of the previous plane and takes a quarter of the steps.

short = replace(dip.preset_settings("inpaint", "fast"), iterations=120)
planes, previous = [], None
for image, missing in zip(damaged, dead, strict=True):
    steps = dip.iter_restore(dip.Inpaint(image, missing=missing), settings=short)
    if previous is not None:
        steps.start_from(previous)
    with steps:
        for _ in steps:
            pass
    planes.append(steps.result.image)
    print(f"{steps.result.iterations} steps")
    previous = steps

# %%
# In napari, *planes: all* does this. The command line does it for all TIFF stacks.

restored = np.stack(planes)
figure, axes = plt.subplots(2, 3, figsize=(8, 5.6), layout="constrained")
for number, (top, bottom) in enumerate(axes.T):
    quality = dip.measure_quality(restored[number], stack[number])
    top.imshow(damaged[number], cmap="gray", vmin=100, vmax=160)
    top.set_title(f"plane {number}, dead pixels")
    bottom.imshow(restored[number], cmap="gray", vmin=100, vmax=160)
    bottom.set_title(f"restored, {quality.psnr:.1f} dB")
    top.axis("off")
    bottom.axis("off")
plt.show()
