"""The stages of a restoration, their count, and the time left."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import napari_deep_image_prior as dip
from napari_deep_image_prior.generators import run_to_end
from napari_deep_image_prior.methods.denoising.restorer import PAIRS, PARTS, DenoisingRestorer
from napari_deep_image_prior.restoration.timing import Clock, duration, time_left
from tests.conftest import QUICK

NOISY = 100 + np.random.default_rng(0).normal(0, 10, (72, 80)) + np.arange(80)
RECORDED = json.loads((Path(__file__).parent / "recorded_run.json").read_text())


def test_the_stages_of_a_denoising_are_named_and_only_network_steps_are_counted() -> None:
    steps = dip.iter_restore(dip.Denoise(NOISY), settings=QUICK["denoise"])
    steps.wants_image = lambda: False
    reports = list(steps)
    stages = list(dict.fromkeys(step.stage for step in reports))
    assert stages == ["estimating noise", "first estimate", "fitting", "finishing"]
    counted = [step.place for step in reports if step.stage == "fitting"]
    assert counted == [f"fitting, step {number} of 40" for number in range(1, 41)]
    fractions = [step.fraction for step in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert any(step.place == "finishing: averaging eight views" for step in reports)


@pytest.mark.parametrize("edge", [72, 300])
def test_the_picture_changes_during_the_first_estimate_and_is_never_sent_twice(edge: int) -> None:
    noisy = np.resize(NOISY, (edge, edge))
    images, stages = [noisy.astype(np.float32)], []
    steps = dip.iter_restore(dip.Denoise(noisy), settings=QUICK["denoise"])
    steps.wants_image = lambda: True
    for step in steps:
        if step.image is not None and step.result is None:
            assert not np.array_equal(step.image, images[-1])
            images.append(step.image)
            stages.append(step.stage)
    assert stages.count("first estimate") >= 4, "during and after each pass"
    assert stages[0] == "first estimate"


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("estimating noise", "stopped by the user in the stage: estimating noise"),
        ("first estimate", "stopped by the user in the stage: first estimate"),
        ("fitting", "stopped by the user after 1 of 40 steps"),
    ],
)
def test_a_stop_reports_the_stage_or_the_steps_of_the_network(stage: str, reason: str) -> None:
    steps = dip.iter_restore(dip.Denoise(NOISY), settings=QUICK["denoise"])
    for step in steps:
        if step.stage == stage:
            steps.stop()
    assert steps.result.stop_reason == reason
    assert steps.result.iterations == (1 if stage == "fitting" else 0)


def test_a_stop_during_the_first_estimate_reports_what_is_finished() -> None:
    steps = dip.iter_restore(dip.Denoise(NOISY), settings=QUICK["denoise"])
    places = []
    for step in steps:
        if step.stage == "first estimate":
            steps.stop()
        places.append(step.place)
    assert any(place.startswith("finishing: first estimate, ") for place in places)


def test_a_fit_that_adds_nothing_returns_the_first_estimate_and_can_run_on() -> None:
    settings = QUICK["denoise"]
    assert isinstance(settings, dip.DenoisingFit)
    task, barely = dip.Denoise(NOISY), replace(settings, learning_rate=1e-9, trial=12)
    first = dip.restore(task, settings=settings, stop_after=(2 + PAIRS + settings.draws) * PARTS)
    with dip.iter_restore(task, settings=barely) as steps:
        *_, last = steps
        assert steps.result.iterations == 12
        assert steps.result.stop_reason == (
            "the network had added nothing after 12 steps; first estimate returned"
        )
        np.testing.assert_array_equal(steps.result.image, first.image)
        assert last.fraction == 1
        steps.run_on(5)
        list(steps)
        assert steps.result.iterations == 17
        assert steps.result.stop_reason.startswith("all 17 steps done")


@pytest.mark.parametrize("stopped_at", [3, 25, 45])
def test_what_was_left_unfinished_does_not_count_as_done(stopped_at: int) -> None:
    settings = QUICK["denoise"]
    assert isinstance(settings, dip.DenoisingFit)
    image = np.resize(NOISY, (1, 72, 80))
    restorer = DenoisingRestorer(
        image, np.ones(image.shape, dtype=bool), settings, 0, device=torch.device("cpu")
    )
    next(step for step in restorer.steps() if step.iteration == stopped_at)
    run_to_end(restorer.finish())
    restorer.run_on(None)
    step = next(step for step in restorer.steps() if step.misfit is not None)
    done, left = restorer.work(step)["first estimate"]
    assert (done, left) == (72 * 80 + 4 * 24**2, 0)


@pytest.mark.parametrize(
    "task",
    [
        dip.Denoise(NOISY),
        dip.Inpaint(NOISY, missing=np.eye(*NOISY.shape, dtype=bool)),
        dip.SuperResolve(NOISY, factor=2),
    ],
    ids=lambda task: task.kind,
)
def test_what_is_being_finished_is_named(task: dip.Task) -> None:
    steps = dip.iter_restore(task, settings=QUICK[task.kind])
    places = {step.place for step in steps if step.stage == "finishing" and step.result is None}
    weighing = set() if task.kind == "denoise" else {"finishing: weighing the correction"}
    assert places == {"finishing: averaging eight views"} | weighing


@pytest.mark.parametrize("run", range(len(RECORDED)))
@pytest.mark.parametrize("tenth", range(1, 10))
def test_the_time_left_is_within_a_third_from_a_tenth_of_the_time_on(
    run: int, tenth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    total, predicted = _times_left(RECORDED[run], monkeypatch)
    now, left = next(entry for entry in predicted if entry[0] >= total * tenth / 10)
    assert left == pytest.approx(total - now, rel=0.3)


@pytest.mark.parametrize("run", range(len(RECORDED)))
def test_no_time_left_is_off_by_more_than_a_factor_of_two(
    run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    total, predicted = _times_left(RECORDED[run], monkeypatch)
    for now, left in predicted:
        if left is not None:
            assert (total - now) / 2 - 1 < left < 2 * (total - now) + 1, now


def _times_left(
    recorded: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[float, list[tuple[float, float | None]]]:
    """Return the seconds of a recorded run, and the time left predicted at each of its reports."""
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    clock = Clock()
    clock.assumed_rates = recorded["assumed_rates"]
    predicted = []
    with clock.working():
        for now, stage, work in recorded["reports"]:
            parts = {name: tuple(pair) for name, pair in work.items()}
            predicted.append((now, clock.seconds_left(stage, parts)))
    return recorded["seconds"], predicted


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(40, "40 s"), (110, "2 min"), (140, "2.5 min"), (750, "12 min"), (7200, "2.0 h")],
)
def test_a_duration_is_rounded_to_a_quarter_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_no_time_left_is_reported_in_the_last_second() -> None:
    assert time_left(61.0) == ", about 61 s left"
    assert time_left(0.9) == time_left(0.0) == time_left(None) == ""


def test_a_fit_that_is_run_on_counts_from_where_it_was() -> None:
    steps = dip.iter_restore(dip.Denoise(NOISY), settings=replace(QUICK["denoise"], iterations=20))
    list(steps)
    steps.run_on(5)
    reports = [step for step in steps if step.stage == "fitting"]
    assert [step.place for step in reports][:2] == [
        "fitting, step 21 of 25",
        "fitting, step 22 of 25",
    ]
    assert reports[0].fraction < 0.97
