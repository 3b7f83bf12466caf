"""How a restoration is done: the presets and the numbers behind them.

Settings are plain values: they compare, print, and go to JSON and back.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Mapping

Preset = Literal["fast", "best", "paper"]
PRESETS: tuple[str, ...] = get_args(Preset)


def _check(settings: object) -> None:
    """Raise TypeError or ValueError where a field is not of its annotated kind."""
    for name, kind in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        if choices and value not in choices:
            raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(map(str, choices))}.")
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and not isinstance(value, kind):
            raise TypeError(f"{name} must be {kind.__name__}, not {type(value).__name__}.")
        if kind is int and (isinstance(value, bool) or not isinstance(value, int)):
            raise TypeError(f"{name}={value!r} must be a whole number.")
        if kind is float and (
            isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
        ):
            raise TypeError(f"{name}={value!r} must be a finite number.")


def _check_positive(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name}={getattr(settings, name)!r} must be above 0.")


@dataclass(frozen=True)
class NetworkSettings:
    """The shape of the untrained network; the defaults are the published one."""

    widths: tuple[int, ...] = (128,) * 5
    """Channels of each scale, from the finest to the coarsest."""
    skips: tuple[int, ...] = (4,) * 5
    """Channels of the skip connection of each scale; 0 leaves it out."""
    downsample: Literal["stride", "average"] = "stride"
    """Halve by a strided convolution, or by average pooling after it."""
    upsample: Literal["bilinear", "nearest"] = "bilinear"
    """How a coarse scale is doubled."""
    down_kernel: int = 3
    """Edge length of the convolutions on the way down, in pixels, odd."""
    up_kernel: int = 3
    """Edge length of the convolutions on the way up, in pixels, odd."""
    architecture: Literal["hourglass", "u-net"] = "hourglass"
    """The published hourglass, or a U-Net of the same widths: it has wide skips, max-pooling and 3x3 convolutions."""
    up_1x1: bool = True
    """A 1x1 convolution after the one on the way up."""
    norm: Literal["batch", "none"] = "batch"
    """Batch normalisation (with one image: instance normalisation) or none."""
    padding: Literal["reflect", "zeros"] = "reflect"
    """What convolutions see outside the image."""
    head: Literal["sigmoid", "linear"] = "sigmoid"
    """A sigmoid keeps the result in the range of the input."""
    align_corners: bool = False
    """Bilinear upsampling as it was in the torch of 2017 (True) or today's."""
    norm_gain: Literal["ones", "uniform"] = "ones"
    """Start of the normalisation's gain: 1 as today, or U(0, 1) as in the torch of 2017."""

    def __post_init__(self) -> None:
        _check(self)
        if not self.widths or len(self.widths) != len(self.skips):
            raise ValueError(f"widths={self.widths} and skips={self.skips} need one number for each scale.")
        if min(self.widths) < 1 or min(self.skips) < 0:
            raise ValueError(f"widths={self.widths} must be at least 1 and skips={self.skips} at least 0.")
        if self.down_kernel % 2 == 0 or self.up_kernel % 2 == 0:
            raise ValueError("down_kernel and up_kernel must be odd.")


@dataclass(frozen=True)
class PriorFit:
    """Fit f(z) to the image: the published method.

    z is a fixed random tensor, f the untrained network; the weights minimise the
    misfit of f(z + jitter) to the observed image (arXiv:1711.10925, equation 2).
    """

    network: NetworkSettings = NetworkSettings()
    iterations: int = 2000
    """Steps of a run; at least 1."""
    learning_rate: float = 0.01
    """Of Adam."""
    input: Literal["noise", "meshgrid"] = "noise"
    """z: uniform noise, or the pixel coordinates (2 channels)."""
    input_depth: int = 32
    """Channels of a noise z."""
    jitter: float = 0.03
    """Standard deviation of the noise that is added to z anew in each step."""
    weight_noise: float = 0.0
    """Standard deviation of the noise added to the weights in each step, in units of each weight tensor's own."""
    averaging: float = 0.0
    """Weight of the past in the moving average of the outputs; 0 takes the last output."""
    runs: int = 1
    """Independent runs whose results are averaged."""

    def __post_init__(self) -> None:
        _check(self)
        _check_positive(self, "iterations", "learning_rate", "input_depth", "runs")
        if not 0 <= self.averaging < 1 or self.jitter < 0 or self.weight_noise < 0:
            raise ValueError("averaging must lie in 0..1 (below 1); jitter and weight_noise must not be negative.")


