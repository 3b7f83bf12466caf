"""The estimated noise of a result, with the names of its channels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..viewer.messages import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari.layers import Image

COLORS = ("red", "green", "blue")
NAMES = ("channel_names", "channels", "Labels")
"""Names under which readers keep the channel names in a layer's metadata."""


def channel_names(layer: Image) -> Sequence[str]:
    """Return the names of the channels of a layer; empty if unknown."""
    if layer.rgb:
        return COLORS
    for key in NAMES:
        names = layer.metadata.get(key)
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
            return [" ".join(name.split()) for name in names]
    return ()


def noise_text(provenance: Mapping[str, Any], layer: Image) -> str:
    """Return a line on the noise of each channel; empty where each plane has its own."""
    if "stack" not in provenance:
        lines = provenance["found"].split("; ")
    elif provenance["stack"]["called"] == "channel":
        axis = provenance["stack"]["channel_axis"]
        planes = [plane for plane in provenance["planes"] if plane["found"]]
        lines = [f"channel {plane['index'][axis]}: {plane['found']}" for plane in planes]
    else:
        return ""
    names = channel_names(layer)
    return _unbroken("\n".join(_named(line, names) for line in lines))


def fit_text(note: str, layer: Image) -> str:
    """Return the state of a fit without the noise of each channel, and with a channel's name."""
    state = re.sub(r"channel \d+: [^;]*(; |$)", "", note).removesuffix(": ")
    return _unbroken(with_channel_name(sentence(state), layer))


def with_channel_name(text: str, layer: Image) -> str:
    """Return text on a channel of a stack, as "channel 1 (2 of 3)", with the channel's name."""
    names = channel_names(layer)

    def name(match: re.Match[str]) -> str:
        return names[int(match[1])] if int(match[1]) < len(names) else match[0]

    return re.sub(r"[cC]hannel (\d+)(?= \(\d+ of \d+)", name, text)


def _unbroken(text: str) -> str:
    """Return text whose formula is not broken between its sign and its number."""
    return re.sub(r"\(intensity ([+-]) ", "(intensity\u00a0\\1\u00a0", text)


def _named(line: str, names: Sequence[str]) -> str:
    """Return a line about a channel with its name in place of its number."""
    number, separator, noise = line.removeprefix("channel ").partition(": ")
    known = line.startswith("channel ") and number.isdigit() and int(number) < len(names)
    if line.startswith("channel "):
        return f"{names[int(number)]}{separator}{noise}" if known else line
    return sentence(line)
