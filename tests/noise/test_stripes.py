import numpy as np
import pytest

import napari_deep_image_prior as dip
from napari_deep_image_prior.noise.stripes import find_stripes
from tests.conftest import QUICK

RNG = np.random.default_rng(0)
Y, X = np.mgrid[:150, :130]
SCENE = 100 + 40 * np.sin(X / 9) * np.cos(Y / 13) + 60 * (np.hypot(Y - 70, X - 60) < 30)
NOISY = SCENE + RNG.normal(0, 5, SCENE.shape)
ROWS, COLUMNS = RNG.normal(0, 4, (150, 1)), RNG.normal(0, 4, (1, 130))


def test_offsets_of_rows_are_found() -> None:
    found = find_stripes(NOISY + ROWS)
    assert found.rows is not None
    assert found.columns is None
    assert np.std(found.rows - ROWS[:, 0]) < 0.45 * np.std(ROWS)
    assert found.describe().startswith("offsets of rows (standard deviation 3.")


def test_offsets_of_both_are_found_and_removed() -> None:
    found = find_stripes(NOISY + ROWS + COLUMNS)
    left = found.removed_from(NOISY + ROWS + COLUMNS) - NOISY
    assert np.std(left) < 0.5 * np.std(ROWS + COLUMNS)
    assert "rows" in found.describe()
    assert "columns" in found.describe()


@pytest.mark.parametrize(
    "image",
    [
        NOISY,
        SCENE,
        np.zeros((80, 80)),
        255.0 * (np.indices((80, 80)).sum(axis=0) % 2),
        1e-200 * NOISY,
        RNG.poisson(0.3, (100, 100)).astype(float),
        SCENE + 60 * (X > 65),
        100.0 + 50 * (Y > 70) * (X > 40),
        NOISY[:20],
    ],
    ids=["noisy", "clean", "zero", "checkerboard", "tiny", "counts", "edge", "corner", "small"],
)
def test_an_image_without_stripes_is_left_alone(image: np.ndarray) -> None:
    found = find_stripes(image)
    assert found.describe() == ""
    assert found.removed_from(image) is image


def test_denoising_removes_stripes_and_reports_them() -> None:
    striped = NOISY + ROWS
    result = dip.restore(dip.Denoise(striped), settings=QUICK["denoise"])
    assert "offsets of rows (standard deviation" in result.provenance["found"]
    without = dip.restore(dip.Denoise(NOISY), settings=QUICK["denoise"])
    assert "offsets" not in without.provenance["found"]
    assert np.std(result.image - SCENE) < 0.5 * np.std(ROWS)


def test_told_the_noise_stripes_stay() -> None:
    result = dip.restore(dip.Denoise(NOISY + ROWS, noise="gaussian"), settings=QUICK["denoise"])
    assert "offsets" not in result.provenance["found"]