@dataclass(frozen=True)
class LeanSettings:
    """The shape of the small network of the quick fits."""

    widths: tuple[int, ...] = (64,)
    """Channels of each scale; the finest works on 2x2 pixels folded into channels."""
    depth: int = 2
    """Further convolutions at the finest scale."""

    def __post_init__(self) -> None:
        _check(self)
        if not self.widths or min(self.widths) < 2 or self.depth < 0:
            raise ValueError(f"widths={self.widths} must be at least 2 each and depth={self.depth} not negative.")


@dataclass(frozen=True)
class LeanFit:
    """What the quick fits share: a lean network, fitted on random crops of the one image.

    The learning rate rises in the first steps, stays until the held-out error has
    stopped falling (or the iterations run out), and then falls to 0.
    """

    network: LeanSettings = LeanSettings()
    iterations: int = 2500
    """Steps at most, the last ones with falling learning rate included."""
    patience: int = 500
    """Steps without improvement of the held-out error after which the fit is brought to its end."""
    cool_down: float = 0.5
    """Share of the steps in which the learning rate falls to 0."""
    learning_rate: float = 0.004
    """Of Adam."""
    crop: int = 64
    """Edge of the crops in pixels."""
    batch: int = 4
    """Crops in a step."""

    def __post_init__(self) -> None:
        _check(self)
        _check_positive(self, "iterations", "patience", "learning_rate", "batch")
        if self.crop < 8 or not 0 <= self.cool_down <= 1:
            raise ValueError(f"crop={self.crop} must be at least 8 and cool_down={self.cool_down} lie in 0..1.")


WARM = 4
"""A fit that starts from the network of a similar image takes this part of the steps of another."""


@dataclass(frozen=True)
class MaskedFit(LeanFit):
    """Inpainting: hide known pixels, fill them smoothly, and fit the network to correct the fill."""

    hidden: tuple[float, float] = (0.05, 0.4)
    """Share of the known pixels hidden in a crop, drawn between these."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.hidden) != 2 or not 0 < self.hidden[0] <= self.hidden[1] < 1:
            raise ValueError(f"hidden={self.hidden} must be two rising shares between 0 and 1.")

    def warm(self) -> MaskedFit:
        """Return the settings of a fit that starts from the network of a similar image: a quarter of the steps."""
        return replace(self, iterations=max(1, self.iterations // WARM))


@dataclass(frozen=True)
class CrossScaleFit(LeanFit):
    """Super-resolution: shrink the image, and fit the network to undo that."""

    father_scales: tuple[float, ...] = (1.0, 0.9, 0.8, 0.7, 0.6)
    """The image is also learnt from at these scales."""
    back_projections: int = 10
    """Corrections that make the enlarged image consistent with the small one."""
    networks: int = 1
    """Networks fitted one after another, whose corrections are averaged."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "networks")
        if not self.father_scales or not all(0 < scale <= 1 for scale in self.father_scales):
            raise ValueError(f"father_scales={self.father_scales} must lie between 0 and 1.")
        if self.back_projections < 0:
            raise ValueError("back_projections must not be negative.")


