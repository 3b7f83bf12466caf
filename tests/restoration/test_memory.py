"""Images that do not fit into memory are refused before anything is allocated."""

import numpy as np
import pytest

import napari_deep_image_prior as dip


def test_an_image_that_cannot_fit_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_deep_image_prior.restoration.memory.available_memory", lambda: 10**6
    )
    noisy = np.random.default_rng(0).normal(100, 5, (300, 300))
    with pytest.raises(ValueError, match=r"300x300 pixels needs at least .* crop it"):
        dip.iter_restore(dip.Denoise(noisy))


def test_a_step_that_cannot_fit_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "napari_deep_image_prior.restoration.memory.available_memory", lambda: 10**8
    )
    noisy = np.random.default_rng(0).normal(100, 5, (300, 300))
    settings = dip.DenoisingFit(batch=256, crop=100000)
    with pytest.raises(ValueError, match=r"batch=256 and crop=100000 .* smaller settings"):
        dip.iter_restore(dip.Denoise(noisy), settings=settings)
