import math

import pytest
import torch
from torch import Tensor, nn

from napari_deep_image_prior.fitting.base import FitFailedError
from napari_deep_image_prior.fitting.loop import Fit, Schedule


class Parabola:
    """A model of one weight, with its minimum at 3; `spoil` is called before each loss."""

    def __init__(self, spoil: object = None) -> None:
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.network.weight)
        self.spoil = spoil
        self.calls = 0
        self._average = torch.zeros(1)

    def loss(self) -> Tensor:
        self.calls += 1
        if self.spoil is not None:
            self.spoil(self)  # type: ignore[operator]
        weight = self.network.weight
        self._average.lerp_(weight.detach().reshape(1), 0.5)
        loss = (weight - 3).square().sum() + 0.1
        self.misfit = loss.detach()
        return loss

    def kept(self) -> list[Tensor]:
        return [self._average]


def test_a_fit_finds_the_minimum_and_counts_its_steps() -> None:
    model = Parabola()
    steps = list(Fit(model, Schedule(300, 0.1)))
    assert [step.iteration for step in steps] == list(range(1, 301))
    assert model.network.weight.item() == pytest.approx(3, abs=0.05)
    assert steps[-1].misfit < steps[0].misfit


@pytest.mark.parametrize("value", [math.nan, 1000.0])
def test_a_bad_step_is_undone_in_weights_optimizer_and_average(value: float) -> None:
    def spoil(model: Parabola) -> None:
        if model.calls == 200:
            with torch.no_grad():
                model.network.weight.fill_(value)

    model = Parabola(spoil)
    steps = list(Fit(model, Schedule(300, 0.05)))
    assert len(steps) == 299, "the bad step is not reported as one"
    assert all(step.misfit < 10 for step in steps)
    assert model.network.weight.item() == pytest.approx(3, abs=0.1)
    assert model.kept()[0].item() == pytest.approx(3, abs=0.1)


def test_a_fit_that_keeps_diverging_fails_with_advice() -> None:
    def spoil(model: Parabola) -> None:
        if model.calls > 50:
            with torch.no_grad():
                model.network.weight.fill_(math.nan)

    with pytest.raises(FitFailedError, match="learning rate"):
        list(Fit(Parabola(spoil), Schedule(300, 0.05)))


def test_the_learning_rate_warms_up_and_decays() -> None:
    schedule = Schedule(100, 0.2, warm_up=9, cool_down=50)
    rates = [schedule.rate(iteration, 100) for iteration in range(100)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[9:51] == pytest.approx([0.2] * 42)
    assert rates[99] < 0.001
    assert Schedule(100, 0.2).rate(99, 100) == 0.2


def test_a_settled_fit_only_cools_down() -> None:
    class AtOnce:
        asked = 0
        adds_nothing = False

        def settled(self, _iteration: int, _misfit: float) -> bool:
            self.asked += 1
            return True

        def restart(self) -> None:
            pass

    rule = AtOnce()
    fit = Fit(Parabola(), Schedule(300, 0.1, cool_down=20), rule)
    steps = list(fit)
    assert steps[-1].iteration == steps[-1].total == 21
    assert rule.asked == 1
    fit.run_on(None)
    assert len(list(fit)) == 21
    assert rule.asked == 2, "it judges from the start"


def test_a_fit_resumes_from_its_state_with_the_same_result() -> None:
    schedule = Schedule(60, 0.05)
    unbroken = Parabola()
    expected = [step.misfit for step in Fit(unbroken, schedule)]

    first = Parabola()
    fitting = Fit(first, schedule)
    begun = [next(fitting).misfit for _ in range(25)]
    second = Parabola()
    again = Fit(second, schedule)
    again.resume(fitting.state())
    assert begun + [step.misfit for step in again] == expected
    assert second.network.weight.item() == unbroken.network.weight.item()


def test_a_completed_fit_runs_on_and_a_stopped_fit_runs_to_its_end() -> None:
    unbroken, stopped = Parabola(), Parabola()
    expected = [step.misfit for step in Fit(unbroken, Schedule(60, 0.05))]
    fit = Fit(stopped, Schedule(30, 0.05))
    misfits = [next(fit).misfit for _ in range(10)]
    fit.run_on(None)
    misfits += [step.misfit for step in fit]
    assert len(misfits) == fit.end == 30
    fit.run_on(None)
    assert misfits + [step.misfit for step in fit] == expected


def test_a_cooled_fit_that_runs_on_warms_up_and_cools_down_again() -> None:
    rates = []

    def note_rate(_model: Parabola) -> None:
        rates.append(fit._optimizer.param_groups[0]["lr"])

    fit = Fit(Parabola(note_rate), Schedule(40, 0.2, warm_up=3, cool_down=20))
    list(fit)
    fit.run_on(20)
    list(fit)
    assert len(rates) == 60
    assert rates[39] < 0.01
    assert rates[40] == pytest.approx(0.1), "the warm-up is shortened as well"
    assert rates[41:51] == pytest.approx([0.2] * 10)
    assert rates[59] < 0.01
