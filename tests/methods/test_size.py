import dataclasses

import numpy as np
import pytest

import napari_deep_image_prior as dip
from napari_deep_image_prior.methods.registry import settings_from_dict
from napari_deep_image_prior.restoration.repeat import repeated_options

PRESET = dip.preset_settings("super-resolve", "fast", factor=2)


@pytest.mark.parametrize(
    ("shape", "axis", "share"),
    [((48, 48), None, 0.35), ((3, 100, 90), 0, 36000 / 65536), ((128, 128), None, 1)],
)
def test_a_small_image_is_enlarged_by_a_shorter_fit(
    shape: tuple[int, ...], axis: int | None, share: float
) -> None:
    task = dip.SuperResolve(np.random.default_rng(0).random(shape), factor=2, channel_axis=axis)
    steps = dip.iter_restore(task)
    assert steps.settings.iterations == pytest.approx(share * PRESET.iterations, abs=1)
    assert steps.settings.batch == (8 if share == 1 else 4)
    described = task.describe()
    assert task.described_pixels(described) == np.prod(task.result_spatial_shape)


def test_own_settings_and_other_tasks_are_used_as_they_are() -> None:
    small = np.random.default_rng(0).random((40, 40))
    own = dip.iter_restore(dip.SuperResolve(small, factor=2), settings=PRESET)
    assert own.settings == PRESET
    for kind, task in (
        ("denoise", dip.Denoise(small)),
        ("inpaint", dip.Inpaint(small, missing=small > 0.9)),
    ):
        assert dip.iter_restore(task).settings == dip.preset_settings(kind, "fast")


def test_a_shorter_fit_is_repeated_as_the_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(PRESET), "for_pixels", lambda own, _: _short(own))
    small = np.random.default_rng(0).random((20, 20))
    made = dip.restore(dip.SuperResolve(small, factor=2))
    assert made.provenance["preset"] == "fast"
    assert settings_from_dict(made.provenance["settings"]) == _short(PRESET)
    assert repeated_options(made.provenance)["preset"] == "fast"
    np.testing.assert_allclose(dip.repeat(made.provenance, small).image, made.image, atol=1e-5)


def _short(settings: dip.SuperResolutionFit) -> dip.SuperResolutionFit:
    return dataclasses.replace(settings, iterations=3)
