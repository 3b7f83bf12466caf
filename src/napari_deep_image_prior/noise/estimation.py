"""What noise an image has: its level, whether it grows with brightness, is shared by neighbors or was clipped.

Measured on the flattest blocks of the image itself. Photon noise is stabilized: a
square root (generalized Anscombe), and a stretch that evens out the rest, make its
level the same everywhere; their inverse brings the restored image back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.restoration import estimate_sigma

from .clipped import MOST_HIDDEN, Clipping, find_clipping
from .correlated import BLOCK, NoiseCorrelation, correlation_of, plane_basis, residual_statistics
from .model import NoiseModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST_TENTH = 0.77
"""The 10 % quantile of a chi-squared variable of 61 degrees of freedom, over 61: a block minus its plane."""
BINS = 16
"""Brightness classes of the blocks."""
SMOOTH = 0.56
"""Residuals whose neighbors are this alike along both axes are shapes, not noise."""
MIN_BLOCKS = 4 * BINS
"""Blocks that statistics need at least."""
PHOTON_BLOCKS = 40 * BINS
"""Blocks needed to tell photon noise from texture; about an image of 104x104."""
COMPONENT_BLOCKS = 4 * BLOCK**2
"""Blocks needed for principal components: of fewer, the smallest are too small."""
GROWS = 1.5
"""Noise that grows by this factor from dark to bright counts as photon noise."""
GROWS_EVENLY = 1.2
"""The same for noise that follows its line closely: texture, which can look like growing noise, scatters more."""
CLOSELY = 0.05
"""Median distance of the brightness classes from that line, as a share of it."""
LOUDER = 1.2
"""Noise that neighbors share is so much louder than what white noise of the finest detail would be, at least."""
EVENLY = 0.16
"""Median distance of the brightness classes' variances from their median, as a share of it, where noise is Gaussian."""
SPREAD = 0.085
"""How much more than noise the variances of an image's blocks may scatter (10 % quantile over 30 % quantile)."""
WHOLE = 2
"""Standard deviations from an end of the range beyond which noise is hardly clipped any more."""


def estimate_noise(
    image: NDArray[np.float64],
    kind: str = "auto",
    std: float | None = None,
    known: NDArray[np.bool_] | None = None,
) -> NoiseModel:
    """Measure the noise of one (Y, X) channel.

    Parameters
    ----------
    image : (Y, X) float array, without NaNs
    kind : {"auto", "gaussian", "correlated", "poisson", "poisson-gaussian"}
        "gaussian" is white; "correlated" is Gaussian too, but shared by neighboring pixels.
        "poisson" is variance = a * intensity, so the image's dark level must be 0.
        "auto" takes images under about 104x104 pixels as "gaussian": texture and other noise look alike there.
    std : float, optional
        Known standard deviation, in the image's units.
    known : (Y, X) bool array, optional
        False where `image` was filled in and has no noise of its own.
    """
    # numbers below this are rounding, and dividing by them would blow up
    least = 1e-3 * float(np.ptp(np.percentile(image, [1, 99]))) or 1e-6 * max(
        1.0, float(np.abs(image).max())
    )
    blocks = _noisy_blocks(image, known)
    observed = image if known is None or not known.any() else image[known]
    if std is not None:
        if kind == "correlated" and len(blocks) >= MIN_BLOCKS:
            return NoiseModel(max(std, least), blur=_flat_blocks(blocks).blur)
        return NoiseModel(max(std, least), clipping=find_clipping(observed, max(std, least)))
    if len(blocks) < MIN_BLOCKS:
        sigma = (
            _finite(estimate_sigma(image)) if min(image.shape) > 3 and np.ptp(image) > 0 else 0.0
        )
        return NoiseModel(max(sigma, least))
    if kind in ("auto", "poisson", "poisson-gaussian"):
        model = _found_photons(image, blocks, kind, least)
        if model is not None:
            return model
    white = max(_white_std(image, blocks), least)
    clipping = find_clipping(observed, white)
    if clipping is not None:
        whole = _away_from_ends(blocks, clipping)
        if len(whole) >= MIN_BLOCKS:  # of a few, it could be their texture
            white = min(max(_white_std(image, whole), least), MOST_HIDDEN * white)
        clipping = replace(clipping, std=white)
    if kind == "correlated" or (kind == "auto" and len(blocks) >= PHOTON_BLOCKS):
        flat = _flat_blocks(blocks)
        shared = math.sqrt(
            float(np.median(flat.tenths)) / residual_statistics(flat.blur).quantile(0.1)
        )
        if kind == "correlated" or (
            shared > LOUDER * white and flat.blur and _is_stationary(blocks, flat)
        ):
            return NoiseModel(max(shared, least), blur=flat.blur)
    return NoiseModel(white, clipping=clipping)


