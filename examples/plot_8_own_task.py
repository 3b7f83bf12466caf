"""
Add a custom task
=================

A task is three classes and one entry in the registry. After registration, ``restore``, ``repeat``
and ``restore_layer`` support it. The command line does as well, if a package with an entry point
registers the task (see ``CONTRIBUTING.md``).
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from skimage.restoration import denoise_tv_chambolle

import napari_deep_image_prior as dip
from napari_deep_image_prior.evaluation.samples import noisy_tissue

# %%
# The task defines the problem, the settings define how to solve it, and the restorer solves it.
# This method is classical: total variation, with more iterations at each step.
# A restorer works on arrays with the axes channel, Y and X.


@dataclass(frozen=True, eq=False, kw_only=True)
class Flatten(dip.Task):
    kind = "flatten"
    weight: float = 20.0


@dataclass(frozen=True)
class TotalVariation(dip.Settings):
    steps: int = 6


class FlattenRestorer(dip.Restorer):
    stop_reason = "all steps done"

    @classmethod
    def for_task(cls, task, settings, device, seed):
        made = cls()
        image, axis = np.asarray(task.image, dtype=float), task.channel_axis
        made.given = image[np.newaxis] if axis is None else np.moveaxis(image, axis, 0)
        made.image, made.weight, made.count = made.given, task.weight, settings.steps
        return made

    def steps(self):
        for number in range(1, self.count + 1):
            self.image = denoise_tv_chambolle(
                self.given, self.weight, max_num_iter=4**number, channel_axis=0
            )
            yield dip.Progress(number, self.count)

    def estimate(self):
        return self.image

    def finish(self):
        yield from ()
        return self.image


dip.register_method(
    dip.Method(
        task=Flatten,
        summary="flatten by total variation",
        past_participle="flattened",
        presets={"fast": TotalVariation()},
        restorers={TotalVariation: FlattenRestorer},
        options=(dip.Option(name="weight", type=float, default=20.0, help="smoothing strength"),),
    )
)

# %%
# Use it like any other task. Its results have provenance as well.

sample = noisy_tissue()
noisy, truth = sample.task.image[:128, :128], sample.truth[:128, :128]
result = dip.restore(Flatten(noisy, weight=15.0))
print(result.stop_reason, "-", result.provenance["task"]["kind"])

psnr = dip.measure_quality(result.image, truth).psnr
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for axis, image, title in zip(
    axes, (noisy, result.image, truth), ("noisy", f"flattened, {psnr:.1f} dB", "truth"), strict=True
):
    axis.imshow(image, cmap="gray", vmin=100, vmax=160)
    axis.set_title(title)
    axis.axis("off")
plt.show()

# %%
# The registration ends with the process. In a longer session, you can remove the method again.

dip.unregister_method("flatten")
