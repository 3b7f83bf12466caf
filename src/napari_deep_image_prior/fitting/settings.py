"""What the settings of all methods have in common: the networks and the self-supervised fit."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, Self, get_args, get_origin, get_type_hints

WARM = 4
"""A fit that starts from the network of a similar image takes this part of the steps of another."""


def check_fields(settings: object) -> None:
    """Raise TypeError or ValueError where a field is not of its annotated kind."""
    for name, kind in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        if choices and value not in choices:
            raise ValueError(
                f"{name}={value!r} is unknown; choose one of {', '.join(map(str, choices))}."
            )
        if (
            isinstance(kind, type)
            and dataclasses.is_dataclass(kind)
            and not isinstance(value, kind)
        ):
            raise TypeError(f"{name} must be {kind.__name__}, not {type(value).__name__}.")
        if kind is int and (isinstance(value, bool) or not isinstance(value, int)):
            raise TypeError(f"{name}={value!r} must be a whole number.")
        if kind is float and (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise TypeError(f"{name}={value!r} must be a finite number.")


def check_positive(settings: object, *names: str) -> None:
    """Raise ValueError where a field is not above 0."""
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name}={getattr(settings, name)!r} must be above 0.")


@dataclass(frozen=True)
class HourglassNetwork:
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
    """Batch normalization (with one image: instance normalization) or none."""
    padding: Literal["reflect", "zeros"] = "reflect"
    """What convolutions see outside the image."""
    head: Literal["sigmoid", "linear"] = "sigmoid"
    """A sigmoid keeps the result in the range of the input."""
    align_corners: bool = False
    """Bilinear upsampling as it was in the torch of 2017 (True) or today's."""
    norm_gain: Literal["ones", "uniform"] = "ones"
    """Start of the normalization's gain: 1 as today, or U(0, 1) as in the torch of 2017."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.widths or len(self.widths) != len(self.skips):
            raise ValueError(
                f"widths={self.widths} and skips={self.skips} need one number for each scale."
            )
        if min(self.widths) < 1 or min(self.skips) < 0:
            raise ValueError(
                f"widths={self.widths} must be at least 1 and skips={self.skips} at least 0."
            )
        if self.down_kernel % 2 == 0 or self.up_kernel % 2 == 0:
            raise ValueError("down_kernel and up_kernel must be odd.")


@dataclass(frozen=True)
class Settings:
    """How a fit is done: plain values that compare, print, and go to JSON and back.

    The base class of all settings; what it says of a fit holds unless a subclass says otherwise.
    """

    @property
    def may_end_early(self) -> bool:
        """Whether the fit ends before its last iteration when it gains nothing more."""
        return True

    @property
    def can_run_on(self) -> bool:
        """Whether the fit can be continued after its end."""
        return True

    def warm_started(self) -> Self | None:
        """Return the settings of a fit that starts from the network of a similar image; None: it cannot."""
        return None


@dataclass(frozen=True)
class CompactNetwork:
    """The shape of the small network of the quick fits."""

    widths: tuple[int, ...] = (64,)
    """Channels of each scale; the finest works on 2x2 pixels folded into channels."""
    depth: int = 2
    """Further convolutions at the finest scale."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.widths or min(self.widths) < 2 or self.depth < 0:
            raise ValueError(
                f"widths={self.widths} must be at least 2 each and depth={self.depth} not negative."
            )


@dataclass(frozen=True)
class SelfSupervisedFit(Settings):
    """What the quick fits share: a lean network, fitted on random crops of the one image.

    The learning rate rises in the first steps, stays until the held-out error has
    stopped falling (or the iterations run out), and then falls to 0.
    """

    network: CompactNetwork = CompactNetwork()
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
        check_fields(self)
        check_positive(self, "iterations", "patience", "learning_rate", "batch")
        if self.crop < 8 or not 0 <= self.cool_down <= 1:
            raise ValueError(
                f"crop={self.crop} must be at least 8 and cool_down={self.cool_down} lie in 0..1."
            )
