"""Noise estimation: level, signal dependence, spatial correlation and clipping.

All are estimated from the flattest blocks of the image itself. Photon noise is variance-stabilized
by a square root (generalized Anscombe transform) and a monotone curve for what remains.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.restoration import estimate_sigma

from .blocks import (
    BINS,
    LOWEST_TENTH,
    FlatBlocks,
    block_residuals,
    blocks_of,
    flat_blocks,
    smallest_components,
)
from .clipped import MAX_STD_RATIO, Clipping, detect_clipping
from .correlated import BLOCK, residual_statistics
from .counts import are_photon_counts
from .model import NoiseModel
from .outliers import without_outliers
from .sparse import NEARLY_ALL, share_of_ground

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRUCTURE_LAG1 = 0.56
"""Residuals with this lag-1 autocorrelation along both axes are structure, not noise."""
MIN_BLOCKS = 4 * BINS
"""Fewest blocks for any statistics."""
PHOTON_BLOCKS = 40 * BINS
"""Fewest blocks to distinguish photon noise from texture; an image of about 104x104."""
COMPONENT_BLOCKS = 4 * BLOCK**2
"""Fewest blocks for principal components; with fewer, small eigenvalues are biased low."""
PHOTON_RATIO = 1.5
"""Ratio of bright to dark noise levels from which on the noise is photon noise."""
PHOTON_RATIO_LINEAR = 1.2
"""The same where the variance follows its line closely; texture scatters more."""
LINE_DEVIATION = 0.05
"""Largest median relative deviation of the class variances from that line."""
CORRELATED_RATIO = 1.2
"""Smallest ratio of the correlated to the white noise level for the noise to be correlated."""
CLASS_DEVIATION = 0.16
"""Largest median relative deviation of the class variances from their median, for stationarity."""
EXCESS_SCATTER = 0.085
"""Tolerance on the ratio of the 10 % to the 30 % quantile of the block variances."""
CLIPPING_MARGIN = 2
"""Distance from a clipping limit, in standard deviations, beyond which clipping is negligible."""

SMALLEST = 1e-3
"""Smallest noise level, relative to the range of the image."""
MAX_EXCLUDED = 0.01
"""Largest share of outliers whose blocks are not used; above, the filled image is."""


def estimate_noise(
    image: NDArray[np.float64],
    kind: str = "auto",
    std: float | None = None,
    known: NDArray[np.bool_] | None = None,
) -> NoiseModel:
    """Estimate the noise of one channel.

    Parameters
    ----------
    image : (Y, X) float array, without NaNs
    kind : {"auto", "gaussian", "correlated", "poisson", "poisson-gaussian"}
        "gaussian" is white; "correlated" is spatially correlated Gaussian noise. "poisson" is
        variance = a * intensity, so the image's dark level must be 0. Below about 104x104 pixels,
        where texture and other noise cannot be distinguished, "auto" detects photon counts (gain 1,
        offset 0), and else assumes "gaussian".
    std : float, optional
        Known standard deviation, in intensity units; at most the range of the image is assumed.
    known : (Y, X) bool array, optional
        False where `image` was filled in and has no noise of its own. Outlying pixels (hot, dead,
        cosmic rays) are left out as well; the model has their share.

    Returns
    -------
    NoiseModel
    """
    model = _of_kind(image, kind, std, known)
    if std is not None or kind.startswith("poisson") or model.clipping or _are_counts(image, known):
        return model
    observed = image.ravel() if known is None else image[known]
    ground = share_of_ground(observed, _known_blocks(image, known))
    if ground > NEARLY_ALL and model.photon is None:
        return NoiseModel(SMALLEST * float(np.ptp(observed)), ground=ground)
    return replace(model, ground=ground)


def _of_kind(
    image: NDArray[np.float64], kind: str, std: float | None, known: NDArray[np.bool_] | None
) -> NoiseModel:
    if kind == "auto" and std is None:
        blocks = _noisy_blocks(image, known)
        if len(blocks) < PHOTON_BLOCKS:
            if _are_counts(image, known):
                return NoiseModel(1.0, (1.0, 0.0))
            model = _without_outliers(image, kind, std, known)
            return replace(model, is_small=True)
    return _without_outliers(image, kind, std, known)


def _are_counts(image: NDArray[np.float64], known: NDArray[np.bool_] | None) -> bool:
    means, variances, _ = block_residuals(_known_blocks(image, known))
    observed = image.ravel() if known is None else image[known]
    return bool(observed.size) and are_photon_counts(observed, means, variances)


def _without_outliers(
    image: NDArray[np.float64], kind: str, std: float | None, known: NDArray[np.bool_] | None
) -> NoiseModel:
    filled, outliers = without_outliers(image)
    share = float(outliers.mean())
    if not share:
        return _estimated(image, kind, std, known)
    if share <= MAX_EXCLUDED:  # more would leave few blocks; the filled pixels matter less
        known = ~outliers if known is None else known & ~outliers
    return replace(_estimated(filled, kind, std, known), outliers=share)


def _estimated(
    image: NDArray[np.float64], kind: str, std: float | None, known: NDArray[np.bool_] | None
) -> NoiseModel:
    # smaller levels are rounding errors, and dividing by them would overflow
    least = SMALLEST * float(np.ptp(np.percentile(image, [1, 99]))) or 1e-6 * max(
        1.0, float(np.abs(image).max())
    )
    blocks = _noisy_blocks(image, known)
    observed = image if known is None or not known.any() else image[known]
    if std is not None:
        std = min(std, float(np.ptp(observed)))  # the pixels do not differ by more
        if kind == "correlated" and len(blocks) >= MIN_BLOCKS:
            return NoiseModel(max(std, least), correlation=flat_blocks(blocks).correlation)
        return NoiseModel(max(std, least), clipping=detect_clipping(observed, max(std, least)))
    if len(blocks) < MIN_BLOCKS:
        return NoiseModel(max(_std_of_few(image), least))
    if kind in ("auto", "poisson", "poisson-gaussian"):
        model = _detected_photon_noise(image, blocks, kind, least)
        if model is not None:
            return model
    white = max(_white_std(image, blocks), least)
    clipping = detect_clipping(observed, white)
    if clipping is not None:
        unclipped = _unclipped_blocks(blocks, clipping)
        if len(unclipped) >= MIN_BLOCKS:  # a few blocks could be all texture
            white = min(max(_white_std(image, unclipped), least), MAX_STD_RATIO * white)
        clipping = replace(clipping, std=white)
    if kind == "correlated" or (kind == "auto" and len(blocks) >= PHOTON_BLOCKS):
        flat = flat_blocks(blocks)
        correlated = flat.correlated_std
        if kind == "correlated" or (
            correlated > CORRELATED_RATIO * white
            and flat.correlation
            and _is_stationary(blocks, flat)
        ):
            return NoiseModel(max(correlated, least), correlation=flat.correlation)
    return NoiseModel(white, clipping=clipping)


def channel_noise_correlation(channels: NDArray[np.float64]) -> float:
    """Return the largest correlation between the noise of any two of (C, Y, X) channels, 0 to 1.

    Estimated from the flattest blocks, where common structure counts as noise. 1 if there are too
    few blocks, 0 for a single channel.
    """
    if len(channels) == 1:
        return 0.0
    residuals = [block_residuals(blocks_of(channel))[2] for channel in channels]
    if len(residuals[0]) < MIN_BLOCKS:
        return 1.0
    stacked = np.stack(residuals).reshape(
        len(channels), len(residuals[0]), -1
    )  # (C, blocks, BLOCK^2)
    stacked /= np.sqrt(np.square(stacked).mean(axis=(1, 2), keepdims=True)).clip(1e-12)
    power = np.square(stacked).mean(axis=2).sum(axis=0)
    flat = stacked[:, power <= np.percentile(power, 10)].reshape(len(channels), -1)
    spread = np.sqrt(np.square(flat).mean(axis=1)).clip(1e-12)
    correlation = np.abs(flat @ flat.T / flat.shape[1] / np.outer(spread, spread))
    return float(correlation[~np.eye(len(channels), dtype=bool)].max())


def _unclipped_blocks(blocks: NDArray[np.float64], clipping: Clipping) -> NDArray[np.float64]:
    """Return the blocks whose noise was not clipped; clipped noise is weaker."""
    means, margin = blocks.mean(axis=1), CLIPPING_MARGIN * clipping.std
    unclipped: NDArray[np.float64] = blocks[
        (means > clipping.low + margin) & (means < clipping.high - margin)
    ]
    return unclipped


def _detected_photon_noise(
    image: NDArray[np.float64], blocks: NDArray[np.float64], kind: str, least: float
) -> NoiseModel | None:
    """Return the model of signal-dependent noise, None if it is not signal-dependent."""
    flat = flat_blocks(blocks)
    a, b = _variance_line(flat.means, flat.variances, through_origin=kind == "poisson")
    bright = max(a * np.percentile(flat.means, 90) + b, 0)
    grows = a > 0 and math.sqrt(bright) > least
    enough = kind != "auto" or (
        len(blocks) >= PHOTON_BLOCKS and _looks_like_photons(flat.means, flat.variances, a, b)
    )
    if not grows or not enough:
        return None
    model, lag1 = _photon_model(image, blocks, (a, b))
    return model if min(lag1) < STRUCTURE_LAG1 else None


def _white_std(image: NDArray[np.float64], blocks: NDArray[np.float64]) -> float:
    """Return the standard deviation of white noise: the smallest of several estimates."""
    _, variances, _ = block_residuals(blocks)
    measured = [math.sqrt(np.percentile(variances, 10) / LOWEST_TENTH)]
    if len(blocks) >= COMPONENT_BLOCKS:
        measured.append(smallest_components(blocks))
    if len(blocks) == len(blocks_of(image)):
        # an estimate from the whole image, so only if all of it has noise
        measured.append(_finite(estimate_sigma(image)))
    return min(measured)


def _photon_model(
    image: NDArray[np.float64], blocks: NDArray[np.float64], line: tuple[float, float]
) -> tuple[NoiseModel, tuple[float, float]]:
    """Return the model, and the lag-1 autocorrelations of its stabilized noise along Y and X."""
    root = NoiseModel(1.0, line)
    uneven = flat_blocks(root.stabilize(blocks))
    levels, stds = uneven.means, np.sqrt(uneven.variances)
    # about 1 by construction; less where dark values are clipped, but never 0
    stds = np.clip(stds, max(0.2 * float(np.median(stds[len(stds) // 2 :])), 0.1), 3)
    order = np.argsort(levels)
    lowest, highest = root.stabilize(np.array([image.min(), image.max()]))
    grid = np.linspace(lowest - 5, highest + 5, 4001)
    slope = 1 / np.interp(grid, levels[order], stds[order])
    stretched = np.concatenate([[0.0], np.cumsum(0.5 * (slope[1:] + slope[:-1]) * np.diff(grid))])
    model = NoiseModel(1.0, line, (grid, stretched))
    flat = flat_blocks(model.stabilize(blocks))
    if flat.correlation:  # a block's plane absorbs more of correlated noise than of white noise
        model = replace(model, stretch=(grid, stretched / flat.correlated_std))
    return replace(model, correlation=flat.correlation), flat.lag1


def _std_of_few(image: NDArray[np.float64]) -> float:
    """Return the standard deviation of white noise in an image with too few blocks."""
    if np.ptp(image) == 0:
        return 0.0
    if min(image.shape) > 3:
        return _finite(estimate_sigma(image))
    # a line, or a few: from second differences along it
    differences = np.abs(np.diff(image, 2, axis=int(np.argmax(image.shape))))
    return float(np.median(differences) / (0.6745 * math.sqrt(6))) if differences.size else 0.0


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0


def _known_blocks(
    image: NDArray[np.float64], known: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    blocks: NDArray[np.float64] = blocks_of(image)
    return blocks if known is None else blocks[blocks_of(known).all(axis=1)]


def _noisy_blocks(
    image: NDArray[np.float64], known: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Return the blocks that show noise: not filled in, not constant and not saturated."""
    blocks = blocks_of(image)
    constant = np.ptp(blocks, axis=1) == 0
    saturated = (blocks == image.max()).mean(axis=1) > 0.1
    filled = ~blocks_of(known).all(axis=1) if known is not None else False
    noisy: NDArray[np.float64] = blocks[~(constant | saturated | filled)]
    return noisy


