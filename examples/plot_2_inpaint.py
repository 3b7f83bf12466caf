"""
Inpaint scratches
=================

A mask marks the unknown pixels. Known pixels keep their values.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import napari_deep_image_prior as dip
from napari_deep_image_prior.evaluation.samples import scratched_portrait

# %%
# In ``missing``, True marks the unknown pixels. Colors are channels, so specify their axis.

sample = scratched_portrait()
part = np.s_[40:136, 60:156]
damaged, missing, truth = sample.task.image[part], sample.task.missing[part], sample.truth[part]
task = dip.Inpaint(damaged, missing=missing, channel_axis=-1)

# %%
# For this page, the fit is shortened from 3000 steps to 150.

short = replace(dip.preset_settings("inpaint", "fast"), iterations=150)
result = dip.restore(task, settings=short, dtype="same")
print("known pixels unchanged:", np.array_equal(result.image[~missing], damaged[~missing]))

# %%
# The filled-in pixels are plausible, not measured.

filled = dip.measure_quality(result.image, truth, channel_axis=-1).psnr
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for axis, image, title in zip(
    axes,
    (damaged, result.image, truth),
    ("scratched", f"filled, {filled:.1f} dB", "truth"),
    strict=True,
):
    axis.imshow(image)
    axis.set_title(title)
    axis.axis("off")
plt.show()
