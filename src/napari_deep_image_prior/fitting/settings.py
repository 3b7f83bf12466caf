"""Settings shared by the methods: networks and the self-supervised fit."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from reprlib import repr as shown  # short: a value may come from a file
from typing import Literal, Self, get_args, get_origin, get_type_hints

WARM = 4
"""Factor by which a warm-started fit has fewer steps."""


LARGEST = {
    "widths": 4096,
    "skips": 4096,
    "input_depth": 4096,
    "down_kernel": 99,
    "up_kernel": 99,
    "depth": 100,
    "iterations": 10**8,
    "patience": 10**8,
    "runs": 1000,
    "networks": 100,
    "draws": 1000,
    "trial": 10**8,
    "batch": 256,
    "crop": 10**5,
    "region": 10**6,
    "back_projections": 10**4,
    "jitter": 1000,
    "weight_noise": 1000,
}
"""Upper limits of the fields: settings may come from a file, and more would exhaust the memory."""
MOST_ENTRIES = 16
"""Entries of a field that has several, such as one for each scale."""


MOST_SCALES = 12
"""Scales of a network: an image is padded to a multiple of 2 to that power."""
MOST_WEIGHTS = 2 * 10**8
"""Approximate number of weights of a network, which take 3 GB during a fit."""


def check_size(widths: tuple[int, ...], weights: int) -> None:
    """Raise ValueError if a network has too many scales or weights for any computer."""
    if len(widths) > MOST_SCALES:
        raise ValueError(f"widths={widths} has too many scales: use {MOST_SCALES} at most.")
    if weights > MOST_WEIGHTS:
        raise ValueError(
            f"a network with widths={widths} has about {weights:.1g} weights: "
            f"use {MOST_WEIGHTS:.0g} at most."
        )


def check_fields(settings: object) -> None:
    """Raise TypeError or ValueError if a field does not match its annotation, or is too large."""
    for name, kind in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if get_origin(kind) is Literal:
            if not isinstance(value, str) or value not in get_args(kind):
                choices = ", ".join(map(str, get_args(kind)))
                raise ValueError(f"{name}={shown(value)} is unknown; choose one of {choices}.")
        elif get_origin(kind) is tuple:
            if not isinstance(value, tuple) or len(value) > MOST_ENTRIES:
                raise TypeError(f"{name}={shown(value)} must be a tuple of {MOST_ENTRIES} at most.")
            for entry in value:
                _check_number(name, entry, get_args(kind)[0])
        elif isinstance(kind, type) and dataclasses.is_dataclass(kind):
            if not isinstance(value, kind):
                raise TypeError(f"{name} must be {kind.__name__}, not {type(value).__name__}.")
        else:
            _check_number(name, value, kind)


def _check_number(name: str, value: object, kind: type) -> None:
    """Raise TypeError where a value is no number of that kind, ValueError where it is too large."""
    is_number = isinstance(value, int | float) and (kind is bool) == isinstance(value, bool)
    if kind is bool and not is_number:
        raise TypeError(f"{name}={shown(value)} must be True or False.")
    if kind is int and (not is_number or not isinstance(value, int)):
        raise TypeError(f"{name}={shown(value)} must be a whole number.")
    if kind is float and (not is_number or not abs(value) <= sys.float_info.max):  # type: ignore[arg-type]
        raise TypeError(f"{name}={shown(value)} must be a finite number.")
    if name in LARGEST and value > LARGEST[name]:  # type: ignore[operator]
        raise ValueError(f"{name}={shown(value)} is too large: use {LARGEST[name]} at most.")


def check_positive(settings: object, *names: str) -> None:
    """Raise ValueError if a field is not positive."""
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name}={getattr(settings, name)!r} must be above 0.")


@dataclass(frozen=True)
class HourglassNetwork:
    """Architecture of the untrained network; the defaults are the published values."""

    widths: tuple[int, ...] = (128,) * 5
    """Channels of each scale, from the finest to the coarsest."""
    skips: tuple[int, ...] = (4,) * 5
    """Channels of the skip connection of each scale; 0 leaves it out."""
    downsample: Literal["stride", "average"] = "stride"
    """Downsampling by a strided convolution, or by average pooling after a convolution."""
    upsample: Literal["bilinear", "nearest"] = "bilinear"
    """Interpolation of the upsampling."""
    down_kernel: int = 3
    """Kernel size of the encoder, in pixels, odd."""
    up_kernel: int = 3
    """Kernel size of the decoder, in pixels, odd."""
    architecture: Literal["hourglass", "u-net"] = "hourglass"
    """The published hourglass, or a U-Net of the same widths (with wide skip connections,
    max-pooling and 3x3 convolutions)."""
    up_1x1: bool = True
    """Whether a 1x1 convolution follows each convolution of the decoder."""
    norm: Literal["batch", "none"] = "batch"
    """Batch normalization (with one image: instance normalization) or none."""
    padding: Literal["reflect", "zeros"] = "reflect"
    """Padding of the convolutions."""
    head: Literal["sigmoid", "linear"] = "sigmoid"
    """Output activation; a sigmoid limits the result to the range of the input."""
    align_corners: bool = False
    """Bilinear upsampling with aligned corners, as in the torch of 2017 (True), or as today."""
    norm_gain: Literal["ones", "uniform"] = "ones"
    """Initial gain of the normalization: 1 as today, or U(0, 1) as in the torch of 2017."""

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
        if not all(size > 0 and size % 2 for size in (self.down_kernel, self.up_kernel)):
            raise ValueError("down_kernel and up_kernel must be odd and positive.")
        area = self.down_kernel**2 + self.up_kernel**2
        pairs = zip(self.widths, self.widths[1:] + self.widths[-1:], self.skips, strict=True)
        check_size(self.widths, area * sum(a * (a + b + skip) for a, b, skip in pairs))


@dataclass(frozen=True)
class Settings:
    """Base class of all settings: plain values that compare, print, and convert to JSON."""

    @property
    def may_end_early(self) -> bool:
        """Whether the fit may end before its last iteration (early stopping)."""
        return True

    @property
    def can_run_on(self) -> bool:
        """Whether the fit can be continued after its end."""
        return True

    def for_pixels(self, pixels: int) -> Self:  # noqa: ARG002  (the same for every image)
        """Return the settings of a preset for a result of that many pixels."""
        return self

    def warm_started(self) -> Self | None:
        """Return the settings of a warm-started fit; None if the method has none."""
        return None


@dataclass(frozen=True)
class CompactNetwork:
    """Architecture of the compact network of the self-supervised fits."""

    widths: tuple[int, ...] = (64,)
    """Channels of each scale, at least 2; the finest works on 2x2 pixels folded into channels."""
    depth: int = 2
    """Further convolutions at the finest scale."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.widths or min(self.widths) < 2 or self.depth < 0:
            raise ValueError(
                f"widths={self.widths} must be 2 or more each, and depth={self.depth} 0 or more."
            )
        pairs = zip(self.widths, self.widths[1:], strict=False)
        deeper = sum(b * (2 * a + b) for a, b in pairs)
        check_size(self.widths, 9 * (self.depth * self.widths[0] ** 2 + deeper))


@dataclass(frozen=True)
class SelfSupervisedFit(Settings):
    """A self-supervised fit: a compact network, fitted on random crops of the one image.

    The learning rate rises in the first steps, stays constant until the held-out error stops
    improving (or the iterations run out), and then falls to 0.
    """

    network: CompactNetwork = CompactNetwork()
    """Architecture of the network."""
    iterations: int = 2500
    """Largest number of steps, including the cool-down."""
    patience: int = 500
    """Steps without improvement of the held-out error after which the cool-down starts."""
    cool_down: float = 0.5
    """Fraction of `iterations` in which the learning rate falls to 0, from 0 to 1."""
    learning_rate: float = 0.004
    """Largest learning rate of Adam."""
    crop: int = 64
    """Edge of the crops in pixels, at least 8."""
    batch: int = 4
    """Crops in each step."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive(self, "iterations", "patience", "learning_rate", "batch")
        if self.crop < 8 or not 0 <= self.cool_down <= 1:
            raise ValueError(
                f"crop={self.crop} must be at least 8, and cool_down={self.cool_down} from 0 to 1."
            )
