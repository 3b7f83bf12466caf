"""The noise found in an image: stripes, and a noise model of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...arrays import montage
from ...generators import mapped, part
from ...noise.estimation import estimate_noise
from ...noise.stripes import find_stripes

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ...noise.model import NoiseModel


@dataclass(frozen=True)
class FoundNoise:
    """The noise of an image."""

    unstriped: NDArray[np.float64]
    """(C, Z, Y, X) image without its stripes."""
    models: list[NoiseModel]
    """Noise of each channel of that image."""
    summary: str
    """In one line."""


def find_noise(
    image: NDArray[np.float64],
    known: NDArray[np.bool_],
    kind: str,
    std: float | None,
    *,
    stripes: bool = True,
) -> Generator[float, None, FoundNoise]:
    """Find the noise of a (C, Z, Y, X) image.

    stripes: remove them, if the kind of noise is not given.

    Yields
    ------
    float
        The fraction done, before each plane.
    """
    unstriped, models, removed = image.copy(), [], []
    for number, channel in enumerate(unstriped):
        yield number / len(image)
        if stripes and kind == "auto":
            of_channel = part(number / len(image), (number + 1) / len(image))
            removed.append((yield from mapped(_remove_stripes(channel), of_channel)))
        seen, valid = (montage(each[number : number + 1])[0] for each in (unstriped, known))
        models.append(estimate_noise(seen, kind, std, valid))
    summary = _of_channels([model.describe() for model in models])
    return FoundNoise(unstriped, models, "; ".join(filter(None, [summary, _of_channels(removed)])))


def _remove_stripes(channel: NDArray[np.float64]) -> Generator[float, None, str]:
    """Remove the stripes of (Z, Y, X) planes in place, and return what was removed, as text."""
    texts = []
    for number, plane in enumerate(channel):
        yield number / len(channel)
        found = find_stripes(plane)
        plane[:] = found.removed_from(plane)
        texts.append(found.describe())
    striped = [text for text in texts if text]
    if len(channel) > 1 and striped:
        return f"{striped[0]} in the first of {len(striped)} planes with such offsets"
    return "".join(striped)


def _of_channels(each: Sequence[str]) -> str:
    """Join the texts of the channels that have one; one text if it is the same in all channels."""
    if len(set(each)) <= 1:
        return "".join(each[:1])
    return "; ".join(f"channel {number}: {text}" for number, text in enumerate(each) if text)
