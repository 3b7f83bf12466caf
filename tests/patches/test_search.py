import itertools

import numpy as np
import pytest
import torch

from napari_deep_image_prior.patches.search import PatchGrid, similar_patches


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    "grid",
    [
        PatchGrid((1, 4, 4), (1, 3, 3), (0, 5, 5)),
        PatchGrid((2, 3, 3), (1, 2, 2), (2, 4, 4)),
        PatchGrid((3, 3, 3), (2, 3, 3), (1, 6, 3)),
        PatchGrid((1, 3, 3), (1, 2, 2), (3, 3, 3)),
    ],
)
def test_the_most_similar_patches_in_reach_are_found(grid: PatchGrid, channels: int) -> None:
    image = np.random.default_rng(0).normal(size=(channels, 5, 17, 16))
    volume = torch.from_numpy(image)
    group = 5
    for z in grid.starts(0, 5):
        rows = grid.starts(1, 17)
        found = similar_patches(volume, grid, z, rows, group)
        references = itertools.product(rows, grid.starts(2, 16))
        for reference, corners in zip(references, found.tolist(), strict=True):
            best = _nearest(image, grid, (z, *reference), group)
            assert {np.unravel_index(corner, image.shape[1:]) for corner in corners} == best


def _nearest(
    image: np.ndarray, grid: PatchGrid, reference: tuple[int, ...], group: int
) -> set[tuple[int, ...]]:
    """Return the corners of the most similar patches, by comparing each with the reference."""

    def patch(corner: tuple[int, ...]) -> np.ndarray:
        inside = tuple(slice(at, at + size) for at, size in zip(corner, grid.patch, strict=True))
        return image[:, *inside]

    ranges = [
        range(max(at - reach, 0), min(at + reach, size - edge) + 1)
        for at, reach, size, edge in zip(
            reference, grid.reach, image.shape[1:], grid.patch, strict=True
        )
    ]
    distances = {
        corner: np.square(patch(corner) - patch(reference)).sum()
        for corner in itertools.product(*ranges)
    }
    return set(sorted(distances, key=lambda corner: distances[corner])[:group])
