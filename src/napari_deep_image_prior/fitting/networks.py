"""The untrained networks: the published hourglass, a U-Net, and a compact network.

Ulyanov, Vedaldi, Lempitsky, "Deep Image Prior", CVPR 2018, arXiv:1711.10925.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .settings import CompactNetwork, HourglassNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

_Factor = int | tuple[int, int, int]
"""A factor along all axes, or along Z, Y and X."""

FOLD = 2
"""Edge of the square of pixels that a compact network folds into channels."""


@dataclass(frozen=True)
class _Layers:
    """The layers for images or for volumes."""

    convolution: Callable[..., nn.Module]
    norm: Callable[..., nn.Module]
    average: Callable[..., nn.Module]
    maximum: Callable[..., nn.Module]
    linear: str
    """Mode of linear interpolation."""
    halved: int | None = None
    """Scales that halve Z too; None for images."""

    def upsample(self, settings: HourglassNetwork) -> str:
        """Return the mode of the upsampling."""
        return self.linear if settings.upsample == "bilinear" else settings.upsample

    def factor(self, level: int) -> _Factor:
        """Return the factor between a scale and the next coarser one."""
        return 2 if self.halved is None else (2 if level < self.halved else 1, 2, 2)


PLANE = _Layers(nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d, nn.MaxPool2d, "bilinear")
VOLUME = _Layers(nn.Conv3d, nn.BatchNorm3d, nn.AvgPool3d, nn.MaxPool3d, "trilinear", 0)
CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)


class HourglassModule(nn.Module):
    """An encoder-decoder with an optional narrow skip connection at each scale.

    Parameters
    ----------
    settings : HourglassNetwork
    in_channels, out_channels : int
        Channels of the input tensor and of the image.
    halved : int, optional
        Scales that halve Z, of a network for volumes; None: for images.

    Notes
    -----
    Input and output are (N, C, Y, X) or (N, C, Z, Y, X). Y and X must be multiples of `stride`, and
    Z of 2 to the power of `halved`.
    """

    def __init__(
        self,
        settings: HourglassNetwork,
        in_channels: int,
        out_channels: int,
        halved: int | None = None,
    ) -> None:
        super().__init__()
        self.stride = 2 ** len(settings.widths)
        layers = PLANE if halved is None else replace(VOLUME, halved=halved)
        scale = _Scale if settings.architecture == "hourglass" else _UScale
        self.body = scale(settings, layers, in_channels, level=0)
        self.head = layers.convolution(settings.widths[0], out_channels, 1)
        self.sigmoid = settings.head == "sigmoid"
        self.uniform_gain = settings.norm_gain == "uniform"

    def draw_weights(self, generator: torch.Generator) -> None:
        """Draw the weights with torch's default initialization."""
        for module in self.modules():
            if isinstance(module, CONVOLUTIONS):
                nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
                bound = 1 / math.sqrt(module.weight[0].numel())
                nn.init.uniform_(_bias(module), -bound, bound, generator=generator)
            elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                module.reset_parameters()
                if self.uniform_gain:
                    nn.init.uniform_(module.weight, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return the image for an input, (N, out_channels, Y, X)."""
        image: Tensor = self.head(self.body(x))
        return torch.sigmoid(image) if self.sigmoid else image


class _Scale(nn.Module):
    """One scale: down, the next scale (recursively), up, and a parallel skip connection."""

    def __init__(
        self, settings: HourglassNetwork, layers: _Layers, in_channels: int, level: int
    ) -> None:
        super().__init__()
        width, skip = settings.widths[level], settings.skips[level]
        is_deepest = level + 1 == len(settings.widths)
        deeper_width = width if is_deepest else settings.widths[level + 1]
        self.upsample = layers.upsample(settings)
        self.align_corners = settings.align_corners
        self.factor = layers.factor(level)
        self.skip = _block(settings, layers, in_channels, skip, 1) if skip else None
        self.down = nn.Sequential(
            *_downsampling(settings, layers, in_channels, width, layers.factor(level)),
            _block(settings, layers, width, width, settings.down_kernel),
        )
        self.deeper = nn.Identity() if is_deepest else _Scale(settings, layers, width, level + 1)
        self.up = nn.Sequential(
            _norm(settings, layers, deeper_width + skip),
            _block(settings, layers, deeper_width + skip, width, settings.up_kernel),
            _block(settings, layers, width, width, 1) if settings.up_1x1 else nn.Identity(),
        )

    def forward(self, x: Tensor) -> Tensor:
        deeper = self.deeper(self.down(x))  # half as large
        if self.upsample != "nearest":
            up = functional.interpolate(
                deeper,
                scale_factor=self.factor,
                mode=self.upsample,
                align_corners=self.align_corners,
            )
        else:
            up = functional.interpolate(deeper, scale_factor=self.factor, mode="nearest")
        joined = up if self.skip is None else torch.cat([self.skip(x), up], dim=1)
        image: Tensor = self.up(joined)  # (N, width, Y, X)
        return image


class _UScale(nn.Module):
    """One scale of a U-Net: two convolutions, max-pooling to the next scale, two convolutions."""

    def __init__(
        self, settings: HourglassNetwork, layers: _Layers, in_channels: int, level: int
    ) -> None:
        super().__init__()
        width = settings.widths[level]
        is_deepest = level + 1 == len(settings.widths)
        self.upsample = layers.upsample(settings)
        self.factor = layers.factor(level)
        self.pool = layers.maximum(self.factor)
        self.enter = nn.Sequential(
            _block(settings, layers, in_channels, width, 3),
            _block(settings, layers, width, width, 3),
        )
        self.deeper = None if is_deepest else _UScale(settings, layers, width, level + 1)
        joined = width if is_deepest else width + settings.widths[level + 1]
        self.leave = nn.Sequential(
            _block(settings, layers, joined, width, 3), _block(settings, layers, width, width, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        joined = self.enter(x)  # (N, width, Y, X)
        if self.deeper is not None:
            below = self.deeper(self.pool(joined))
            below = functional.interpolate(below, scale_factor=self.factor, mode=self.upsample)
            joined = torch.cat([joined, below], dim=1)
        image: Tensor = self.leave(joined)
        return image


def _downsampling(
    settings: HourglassNetwork, layers: _Layers, in_channels: int, width: int, factor: _Factor
) -> list[nn.Module]:
    strided = settings.downsample == "stride"
    convolution = _convolution(
        settings, layers, in_channels, width, settings.down_kernel, stride=factor if strided else 1
    )
    pooling = [] if strided else [layers.average(factor)]
    return [convolution, *pooling, _norm(settings, layers, width), nn.LeakyReLU(0.2, inplace=True)]


def _block(
    settings: HourglassNetwork, layers: _Layers, in_channels: int, width: int, kernel: int
) -> nn.Sequential:
    return nn.Sequential(
        _convolution(settings, layers, in_channels, width, kernel),
        _norm(settings, layers, width),
        nn.LeakyReLU(0.2, inplace=True),
    )


def _convolution(
    settings: HourglassNetwork,
    layers: _Layers,
    in_channels: int,
    width: int,
    kernel: int,
    stride: _Factor = 1,
) -> nn.Module:
    return layers.convolution(
        in_channels,
        width,
        kernel,
        stride,
        padding=kernel // 2,
        padding_mode=settings.padding if kernel > 1 else "zeros",
    )


def _norm(settings: HourglassNetwork, layers: _Layers, width: int) -> nn.Module:
    # running statistics would never be used: the network stays in training mode
    return (
        layers.norm(width, track_running_stats=False) if settings.norm == "batch" else nn.Identity()
    )


class CompactModule(nn.Module):
    """A small hourglass that corrects a first estimate, fast on a CPU.

    It works on 2x2 pixels folded into channels (a quarter of the cost), has no normalization (a
    third of the time of small networks), pads with zeros, and outputs 0 before the fit.

    Parameters
    ----------
    settings : CompactNetwork
    in_channels, out_channels : int
        Channels of the input tensor and of the image.

    Notes
    -----
    Input and output are (N, C, Y, X) of any size.
    """

    def __init__(self, settings: CompactNetwork, in_channels: int, out_channels: int) -> None:
        super().__init__()
        widths = settings.widths
        self.stride = FOLD * 2 ** (len(widths) - 1)
        self.first = nn.Sequential(
            _compact_block(in_channels * FOLD**2, widths[0]),
            *(_compact_block(widths[0], widths[0]) for _ in range(settings.depth)),
        )
        steps = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(
            nn.Sequential(_compact_block(a, b, stride=2), _compact_block(b, b)) for a, b in steps
        )
        self.skip = nn.ModuleList(_compact_block(a, a // 2, kernel=1) for a, _ in steps)
        self.up = nn.ModuleList(_compact_block(b + a // 2, a) for a, b in steps)
        self.last = nn.Conv2d(widths[0], out_channels * FOLD**2, 3, padding=1)

    def draw_weights(self, generator: torch.Generator) -> None:
        """Draw the weights with He initialization; the last layer and all biases are 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.2, generator=generator)
                nn.init.zeros_(_bias(module))
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return the correction for an input, (N, out_channels, Y, X)."""
        height, width = x.shape[-2:]
        x = functional.pad(x, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")
        x = functional.pixel_unshuffle(x, FOLD).contiguous(memory_format=torch.channels_last)
        x = self.first(x)  # (N, widths[0], Y / 2, X / 2)
        passed = []
        for down in self.down:
            passed.append(x)
            x = down(x)
        for level in reversed(range(len(passed))):
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = self.up[level](torch.cat([x, self.skip[level](passed[level])], dim=1))
        return functional.pixel_shuffle(self.last(x), FOLD)[..., :height, :width]


def _compact_block(in_channels: int, width: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, width, kernel, stride, padding=kernel // 2),
        nn.LeakyReLU(0.2, inplace=True),
    )


def _bias(convolution: nn.Module) -> Tensor:
    bias: Tensor = convolution.bias  # type: ignore[assignment]  # all of ours have one
    return bias


def empty_network(
    settings: HourglassNetwork | CompactNetwork,
    in_channels: int,
    out_channels: int,
    halved: int | None = None,
) -> CompactModule | HourglassModule:
    """Return a network on the device `meta`: its weights have shapes, but no values."""
    with torch.device("meta"):
        return (
            CompactModule(settings, in_channels, out_channels)
            if isinstance(settings, CompactNetwork)
            else HourglassModule(settings, in_channels, out_channels, halved)
        )


def build_network(
    settings: HourglassNetwork | CompactNetwork,
    in_channels: int,
    out_channels: int,
    seed: int,
    device: torch.device | None = None,
    halved: int | None = None,
) -> nn.Module:
    """Return a network with random weights drawn from `seed`; torch's random state is unchanged.

    halved: as of `HourglassModule`; compact networks have none for volumes.
    """
    # torch's own initialization would draw from the caller's random numbers
    network = empty_network(settings, in_channels, out_channels, halved).to_empty(device="cpu")
    # drawn on the CPU, so that a seed gives the same weights on every device
    network.draw_weights(torch.Generator().manual_seed(seed))
    if halved is not None:
        return network.to(device)
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[no-any-return,call-overload]  # torch's stub lacks it


def padded_shape(shape: tuple[int, ...], settings: HourglassNetwork) -> tuple[int, ...]:
    """Return the smallest shape that contains `shape` and is divisible by the network's stride.

    The coarsest scale is large enough for reflection padding.
    """
    strides = [2 ** len(settings.widths)] * 2
    if len(shape) == 3:
        strides.insert(0, 2 ** (scales_along_z(shape, settings) or 0))
    coarsest = _coarsest(settings)
    return tuple(
        stride * max(math.ceil(size / stride), coarsest)
        for size, stride in zip(shape, strides, strict=True)
    )


def scales_along_z(shape: tuple[int, ...], settings: HourglassNetwork) -> int | None:
    """Return how many scales of a network halve Z, as many as the depth permits.

    None for a (Y, X) shape.
    """
    if len(shape) == 2:
        return None
    halvings = math.floor(math.log2(max(1.0, shape[0] / _coarsest(settings))))
    return min(halvings, len(settings.widths))


def _coarsest(settings: HourglassNetwork) -> int:
    """Return the smallest size of the coarsest scale."""
    return max(2, settings.down_kernel // 2 + 1, settings.up_kernel // 2 + 1)


def noise_input(depth: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw the fixed random input z ~ U(0, 0.1), (1, depth, *shape)."""
    return 0.1 * torch.rand((1, depth, *shape), generator=generator)


def meshgrid_input(shape: tuple[int, ...]) -> Tensor:
    """Return the coordinates as an input, (1, one for each axis, *shape), each from 0 to 1."""
    axes = [torch.linspace(0, 1, size) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


OVERHEAD = 1.3
"""Memory of a forward pass relative to the outputs of all layers; measured."""


def activation_bytes(network: nn.Module, shape: tuple[int, ...]) -> float:
    """Predict the memory in bytes of a forward pass on an (N, C, Y, X) input.

    Moves the network to the device `meta`.
    """
    network = network.to("meta")
    outputs = 0

    def count(_module: nn.Module, _inputs: Any, output: Tensor) -> None:  # noqa: ANN401  (torch's hook)
        nonlocal outputs
        outputs += output.numel()

    for module in network.modules():
        if not any(module.children()):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.empty(shape, device="meta"))  # shapes only: nothing is computed
    return OVERHEAD * outputs * 4
