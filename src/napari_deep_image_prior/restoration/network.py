"""A fitted network as a file: safetensors, with a description as JSON, and no code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from ..methods.denoising.settings import DenoisingFit, neighbors_of
from ..methods.registry import method_for, settings_from_dict
from .record import checked_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from ..methods.task import Task

KEY = "deep_image_prior"
"""Key of the description among the metadata of the file."""
LARGEST = 2**28
"""Largest file that is read, in bytes."""
LARGEST_HEADER = 2**24
"""Largest part of it that describes the network and lists its weights, in bytes."""


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A network fitted to representative images, to correct the first estimate of others."""

    settings: DenoisingFit
    """The settings of the fit."""
    channels: int
    """Channels of the images."""
    neighbors: int
    """Planes on each side of a plane that the network sees; 0 for planes."""
    adds_nothing: bool
    """Whether the fit ended because the network adds nothing to the first estimates."""
    stop_reason: str
    """Why the fit ended."""
    learned_from: list[dict[str, str]]
    """Of each image: its fingerprint and its noise."""
    sha256: str
    """Hash of the file's content."""
    weights: dict[str, Tensor] = field(repr=False)
    content: bytes = field(repr=False)
    """The content of the file."""

    @classmethod
    def from_content(cls, content: bytes) -> Self:
        """Return the network of a file.

        Raises
        ------
        ValueError
            If it is not such a file, or damaged.
        """
        described, weights = _read(content)
        settings = settings_from_dict(described["settings"])
        if described["kind"] != "denoise" or not isinstance(settings, DenoisingFit):
            raise ValueError(f"it is for the task {described['kind']!r}: only denoise is known.")
        channels, neighbors = described["channels"], described["neighbors"]
        _check_weights(weights, settings, channels, neighbors)
        return cls(
            settings,
            channels,
            neighbors,
            described["adds_nothing"],
            described["stop_reason"],
            described["learned_from"],
            hashlib.sha256(content).hexdigest(),
            weights,
            content,
        )

    def check(self, task: Task) -> None:
        """Raise ValueError if the network cannot be applied to a task."""
        check_learnable(task, self.settings)
        if (task.channels, neighbors_of(task.spatial_shape)) != (self.channels, self.neighbors):
            own = _kind(self.channels, self.neighbors)
            given = _kind(task.channels, neighbors_of(task.spatial_shape))
            raise ValueError(
                f"the network was fitted to {own}, but this is {given}: fit another one."
            )


def check_learnable(task: Task, settings: object) -> None:
    """Raise ValueError if no network can be fitted with such a task to be applied to others."""
    if method_for(task).kind != "denoise" or not isinstance(settings, DenoisingFit):
        raise ValueError(
            f"a network fitted to some images restores others only for Denoise with preset fast or "
            f"best, not for {type(task).__name__} with {type(settings).__name__}: use restore."
        )


def content_of(weights: Mapping[str, Tensor], described: Mapping[str, Any]) -> bytes:
    """Return the content of the file of a network."""
    import safetensors.torch

    tensors = {name: weight.cpu().contiguous() for name, weight in weights.items()}
    content: bytes = safetensors.torch.save(tensors, {KEY: json.dumps(described)})
    return content


def _read(content: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the checked description and the weights, as they are in the file."""
    import safetensors.torch

    # a header of 100 MB may list a million empty weights, which take a minute
    if int.from_bytes(content[:8], "little") > LARGEST_HEADER:
        raise ValueError("it is not a safetensors file, or its header is too large.")
    try:
        weights: dict[str, Tensor] = safetensors.torch.load(content)
    except Exception as error:  # of the format, or of an unknown dtype
        raise ValueError("it is not a safetensors file, or it is damaged.") from error
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    try:
        described = json.loads(header.get("__metadata__", {}).get(KEY, "null"))
    except (ValueError, RecursionError) as error:
        raise ValueError("its description cannot be read.") from error
    return checked_network(described), weights


def _check_weights(
    weights: Mapping[str, Tensor], settings: DenoisingFit, channels: int, neighbors: int
) -> None:
    """Raise ValueError if the weights are not those of the network that is described."""
    import torch

    from ..fitting.networks import empty_network

    inputs = 2 * channels * (2 * neighbors + 1)
    expected = empty_network(settings.network, inputs, channels).state_dict()
    if weights.keys() != expected.keys():
        raise ValueError("its weights are not those of the network that it describes.")
    for name, weight in weights.items():
        if weight.shape != expected[name].shape or weight.dtype != torch.float32:
            raise ValueError(
                f"its weights {name} are {weight.dtype} of shape {tuple(weight.shape)}, "
                f"not torch.float32 of shape {tuple(expected[name].shape)}."
            )
        if not weight.isfinite().all():
            raise ValueError(f"its weights {name} are not finite.")


def _kind(channels: int, neighbors: int) -> str:
    """Return the kind of the images as text."""
    return f"{'volumes' if neighbors else 'planes'} with {channels} channel(s)"
