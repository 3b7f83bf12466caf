"""
Denoise a photon-limited image
==============================

The level of the noise and its growth with intensity are estimated from the image itself.
"""

from dataclasses import replace

import matplotlib.pyplot as plt

import napari_deep_image_prior as dip
from napari_deep_image_prior.evaluation.samples import noisy_tissue

# %%
# The sample simulates a camera that detects at most 60 photons per pixel, with an offset of 100
# counts. Part of the image is enough here.

sample = noisy_tissue()
noisy, truth = sample.task.image[:112, :112], sample.truth[:112, :112]

# %%
# For this page, the fit is shortened to 60 steps. ``dip.restore(task)`` alone runs the full fit.

task = dip.Denoise(noisy)
short = replace(dip.preset_settings("denoise", "fast"), iterations=60, draws=1)
result = dip.restore(task, settings=short, seed=0)

print(result.provenance["found"])
print(result.stop_reason)

# %%
# The truth is known, so the gain can be measured.

before = dip.measure_quality(noisy, truth).psnr
after = dip.measure_quality(result.image, truth).psnr
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for axis, image, title in zip(
    axes,
    (noisy, result.image, truth),
    (f"noisy, {before:.1f} dB", f"denoised, {after:.1f} dB", "truth"),
    strict=True,
):
    axis.imshow(image, cmap="gray", vmin=100, vmax=160)
    axis.set_title(title)
    axis.axis("off")
plt.show()
