"""Settings of the published method, and their published values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ...fitting.settings import HourglassNetwork, Settings, check_fields, check_positive

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class DeepImagePriorFit(Settings):
    """The published method: fit f(z) to the image.

    z is a fixed random tensor, f the untrained network; the weights minimize the
    misfit of f(z + jitter) to the observed image (arXiv:1711.10925, equation 2).
    """

    network: HourglassNetwork = HourglassNetwork()  # noqa: RUF009  (frozen)
    """Architecture of the network."""
    iterations: int = 2000
    """Steps of a run, at least 1."""
    learning_rate: float = 0.01
    """Learning rate of Adam."""
    input: Literal["noise", "meshgrid"] = "noise"
    """z: uniform noise, or the pixel coordinates (2 channels)."""
    input_depth: int = 32
    """Channels of a noise z."""
    jitter: float = 0.03
    """Standard deviation of the noise added to z in each step."""
    weight_noise: float = 0.0
    """Standard deviation of the noise added to the weights in each step, relative to that of each
    weight tensor."""
    averaging: float = 0.0
    """Decay of the exponential moving average of the outputs, 0 to below 1; 0: the last output."""
    runs: int = 1
    """Independent runs whose results are averaged, at least 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive(self, "iterations", "learning_rate", "input_depth", "runs")
        if not 0 <= self.averaging < 1 or self.jitter < 0 or self.weight_noise < 0:
            raise ValueError(
                f"averaging={self.averaging} must be 0 to below 1, and jitter={self.jitter} and "
                f"weight_noise={self.weight_noise} 0 or more."
            )

    @property
    def may_end_early(self) -> bool:
        """False: the published method has no early stopping."""
        return False

    @property
    def can_run_on(self) -> bool:
        """Whether the fit can be continued: only a single run can."""
        return self.runs == 1


# rows of the publication's supplementary table, with the defaults of torch in 2017
_THEN = HourglassNetwork(align_corners=True, norm_gain="uniform")
PUBLISHED: Mapping[str, DeepImagePriorFit] = {
    "denoise": DeepImagePriorFit(_THEN, iterations=1800, jitter=1 / 30, averaging=0.99),
    "jpeg": DeepImagePriorFit(
        replace(_THEN, widths=(8, 16, 32, 64, 128), skips=(0, 0, 0, 4, 4)),
        iterations=2400,
        input_depth=3,
        jitter=1 / 30,
        averaging=0.99,
    ),
    "super-resolve-x4": DeepImagePriorFit(_THEN, iterations=2000, jitter=0.03),
    "super-resolve-x8": DeepImagePriorFit(_THEN, iterations=4000, jitter=0.05),
    # not in that table: the iterations of Ren et al., CVPR 2020 (SelfDeblur), arXiv:1908.02197
    "deconvolve": DeepImagePriorFit(_THEN, iterations=5000, jitter=0.03),
    "inpaint": DeepImagePriorFit(_THEN, iterations=11000, learning_rate=0.001, jitter=0.03),
    "inpaint-98": DeepImagePriorFit(
        replace(_THEN, widths=(16, 32, 64, 128, 128), skips=(0,) * 5, downsample="average"),
        iterations=1000,
        jitter=0.0,
    ),
    "inpaint-text": DeepImagePriorFit(
        replace(_THEN, skips=(128,) * 5, upsample="nearest"), iterations=6001, jitter=0.03
    ),
    "inpaint-vase": DeepImagePriorFit(
        replace(_THEN, skips=(0,) * 5, upsample="nearest"),
        iterations=5001,
        input="meshgrid",
        jitter=0.03,
    ),
    "inpaint-library": DeepImagePriorFit(
        replace(
            _THEN,
            widths=(16, 32, 64, 128, 128, 128),
            skips=(0,) * 6,
            down_kernel=5,
            upsample="nearest",
            up_1x1=False,
        ),
        iterations=3001,
        input_depth=1,
        jitter=0.0,
        weight_noise=1 / 50,
    ),
}


def published_settings(experiment: str) -> DeepImagePriorFit:
    """Return the published settings of one experiment of the publication.

    Parameters
    ----------
    experiment : str
        "denoise", "jpeg", "super-resolve-x4", "super-resolve-x8", "inpaint"
        (half of the pixels missing), "inpaint-98" (98 % missing),
        "inpaint-text", "inpaint-vase" or "inpaint-library" (large holes).

    Returns
    -------
    DeepImagePriorFit

    Raises
    ------
    ValueError
        If the experiment is unknown.

    References
    ----------
    Ulyanov, Vedaldi, Lempitsky, "Deep Image Prior", CVPR 2018, arXiv:1711.10925.

    Examples
    --------
    >>> published_settings("inpaint").iterations
    11000
    """
    if experiment not in PUBLISHED:
        raise ValueError(
            f"experiment={experiment!r} is unknown; choose one of {', '.join(PUBLISHED)}."
        )
    return PUBLISHED[experiment]