def channel_noise_correlation(channels: NDArray[np.float64]) -> float:
    """Return the largest correlation between the noise of two of the (C, Y, X) channels, 0 to 1.

    Seen in the flattest blocks, where structure in common counts as noise too; 1 where there are too few blocks to
    tell, 0 of a single channel.
    """
    if len(channels) == 1:
        return 0.0
    residuals = [_block_residuals(_blocks(channel))[2] for channel in channels]
    if len(residuals[0]) < MIN_BLOCKS:
        return 1.0
    stacked = np.stack(residuals).reshape(
        len(channels), len(residuals[0]), -1
    )  # (C, blocks, BLOCK^2)
    stacked /= np.sqrt(np.square(stacked).mean(axis=(1, 2), keepdims=True)).clip(1e-12)
    power = np.square(stacked).mean(axis=2).sum(axis=0)
    flat = stacked[:, power <= np.percentile(power, 10)].reshape(len(channels), -1)
    spread = np.sqrt(np.square(flat).mean(axis=1)).clip(1e-12)
    alike = np.abs(flat @ flat.T / flat.shape[1] / np.outer(spread, spread))
    return float(alike[~np.eye(len(channels), dtype=bool)].max())


def _away_from_ends(blocks: NDArray[np.float64], clipping: Clipping) -> NDArray[np.float64]:
    """Leave out the blocks whose noise was clipped: it is weaker there."""
    means, margin = blocks.mean(axis=1), WHOLE * clipping.std
    whole: NDArray[np.float64] = blocks[
        (means > clipping.low + margin) & (means < clipping.high - margin)
    ]
    return whole


def _found_photons(
    image: NDArray[np.float64], blocks: NDArray[np.float64], kind: str, least: float
) -> NoiseModel | None:
    """Return the model of noise that grows with brightness, None where it does not."""
    flat = _flat_blocks(blocks)
    a, b = _variance_line(flat.means, flat.variances, through_origin=kind == "poisson")
    bright = max(a * np.percentile(flat.means, 90) + b, 0)
    grows = a > 0 and math.sqrt(bright) > least
    enough = kind != "auto" or (
        len(blocks) >= PHOTON_BLOCKS and _looks_like_photons(flat.means, flat.variances, a, b)
    )
    if not grows or not enough:
        return None
    model, alike = _photon_model(image, blocks, (a, b))
    return model if min(alike) < SMOOTH else None


def _white_std(image: NDArray[np.float64], blocks: NDArray[np.float64]) -> float:
    """Return the standard deviation of white noise: the least that several ways find."""
    _, variances, _ = _block_residuals(blocks)
    measured = [math.sqrt(np.percentile(variances, 10) / LOWEST_TENTH)]
    if len(blocks) >= COMPONENT_BLOCKS:
        measured.append(_smallest_components(blocks))
    if len(blocks) == len(_blocks(image)):
        measured.append(
            _finite(estimate_sigma(image))
        )  # of the whole image, so only where all of it has noise
    return min(measured)


