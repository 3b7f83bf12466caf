"""Super-resolution across scales: training data, held-out tiles, and several networks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_deep_image_prior import (
    CompactNetwork,
    SuperResolutionFit,
    SuperResolve,
    iter_restore,
    restore,
)
from napari_deep_image_prior.generators import run_to_end
from napari_deep_image_prior.methods.super_resolution.model import HELD_OUT, SuperResolutionModel

SETTINGS = SuperResolutionFit(CompactNetwork(widths=(8,), depth=1), iterations=6, crop=32, batch=8)
IMAGE = torch.from_numpy(np.random.default_rng(0).random((1, 2, 96, 120), np.float32))


@pytest.fixture
def model() -> SuperResolutionModel:
    return SuperResolutionModel([IMAGE], (2.0, 2.0), SETTINGS, seed=0)


def _with_other_truth(model: SuperResolutionModel, *, inside: bool) -> SuperResolutionModel:
    """Change the truth inside or outside of the tiles."""
    for pair in model._pairs:
        learned = pair[-1] > 0
        true = pair[2:4]
        true[:, ~learned if inside else learned] += 1
    return model


def test_nothing_is_learned_from_the_tiles_and_only_they_enter_the_misfit(
    model: SuperResolutionModel,
) -> None:
    def measured(model: SuperResolutionModel) -> tuple[float, float]:
        with torch.no_grad():
            for weight in model.network.parameters():  # an untrained network corrects nothing
                weight.copy_(torch.sin(torch.arange(weight.numel())).reshape(weight.shape) / 10)
            return float(model.loss()), float(model.misfit)

    loss, misfit = measured(model)
    inside = measured(
        _with_other_truth(SuperResolutionModel([IMAGE], (2.0, 2.0), SETTINGS, seed=0), inside=True)
    )
    outside = measured(
        _with_other_truth(SuperResolutionModel([IMAGE], (2.0, 2.0), SETTINGS, seed=0), inside=False)
    )
    assert inside[0] == pytest.approx(loss)
    assert inside[1] != pytest.approx(misfit, rel=0.01)
    assert outside[0] > 1.5 * loss
    assert outside[1] == pytest.approx(misfit, rel=1e-4)


def test_the_tiles_are_the_same_parts_of_the_image_in_copies_of_all_sizes(
    model: SuperResolutionModel,
) -> None:
    masks = [pair[-1].numpy() for pair in model._pairs]
    assert len({mask.shape for mask in masks}) == len(SETTINGS.father_scales)
    assert masks[0][12, 12] == 0, "the middle of the first 24x24 pixels"
    assert masks[0][0, 0] == 1
    for mask in masks:
        assert 1 - mask.mean() == pytest.approx(HELD_OUT**2, abs=0.025)
        height, width = mask.shape
        assert mask[int(12.5 / 96 * height), int(12.5 / 120 * width)] == 0


def test_each_network_is_judged_by_other_pixels() -> None:
    settings = replace(SETTINGS, networks=3)
    models = [SuperResolutionModel([IMAGE], (2.0, 2.0), settings, 0, number) for number in range(3)]
    judged = [1 - model._pairs[0][-1] for model in models]
    assert float(sum(judged).max()) == 1, "no pixel by two networks"
    assert all(float(mask.sum()) > 0 for mask in judged)
    first, second = (next(iter(model.network.parameters())) for model in models[:2])
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("sign", "trust"), [(1.0, 1.0), (-1.0, 0.0)])
def test_the_correction_weight_follows_the_error_in_the_tiles(
    model: SuperResolutionModel, monkeypatch: pytest.MonkeyPatch, sign: float, trust: float
) -> None:
    base, true, learned = model._held_out[0]
    missed = (true - base) * torch.where(
        learned > 0, -sign, sign
    )  # the pixels outside would give the opposite

    def mean_over_views(*_arguments: Any) -> Any:
        yield
        return missed

    monkeypatch.setattr(
        "napari_deep_image_prior.methods.super_resolution.model.mean_over_views", mean_over_views
    )
    assert run_to_end(model.correction_weight()) == pytest.approx(trust)


def test_networks_that_have_not_begun_do_not_count(picture: np.ndarray) -> None:
    task = SuperResolve(picture, factor=2)
    one = restore(task, settings=SETTINGS, seed=3)
    stopped = restore(
        task, settings=replace(SETTINGS, networks=3), seed=3, stop_after=SETTINGS.iterations
    )
    np.testing.assert_array_equal(stopped.image, one.image)
    whole = restore(task, settings=replace(SETTINGS, networks=3), seed=3)
    assert whole.iterations == 3 * SETTINGS.iterations
    assert whole.stop_reason.startswith("network 3 of 3: all 6 steps done")
    assert not np.array_equal(whole.image, one.image)


def test_more_iterations_are_shared_by_the_networks_that_have_begun(picture: np.ndarray) -> None:
    task, settings = SuperResolve(picture, factor=2), replace(SETTINGS, networks=3)
    with iter_restore(task, settings=settings, stop_after=SETTINGS.iterations - 2) as steps:
        list(steps)
        steps.run_on(5)
        reports = [(step.iteration, step.total) for step in steps]
        assert reports[-1] == (SETTINGS.iterations + 3, SETTINGS.iterations + 3)
        assert steps.result.stop_reason.startswith("network 1 of 3")
    with iter_restore(task, settings=settings) as steps:
        notes = [step.note for step in steps]
        steps.run_on(7)
        assert [step.iteration for step in steps][-1] == 3 * SETTINGS.iterations + 7
        assert "measuring" in notes[0]
    with iter_restore(task, settings=settings, stop_after=4) as steps:
        list(steps)
        steps.run_on()
        list(steps)
        np.testing.assert_array_equal(steps.result.image, restore(task, settings=settings).image)
