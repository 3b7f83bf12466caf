"""
Watch a fit step by step
========================

A restoration is an iterator: you can inspect each step, and stop at any time.
"""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import napari_deep_image_prior as dip
from napari_deep_image_prior.evaluation.samples import scratched_portrait

sample = scratched_portrait()
part = np.s_[40:136, 60:156]
task = dip.Inpaint(sample.task.image[part], missing=sample.task.missing[part], channel_axis=-1)
settings = replace(dip.preset_settings("inpaint", "fast"), iterations=240, batch=2)

# %%
# Each step reports the held-out error, relative to the error of the classical estimate.
# A step includes an image if ``wants_image`` returns True. ``stop`` ends the fit and keeps its
# result.

errors, previews = [], {}
with dip.iter_restore(task, settings=settings) as steps:
    steps.wants_image = lambda: len(errors) % 60 == 0
    for step in steps:
        errors.append(step.misfit)
        if step.image is not None:
            previews[step.iteration] = step.image
        if step.iteration == 181:
            steps.stop()
print(steps.result.stop_reason)

# %%
# The error of a single step is noisy, because each step draws different crops.

smooth = np.convolve(errors, np.ones(25) / 25, mode="valid")
shown = sorted(previews)[:3]
figure, axes = plt.subplots(1, 1 + len(shown), figsize=(11, 3), layout="constrained")
axes[0].plot(errors, color="0.8")
axes[0].plot(np.arange(len(smooth)) + 12, smooth)
axes[0].set(xlabel="step", ylabel="relative held-out error", ylim=(0, 1.5))
for axis, iteration in zip(axes[1:], shown, strict=True):
    axis.imshow(np.clip(previews[iteration] / 255, 0, 1))
    axis.set_title(f"step {iteration}")
    axis.axis("off")
plt.show()