def _is_stationary(blocks: NDArray[np.float64], flat: FlatBlocks) -> bool:
    """Return whether the block residuals are noise of the same level everywhere, not texture."""
    _, variances, _ = block_residuals(blocks)
    tenth, third = np.percentile(variances, [10, 30])
    expected = residual_statistics(flat.correlation)
    scatters = tenth / third < expected.quantile(0.1) / expected.quantile(0.3) - EXCESS_SCATTER
    middle = float(np.median(flat.tenths))
    return bool(not scatters and np.median(np.abs(flat.tenths / middle - 1)) <= CLASS_DEVIATION)


def _variance_line(
    means: NDArray[Any], variances: NDArray[Any], *, through_origin: bool
) -> tuple[float, float]:
    """Fit variance = a * mean + b robustly: classes with texture, above the line, weigh less."""
    # without a large offset, on which the slope and the intercept could not be distinguished
    middle = 0.0 if through_origin else float(means.mean())
    columns = np.stack(
        [means - middle, np.zeros_like(means) if through_origin else np.ones_like(means)], axis=1
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
    return float(line[0]), float(line[1] - line[0] * middle)


def _looks_like_photons(means: NDArray[Any], variances: NDArray[Any], a: float, b: float) -> bool:
    """Return whether the variance grows with brightness as that of photon noise."""
    dark, bright = (max(a * level + b, 0) for level in np.percentile(means, [10, 90]))
    line = np.maximum(a * means + b, 1e-2 * bright)
    is_linear = float(np.median(np.abs(variances / line - 1))) <= LINE_DEVIATION
    return bool(bright > (PHOTON_RATIO_LINEAR if is_linear else PHOTON_RATIO) ** 2 * dark)
