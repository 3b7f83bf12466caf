"""
Enlarge an image
================

The network learns from smaller copies of the image itself. The result is consistent with the small
image.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from skimage.transform import resize

import napari_deep_image_prior as dip
from napari_deep_image_prior.evaluation.samples import small_cat

# %%
# The sample is a photograph, downsampled by a factor of 4. This is its left half.

sample = small_cat()
small, truth = sample.task.image[:, :54], sample.truth[:, :216]

# %%
# For this page, the fit is shortened from 2000 steps to 120.

short = replace(dip.preset_settings("super-resolve", "fast"), iterations=120)
task = dip.SuperResolve(small, factor=4, channel_axis=-1)
result = dip.restore(task, settings=short, dtype="same")

# %%
# Compare the result with bicubic interpolation.

bicubic = np.clip(resize(small.astype(float), truth.shape, order=3), 0, 255).astype(np.uint8)
images = {"small image": small, "bicubic": bicubic, "enlarged": result.image, "truth": truth}
figure, axes = plt.subplots(1, 4, figsize=(10, 3.7), layout="constrained")
for axis, (title, image) in zip(axes, images.items(), strict=True):
    axis.imshow(image)
    axis.set_title(title)
    if title in ("bicubic", "enlarged"):
        psnr = dip.measure_quality(image, truth, channel_axis=-1).psnr
        axis.set_title(f"{title}, {psnr:.1f} dB")
    axis.axis("off")
plt.show()