def _photon_model(
    image: NDArray[np.float64], blocks: NDArray[np.float64], line: tuple[float, float]
) -> tuple[NoiseModel, tuple[float, float]]:
    """Return the model, and how alike neighbors are along both axes."""
    root = NoiseModel(1.0, line)
    uneven = _flat_blocks(root.stabilize(blocks))
    levels, stds = uneven.means, np.sqrt(uneven.variances)
    # about 1 by construction; less where dark values are clipped, but then some noise is left
    stds = np.clip(stds, max(0.2 * float(np.median(stds[len(stds) // 2 :])), 0.1), 3)
    order = np.argsort(levels)
    lowest, highest = root.stabilize(np.array([image.min(), image.max()]))
    grid = np.linspace(lowest - 5, highest + 5, 4001)
    slope = 1 / np.interp(grid, levels[order], stds[order])
    stretched = np.concatenate([[0.0], np.cumsum(0.5 * (slope[1:] + slope[:-1]) * np.diff(grid))])
    even = NoiseModel(1.0, line, (grid, stretched))
    flat = _flat_blocks(even.stabilize(blocks))
    if flat.blur:  # then a block's plane took away more of the noise than of white noise
        loudness = math.sqrt(
            float(np.median(flat.tenths)) / residual_statistics(flat.blur).quantile(0.1)
        )
        even = replace(even, stretch=(grid, stretched / loudness))
    return replace(even, blur=flat.blur), flat.alike


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0


def _blocks(image: NDArray[Any]) -> NDArray[Any]:
    """Return (n, BLOCK^2) blocks at every 4 pixels, further apart in images large enough for that."""
    step = 4 * math.ceil(math.sqrt(image.size / 2**20))
    if min(image.shape) < BLOCK:
        return np.empty((0, BLOCK**2), dtype=image.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(image, (BLOCK, BLOCK))[::step, ::step]
    return windows.reshape(-1, BLOCK**2)


def _noisy_blocks(
    image: NDArray[np.float64], known: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Leave out the blocks that cannot show the noise: filled in, constant, or mostly clipped to an extreme."""
    blocks = _blocks(image)
    constant = np.ptp(blocks, axis=1) == 0
    saturated = (blocks == image.max()).mean(axis=1) > 0.1
    filled = ~_blocks(known).all(axis=1) if known is not None else False
    noisy: NDArray[np.float64] = blocks[~(constant | saturated | filled)]
    return noisy


def _block_residuals(
    blocks: NDArray[np.float64],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return each block's mean, the variance around its plane, and that difference itself."""
    basis = plane_basis()
    residuals = blocks - (blocks @ basis) @ basis.T
    variances = (residuals**2).sum(axis=1) / (BLOCK**2 - 3)
    return blocks.mean(axis=1), variances, residuals.reshape(-1, BLOCK, BLOCK)


@dataclass(frozen=True)
class _FlatBlocks:
    """The flattest blocks of each class of brightness."""

    means: NDArray[np.float64]
    """Brightness of each class."""
    tenths: NDArray[np.float64]
    """Variance of each class around the blocks' planes, their 10 % quantile."""
    alike: tuple[float, float]
    """Correlation of the noise to the next pixel, along Y and X."""

    @property
    def variances(self) -> NDArray[np.float64]:
        """Variance of each class, were the noise white."""
        return self.tenths / LOWEST_TENTH

    @property
    def blur(self) -> NoiseCorrelation:
        """How far neighbors share the noise."""
        return correlation_of(*self.alike)


def _flat_blocks(blocks: NDArray[np.float64]) -> _FlatBlocks:
    means, variances, residuals = _block_residuals(blocks)
    brightness, tenths, flat_residuals = [], [], []
    for members in np.array_split(np.argsort(means), BINS):
        limit = np.percentile(variances[members], 10)
        flat = members[variances[members] <= limit]
        brightness.append(means[flat].mean())
        tenths.append(limit)
        flat_residuals.append(residuals[flat] / math.sqrt(max(limit, 1e-12)))
    noise = np.concatenate(flat_residuals[BINS // 4 :])  # the darkest quarter may be clipped
    power = max(float((noise**2).mean()), 1e-12)
    along_y = float((noise[:, 1:] * noise[:, :-1]).mean()) / power
    along_x = float((noise[:, :, 1:] * noise[:, :, :-1]).mean()) / power
    return _FlatBlocks(np.array(brightness), np.array(tenths), (along_y, along_x))


def _is_stationary(blocks: NDArray[np.float64], flat: _FlatBlocks) -> bool:
    """Return whether what the blocks hold beside their planes is noise of the same level everywhere, not texture."""
    _, variances, _ = _block_residuals(blocks)
    tenth, third = np.percentile(variances, [10, 30])
    expected = residual_statistics(flat.blur)
    scatters = tenth / third < expected.quantile(0.1) / expected.quantile(0.3) - SPREAD
    middle = float(np.median(flat.tenths))
    return bool(not scatters and np.median(np.abs(flat.tenths / middle - 1)) <= EVENLY)


def _variance_line(
    means: NDArray[Any], variances: NDArray[Any], *, through_origin: bool
) -> tuple[float, float]:
    """Fit variance = a * mean + b; bins above the line, which hold texture, count less."""
    columns = np.stack(
        [means, np.zeros_like(means) if through_origin else np.ones_like(means)], axis=1
    )
    top = max(float(variances.max()), 1e-12)
    weights = 1 / np.maximum(variances, 1e-3 * top)
    line = np.zeros(2)
    for _ in range(10):
        line = np.linalg.lstsq(columns * weights[:, None], variances * weights, rcond=None)[0]
        fitted = np.maximum(columns @ line, 1e-2 * top)
        excess = np.maximum(variances - fitted, 1e-9 * top)
        weights = (
            np.sqrt(np.where(variances > fitted, np.minimum(1, 0.2 * fitted / excess), 1)) / fitted
        )
    return float(line[0]), float(line[1])


def _looks_like_photons(means: NDArray[Any], variances: NDArray[Any], a: float, b: float) -> bool:
    """Return whether the variance grows enough with brightness, for how closely it follows the line."""
    dark, bright = (max(a * level + b, 0) for level in np.percentile(means, [10, 90]))
    line = np.maximum(a * means + b, 1e-2 * bright)
    follows = float(np.median(np.abs(variances / line - 1))) <= CLOSELY
    return bool(bright > (GROWS_EVENLY if follows else GROWS) ** 2 * dark)


def _smallest_components(blocks: NDArray[np.float64]) -> float:
    """Return the noise level from the smallest principal components of the blocks.

    Chen, Zhu, Heng, ICCV 2015, doi:10.1109/ICCV.2015.62: the largest set of small
    eigenvalues whose mean does not exceed its median is noise.
    """
    values = np.sort(np.linalg.eigvalsh(np.cov(blocks.T)))[::-1]
    noise = next(
        (values[i:] for i in range(len(values)) if values[i:].mean() <= np.median(values[i:])),
        values[-1:],
    )
    return math.sqrt(max(float(noise.mean()), 0))
