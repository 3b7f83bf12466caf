import numpy as np
import pytest

from napari_deep_image_prior.fitting.stopping import WINDOW, HeldOutPlateau


def _feed(rule: HeldOutPlateau, errors: np.ndarray) -> int | None:
    """Return the step at which the rule stops the fit."""
    return next(
        (step for step, error in enumerate(errors, start=1) if rule.settled(step, float(error))),
        None,
    )


def test_the_patience_is_in_iterations_even_if_few_are_checked() -> None:
    rule = HeldOutPlateau(patience=1000)
    looked_at = range(10, 5000, 10)
    settled = next(iteration for iteration in looked_at if rule.settled(iteration, 1.0))
    assert settled == 10 * WINDOW + 1000
    assert rule.reason.endswith(f"at iteration {settled}")


def test_a_falling_error_continues_the_fit() -> None:
    rule = HeldOutPlateau(patience=200)
    assert _feed(rule, np.geomspace(1, 0.1, 2000)) is None
    assert rule.reason == "all 2000 steps done"


def test_a_noisy_plateau_stops_after_the_patience_with_a_reason() -> None:
    rule = HeldOutPlateau(patience=300)
    noise = np.random.default_rng(0).normal(1, 0.1, 3000)
    errors = noise * np.concatenate([np.geomspace(1, 0.5, 600), np.full(2400, 0.5)])
    step = _feed(rule, errors)
    assert 600 < step < 1700
    assert rule.reason == f"held-out error had not improved for 300 iterations at iteration {step}"


def test_a_rising_error_counts_from_the_best_step() -> None:
    rule = HeldOutPlateau(patience=100)
    assert (
        _feed(rule, np.concatenate([np.linspace(1, 0.5, 4 * WINDOW), np.linspace(0.5, 2, 400)]))
        == 4 * WINDOW + 100
    )


def test_one_lucky_step_is_no_improvement() -> None:
    rule = HeldOutPlateau(patience=200)
    errors = np.ones(1000)
    errors[150] = 0.97
    assert _feed(rule, errors) == WINDOW + 200


def test_a_fit_that_adds_nothing_ends_after_its_trial() -> None:
    rule = HeldOutPlateau(patience=1000, trial=100)
    settled = [rule.settled(step, 1.001) for step in range(1, 101)]
    assert settled == [False] * 99 + [True]
    assert rule.adds_nothing
    assert rule.reason == ("the network had added nothing after 100 steps; first estimate returned")
    rule.restart()
    assert not rule.adds_nothing
    assert not rule.settled(101, 1.001), "run on, as the user asked"


def test_a_fit_that_adds_a_little_passes_its_trial() -> None:
    rule = HeldOutPlateau(patience=1000, trial=100)
    assert not any(rule.settled(step, 0.99) for step in range(1, 300))
    assert not rule.adds_nothing


@pytest.mark.parametrize("every", [1, 10], ids=["CPU", "GPU"])
@pytest.mark.parametrize(("trial", "lowest"), [(20, 0.9), (100, 0.9), (100, 0.999), (300, 0.999)])
def test_a_trial_is_judged_by_whatever_errors_there_are(
    every: int, trial: int, lowest: float
) -> None:
    rule = HeldOutPlateau(patience=1000, trial=trial)
    errors = np.concatenate([np.linspace(1.05, lowest, trial // 2), np.full(trial, lowest)])
    checked = [step for step in range(1, trial + 1) if step == 1 or step % every == 0]
    settled = [rule.settled(step, float(errors[step - 1])) for step in checked]
    assert settled[:-1] == [False] * (len(checked) - 1)
    assert rule.adds_nothing == settled[-1] == (lowest > 0.995)
