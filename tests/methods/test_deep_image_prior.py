import io
from dataclasses import replace

import numpy as np
import pytest
import torch

import napari_deep_image_prior as dip
from napari_deep_image_prior.methods.deep_image_prior.restorer import DeepImagePriorRestorer

TWO_RUNS = dip.DeepImagePriorFit(
    dip.HourglassNetwork(widths=(4, 4), skips=(2, 2)),
    iterations=5,
    input_depth=3,
    averaging=0.9,
    weight_noise=0.01,
    runs=2,
)


def _begun(picture: np.ndarray) -> DeepImagePriorRestorer:
    restorer = DeepImagePriorRestorer.for_task(
        dip.Denoise(picture), TWO_RUNS, torch.device("cpu"), 0
    )
    assert isinstance(restorer, DeepImagePriorRestorer)
    return restorer


@pytest.mark.parametrize("broken_off_at", [3, 5, 7])
def test_it_resumes_from_a_saved_state_with_the_same_result(
    picture: np.ndarray, broken_off_at: int
) -> None:
    unbroken, first, second = (_begun(picture) for _ in range(3))
    assert [step.iteration for step in unbroken.steps()] == list(range(1, 11))
    steps = first.steps()
    for _ in range(broken_off_at):
        next(steps)
    saved = io.BytesIO()
    torch.save(first.state(), saved)
    saved.seek(0)
    second.resume(torch.load(saved, weights_only=True))
    assert [step.iteration for step in second.steps()] == list(range(broken_off_at + 1, 11))
    np.testing.assert_array_equal(second.estimate(), unbroken.estimate())


def test_a_bad_step_after_resuming_is_undone_as_without_an_interruption(
    picture: np.ndarray,
) -> None:
    settings = replace(TWO_RUNS, iterations=50, runs=1)

    def image(*, broken_off: bool) -> np.ndarray:
        restorer = DeepImagePriorRestorer.for_task(
            dip.Denoise(picture), settings, torch.device("cpu"), 0
        )
        steps = restorer.steps()
        for step in steps:
            if step.iteration == 33:
                break
        if broken_off:
            fresh = DeepImagePriorRestorer.for_task(
                dip.Denoise(picture), settings, torch.device("cpu"), 0
            )
            fresh.resume(restorer.state())
            restorer, steps = fresh, fresh.steps()
        model, _ = restorer._running
        with torch.no_grad():
            next(model.network.parameters()).fill_(torch.nan)
        list(steps)
        assert restorer.recoveries == 1
        return restorer.estimate()

    np.testing.assert_array_equal(image(broken_off=True), image(broken_off=False))


def test_the_last_output_is_not_averaged(picture: np.ndarray) -> None:
    restorer = _begun(picture)
    steps = restorer.steps()
    next(steps)
    np.testing.assert_array_equal(restorer.last_output(), restorer.estimate())
    next(steps)
    assert not np.array_equal(restorer.last_output(), restorer.estimate())


def test_the_input_and_the_weights_are_drawn_from_separate_streams(picture: np.ndarray) -> None:
    def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
        settings = replace(TWO_RUNS, runs=1)
        restorer = DeepImagePriorRestorer.for_task(
            dip.Denoise(picture), settings, torch.device("cpu"), seed
        )
        model, _ = restorer._begin()
        first = next(model.network.parameters()).detach().numpy().ravel()
        return model._z.numpy().ravel()[: first.size] / 0.1, first

    (z, weights), (other_z, other_weights) = drawn(0), drawn(1)
    # both are uniform: from one stream they would be equal up to their range
    uniform = weights / (2 * np.abs(weights).max()) + 0.5
    assert np.abs(np.corrcoef(z, uniform)[0, 1]) < 0.9
    assert not np.array_equal(z, other_z)
    assert not np.array_equal(weights, other_weights)


@pytest.mark.parametrize("name", ["jitter", "weight_noise"])
def test_numbers_that_no_fit_survives_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=1e\\+30 is too large"):
        dip.DeepImagePriorFit(**{name: 1e30})


@pytest.mark.parametrize("kind", ["denoise", "inpaint", "super-resolve"])
@pytest.mark.parametrize("value", [0, 65535])
def test_hot_and_dead_pixels_do_not_take_the_contrast_of_the_others(
    picture: np.ndarray, hole: np.ndarray, kind: str, value: int
) -> None:
    hole[3, 4] = hole[20, 20] = False
    noisy = (1000 + picture + np.random.default_rng(0).normal(0, 3, picture.shape)).astype("uint16")
    tasks = {
        "denoise": dip.Denoise,
        "inpaint": lambda image: dip.Inpaint(image, missing=hole),
        "super-resolve": lambda image: dip.SuperResolve(image, factor=2),
    }
    settings = replace(TWO_RUNS, iterations=20, runs=1)
    plain = dip.restore(tasks[kind](noisy), settings=settings, threads=1)
    assert plain.provenance["found"] == ""
    noisy[3, 4] = noisy[20, 20] = value
    result = dip.restore(tasks[kind](noisy), settings=settings, threads=1)
    assert "outlying pixels limited to the range of the others" in result.provenance["found"]
    change = np.abs(result.image - plain.image)
    assert np.quantile(change, 0.9) < 0.1 * np.ptp(noisy[8:24, 8:16])