@dataclass(frozen=True)
class GuidedFit(LeanFit):
    """Denoising: noise a classical estimate anew, denoise that, and fit the network to correct the result."""

    draws: int = 8
    """Newly noised images to learn from; one more is made to judge by."""
    region: int = 256
    """Edge of the part of the image that is noised anew, in pixels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "draws", "region")


# the rows of the publication's supplementary table, with the defaults of the torch of 2017 that they were run with
_THEN = NetworkSettings(align_corners=True, norm_gain="uniform")
PUBLISHED: Mapping[str, PriorFit] = {
    "denoise": PriorFit(_THEN, iterations=1800, jitter=1 / 30, averaging=0.99),
    "jpeg": PriorFit(
        replace(_THEN, widths=(8, 16, 32, 64, 128), skips=(0, 0, 0, 4, 4)),
        iterations=2400,
        input_depth=3,
        jitter=1 / 30,
        averaging=0.99,
    ),
    "super-resolve-x4": PriorFit(_THEN, iterations=2000, jitter=0.03),
    "super-resolve-x8": PriorFit(_THEN, iterations=4000, jitter=0.05),
    "inpaint": PriorFit(_THEN, iterations=11000, learning_rate=0.001, jitter=0.03),
    "inpaint-98": PriorFit(
        replace(_THEN, widths=(16, 32, 64, 128, 128), skips=(0,) * 5, downsample="average"), iterations=1000, jitter=0.0
    ),
    "inpaint-text": PriorFit(replace(_THEN, skips=(128,) * 5, upsample="nearest"), iterations=6001, jitter=0.03),
    "inpaint-vase": PriorFit(
        replace(_THEN, skips=(0,) * 5, upsample="nearest"), iterations=5001, input="meshgrid", jitter=0.03
    ),
    "inpaint-library": PriorFit(
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


def published_settings(experiment: str) -> PriorFit:
    """Return the published settings of one experiment of the publication.

    Parameters
    ----------
    experiment : str
        "denoise", "jpeg", "super-resolve-x4", "super-resolve-x8", "inpaint"
        (half of the pixels missing), "inpaint-98" (98 % missing),
        "inpaint-text", "inpaint-vase" or "inpaint-library" (large holes).

    Examples
    --------
    >>> published_settings("inpaint").iterations
    11000
    """
    if experiment not in PUBLISHED:
        raise ValueError(f"experiment={experiment!r} is unknown; choose one of {', '.join(PUBLISHED)}.")
    return PUBLISHED[experiment]


Settings = PriorFit | MaskedFit | CrossScaleFit | GuidedFit


# what the experiments in docs/how-it-works.md decided
_FAST: Mapping[str, Settings] = {
    "denoise": GuidedFit(LeanSettings(widths=(32, 48, 64), depth=1), iterations=1200, batch=8, learning_rate=0.002),
    "inpaint": MaskedFit(iterations=3000, learning_rate=0.008),
    "super-resolve": CrossScaleFit(iterations=2000, batch=8, crop=48, learning_rate=0.006),
}
_BEST: Mapping[str, Settings] = {
    "denoise": GuidedFit(
        LeanSettings(widths=(48, 64, 96), depth=2),
        iterations=5000,
        batch=8,
        learning_rate=0.002,
        draws=24,
        patience=2000,
    ),
    "inpaint": MaskedFit(LeanSettings(widths=(64, 96), depth=2), iterations=16000, patience=4000),
    "super-resolve": CrossScaleFit(
        LeanSettings(widths=(64, 96)), iterations=2000, batch=8, crop=48, learning_rate=0.006, networks=3
    ),
}


def preset_settings(task_kind: str, preset: str, *, factor: float = 1) -> Settings:
    """Return the settings of a preset.

    Parameters
    ----------
    task_kind : {"denoise", "inpaint", "super-resolve"}
        A task's `kind`.
    preset : {"fast", "best", "paper"}
    factor : float
        Of super-resolution: the publication has other settings from 8 on.

    Raises
    ------
    ValueError
        If there is no such preset.

    Examples
    --------
    >>> preset_settings("super-resolve", "paper", factor=8).iterations
    4000
    """
    if preset not in PRESETS:
        raise ValueError(f"preset={preset!r} is unknown; choose one of {', '.join(PRESETS)}.")
    if preset == "paper":
        experiment = task_kind if task_kind != "super-resolve" else f"super-resolve-x{8 if factor >= 8 else 4}"
        return published_settings(experiment)
    return (_FAST if preset == "fast" else _BEST)[task_kind]


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """Return settings as a JSON-able dict, with the name of their class."""
    return {"method": type(settings).__name__, **json.loads(json.dumps(dataclasses.asdict(settings)))}


def settings_from_dict(values: Mapping[str, Any]) -> Settings:
    """Return the settings that `settings_to_dict` described.

    Raises
    ------
    ValueError
        If the method is unknown.
    """
    values = dict(values)
    method = values.pop("method", None)
    for kind in get_args(Settings):
        if kind.__name__ == method:
            network = kind.__dataclass_fields__["network"].default
            values["network"] = type(network)(**_with_tuples(values["network"]))
            made: Settings = kind(**_with_tuples(values))
            return made
    raise ValueError(
        f"method={method!r} is unknown; choose one of {', '.join(k.__name__ for k in get_args(Settings))}."
    )


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
