"""
Repeat a result from its provenance
===================================

The record of a result and the original image reproduce the result.
"""

import json
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import napari_deep_image_prior as dip
from napari_deep_image_prior.evaluation.samples import noisy_tissue

noisy = noisy_tissue().task.image[:80, :80]
short = replace(dip.preset_settings("denoise", "fast"), iterations=60, draws=1, crop=32)
result = dip.restore(dip.Denoise(noisy, strength=0.8), settings=short, seed=7)

# %%
# The record is plain JSON. It holds the task, the settings, the seed, the versions and the device.

record = json.loads(json.dumps(result.provenance))
print("kind:", record["task"]["kind"])
print("seed:", record["seed"])
print("stopped because:", record["stop_reason"])

# %%
# With the same versions on the same kind of machine, the image is identical, bit for bit.

again = dip.repeat(record, noisy)
print("the same image:", np.array_equal(again.image, result.image))

# %%
# A different input raises an error: the record contains a fingerprint of the original image.

try:
    dip.repeat(record, noisy + 1)
except ValueError as error:
    print(error)

figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for axis, image, title in zip(
    axes, (noisy, result.image, again.image), ("noisy", "first result", "repeated"), strict=True
):
    axis.imshow(image, cmap="gray", vmin=100, vmax=160)
    axis.set_title(title)
    axis.axis("off")
plt.show()
