"""Baselines of the tables: other methods on the same images.

Each accepts a `Case` and returns the restored image, (Y, X[, 3]) from 0 to 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..resampling import cubic_matrix, lanczos_matrix
from .cases import SIGMA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from ..methods.denoising.task import Denoise
    from ..methods.inpainting.task import Inpaint
    from ..methods.super_resolution.task import SuperResolve
    from .cases import Case

    Image = NDArray[np.float64]

TV_WEIGHT = 3e-4
"""Weight of the total variation relative to the squared misfit; on Set5 x4 the PSNR is constant
from 5e-5 to 5e-4 and lower above."""
CODING_WEIGHT = 0.003
"""Weight of the sparse code's 1-norm; the best of 0.003, 0.01 and 0.02 on one image."""


def biharmonic(case: Case) -> Image:
    """Fill the missing pixels by biharmonic inpainting (scikit-image)."""
    from skimage.restoration import inpaint_biharmonic

    task = cast("Inpaint", case.task)
    filled: Image = inpaint_biharmonic(
        np.asarray(task.image), np.asarray(task.missing), channel_axis=task.channel_axis
    )
    return filled


def cubic(case: Case) -> Image:
    """Fill the missing pixels by cubic interpolation on a triangulation (SciPy).

    Pixels outside the convex hull of the known ones are filled by the nearest one.
    """
    from scipy.interpolate import griddata

    task = cast("Inpaint", case.task)
    image, missing = np.array(task.image), np.asarray(task.missing)
    points, values = np.argwhere(~missing), image[~missing]
    for method in ("cubic", "nearest"):
        wanted = missing & ~np.isfinite(image) if method == "nearest" else missing
        image[wanted] = griddata(points, values, np.argwhere(wanted), method=method)
    return image


def convolutional_sparse_coding(case: Case) -> Image:
    """Fill the missing pixels by convolutional sparse coding (sporco, with its dictionary).

    Of the family of Papyan et al., ICCV 2017. The low frequencies are a normalized Gaussian average
    of the known pixels.
    """
    from scipy.ndimage import gaussian_filter
    from sporco.admm.cbpdn import ConvBPDNMaskDcpl
    from sporco.util import convdicts

    task = cast("Inpaint", case.task)
    known = (~np.asarray(task.missing)).astype(np.float64)
    image = np.where(known > 0, np.asarray(task.image), 0)
    smooth = gaussian_filter(image, 1.5) / np.maximum(gaussian_filter(known, 1.5), 1e-3)
    dictionary = convdicts()["G:8x8x64"]
    height, width = image.shape
    # padding, as convolution in the frequency domain is circular
    padding = [(0, dictionary.shape[0]), (0, dictionary.shape[1])]
    options = ConvBPDNMaskDcpl.Options(
        {"MaxMainIter": 100, "RelStopTol": 1e-3, "rho": 10 * CODING_WEIGHT + 0.5}
    )
    solver = ConvBPDNMaskDcpl(
        dictionary,
        np.pad(known * (image - smooth), padding),
        CODING_WEIGHT,
        np.pad(known, padding),
        opt=options,
    )
    detail = solver.reconstruct(solver.solve()).squeeze()[:height, :width]
    coded: Image = smooth + detail
    return coded


def non_local_means(case: Case, sigma: float = SIGMA, strength: float = 0.5) -> Image:
    """Denoise by non-local means (scikit-image) with the known `sigma`; h = strength * sigma."""
    from skimage.restoration import denoise_nl_means

    task = cast("Denoise", case.task)
    denoised: Image = denoise_nl_means(
        np.asarray(task.image),
        h=strength * sigma,
        sigma=sigma,
        patch_size=5,
        patch_distance=9,
        channel_axis=task.channel_axis,
    )
    return denoised


def wavelet(case: Case, sigma: float = SIGMA) -> Image:
    """Denoise by wavelet shrinkage (BayesShrink, scikit-image) with the known `sigma`."""
    from skimage.restoration import denoise_wavelet

    task = cast("Denoise", case.task)
    color = task.channel_axis is not None
    denoised: Image = denoise_wavelet(
        np.asarray(task.image),
        sigma=sigma,
        channel_axis=task.channel_axis,
        convert2ycbcr=color,
        rescale_sigma=True,
    )
    return denoised


def bicubic(case: Case) -> Image:
    """Enlarge with Keys' cubic kernel."""
    return _resampled(case, cubic_matrix)


def no_prior(case: Case) -> Image:
    """Return the minimum-norm image that is consistent with the input (pseudoinverse)."""
    return _resampled(case, lambda small, large: np.linalg.pinv(lanczos_matrix(large, small)))


def total_variation(case: Case) -> Image:
    """Minimize the misfit plus total variation (FISTA with scikit-image's denoiser)."""
    from skimage.restoration import denoise_tv_chambolle

    small = np.asarray(case.task.image)
    rows, columns = (
        lanczos_matrix(large, few)
        for large, few in zip(case.task.result_shape, small.shape[:2], strict=False)
    )
    step = 1 / (np.linalg.norm(rows, 2) * np.linalg.norm(columns, 2)) ** 2
    estimate = ahead = bicubic(case)
    momentum = 1.0
    for _ in range(100):
        slope = _separably(rows.T, _separably(rows, ahead, columns) - small, columns.T)
        stepped = denoise_tv_chambolle(
            ahead - step * slope,
            weight=TV_WEIGHT * step,
            max_num_iter=20,
            channel_axis=None if small.ndim == 2 else 2,
        )
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = stepped + (momentum - 1) / faster * (stepped - estimate)
        estimate, momentum = stepped, faster
    return estimate


def _resampled(case: Case, matrix: Callable[[int, int], NDArray[Any]]) -> Image:
    small = np.asarray(cast("SuperResolve", case.task).image)
    rows, columns = (
        matrix(few, large)
        for few, large in zip(small.shape[:2], case.task.result_shape, strict=False)
    )
    return _separably(rows, small, columns)


def _separably(rows: NDArray[Any], image: Image, columns: NDArray[Any]) -> Image:
    """Apply a matrix along Y and one along X."""
    applied: Image = np.einsum("ij,jk...,lk->il...", rows, image, columns, optimize=True)
    return applied


BASELINES: Mapping[str, Mapping[str, Callable[[Case], Image]]] = {
    "inpaint": {
        "biharmonic": biharmonic,
        "cubic interpolation": cubic,
        "convolutional sparse coding": convolutional_sparse_coding,
    },
    "denoise": {"NLM": non_local_means, "wavelet": wavelet},
    "super-resolve": {"no prior": no_prior, "bicubic": bicubic, "TV prior": total_variation},
}
"""Baselines for each kind of task, by their names in the tables."""
