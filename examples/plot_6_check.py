"""
Check a result: residual and uncertainty
========================================

These two checks do not need the truth. Neither proves that a result is correct.
"""

from dataclasses import replace

import matplotlib.pyplot as plt

import napari_deep_image_prior as dip
from napari_deep_image_prior.evaluation.samples import noisy_tissue

task = dip.Denoise(noisy_tissue().task.image[:72, :72])
short = replace(dip.preset_settings("denoise", "fast"), iterations=40, draws=1, crop=32)
result = dip.restore(task, settings=short)

# %%
# The residual is the input minus the result. It should look like noise.
# Edges or cells that are visible in the residual were removed from the image.

residual = dip.residual(task, result.image)
print(f"mean {residual.mean():.2f}, standard deviation {residual.std():.2f}")

# %%
# Different seeds give different results. Where they differ, the data do not determine the
# result. Where they agree, they can still share an error, because all of them use the same prior.

uncertainty = dip.uncertainty(task, seeds=2, settings=short)

figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
for axis, image, title, limits in zip(
    axes,
    (result.image, residual, uncertainty.std),
    ("denoised", "residual", "standard deviation over 2 seeds"),
    ((100, 160), (-20, 20), (0, None)),
    strict=True,
):
    shown = axis.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1])
    figure.colorbar(shown, ax=axis, shrink=0.8)
    axis.set_title(title)
    axis.axis("off")
plt.show()
