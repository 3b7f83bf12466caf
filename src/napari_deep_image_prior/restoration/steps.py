"""The steps of a single restoration: its progress, result, provenance and control."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from inspect import GEN_SUSPENDED, getgeneratorstate
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..arrays import cast, channels_back
from ..encoding import fingerprint
from ..fitting.base import FITTING, FitFailedError, Progress
from ..generators import mapped
from ..methods.registry import method_of
from .base import FINISHING, PREVIEW_SECONDS, Restoration, RestorationError, Step, explained_errors
from .consumer import Consumer
from .devices import device_name, fit_environment
from .fit_record import FitRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray

    from ..fitting.settings import Settings
    from ..methods.base import Restorer
    from ..methods.task import Task
    from .provenance import RestorationSpec


class Steps:
    """A running restoration, as returned by `iter_restore`: iterate over it for its steps.

    After its end the fit stays in memory, to be run on, until it is closed or garbage-collected.
    """

    def __init__(self, spec: RestorationSpec) -> None:
        self._record, self._consumer = FitRecord(spec), Consumer()
        self._result: Restoration | None = None
        # a function without a reference to self: dropping the Steps ends it at once
        self._generator = _restoring(self._record, self._consumer)

    @property
    def task(self) -> Task:
        """The task; with the current mask if it was repainted."""
        return self._record.spec.task

    @property
    def settings(self) -> Settings:
        """The settings of the fit."""
        return self._record.spec.settings

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the images."""
        return self._record.spec.dtype

    @property
    def device(self) -> str:
        """The device, as text for users."""
        return device_name(self._record.spec.device, self._record.spec.threads)

    is_one_fit = True

    @property
    def initial_image(self) -> NDArray[Any]:
        """The preview before the first step: the input itself."""
        return self.task.initial_image(self.dtype)

    @property
    def wants_image(self) -> Callable[[], bool]:
        """Predicate called after each step that changed the estimate: whether to send an image.

        By default `image_is_due`.
        """
        return self._consumer.wants_image or self._consumer.image_is_due

    @wants_image.setter
    def wants_image(self, predicate: Callable[[], bool]) -> None:
        self._consumer.wants_image = predicate

    def image_is_due(self, seconds: float = PREVIEW_SECONDS) -> bool:
        """Return whether `seconds` have passed since the last image, more if images are costly."""
        return self._consumer.image_is_due(seconds)

    @property
    def result(self) -> Restoration:
        """The result; raises RestorationError before the last step."""
        if self._result is None:
            raise RestorationError("there is no result yet: iterate to the end first.")
        return self._result

    def stop(self) -> None:
        """End the fit after the current step; the current estimate becomes the result."""
        self._consumer.stop_requested = True

    @property
    def can_run_on(self) -> bool:
        """Whether the fit has ended with a result and is still in memory."""
        is_held = getgeneratorstate(self._generator) == GEN_SUSPENDED
        has_fit = self._record.spec.fitted is None and self.settings.can_run_on
        return self._result is not None and is_held and has_fit

    def run_on(self, iterations: int | None = None) -> None:
        """Continue a fit that has ended: iterate again, to another result.

        Parameters
        ----------
        iterations : int, optional
            Further steps of the network's fit, 1 or more. None: a stopped fit runs to its planned
            end, a completed fit for the same number of steps again.

        Raises
        ------
        RestorationError
            If there is no result yet, or the fit's memory was freed by `close`.
        ValueError
            If `iterations` is out of range.

        Notes
        -----
        The published method has a constant learning rate: 500 steps and 500 more equal 1000. In the
        other fits the learning rate has fallen to 0 at the end; it rises and falls again.
        """
        if iterations is not None and (
            isinstance(iterations, bool) or int(iterations) != iterations or iterations < 1
        ):
            raise ValueError(
                f"iterations={iterations!r} must be a whole number, 1 or more, or None."
            )
        if self._record.spec.fitted is not None:
            raise RestorationError(
                "a network fitted to other images was applied: there is no fit to run on."
            )
        if not self.settings.can_run_on:
            raise RestorationError(
                "the mean of several runs cannot be run on: their networks were discarded."
            )
        if not self.can_run_on:
            raise RestorationError(
                "there is no fit to run on: it is still running, failed or was closed."
            )
        self._record.run_on.append({"after": len(self._record.history), "iterations": iterations})
        self._consumer.more, self._consumer.stop_requested = iterations, False
        self._record.restart()
        self._result = None

    def repaint(self, missing: ArrayLike) -> None:
        """Replace the mask of an inpainting from its next step on; may be called from any thread.

        Parameters
        ----------
        missing : bool array, True = unknown
            As of `Inpaint`.

        Raises
        ------
        TypeError
            If the task has no mask, or `missing` is not boolean.
        ValueError
            If the mask has another shape than the image, is empty or full.
        """
        self._consumer.repainted.append(self.task.repainted(missing))

    @property
    def can_give_a_start(self) -> bool:
        """Whether the fit has ended and its network can start another fit."""
        return self._consumer.network is not None

    def forget_network(self) -> None:
        """Free the network that could start another fit."""
        self._consumer.network = None

    def start_from(self, other: Steps) -> None:
        """Warm-start from the network of a similar image's inpainting, for a quarter of the steps.

        Call it before the first step. `other` must have ended; it may have been closed.

        Raises
        ------
        RestorationError
            If one of both is not an inpainting with `InpaintingFit`, or `other` has not ended.
        """
        warm = self.settings.warm_started()
        if not other.can_give_a_start or warm is None:
            raise RestorationError(
                "there is no network to start from: both must be inpaintings with preset fast or "
                "best, and the first must have ended."
            )
        self._consumer.start = other._consumer.network
        self._record.spec = replace(self._record.spec, settings=warm, preset=None)
        self._record.warm_start = fingerprint(np.asarray(other.task.image))

    def provenance(self, reason: str, fitted: int | None = None) -> dict[str, Any]:
        """Return the provenance now, or as it was after `fitted` steps of the network's fit.

        Its key "snapshot" says that `repeat` cannot reproduce an intermediate image.
        """
        return self._record.provenance(reason, fitted) | {"snapshot": True}

    def close(self) -> None:
        """End the fit and free its memory; the result remains."""
        self._generator.close()

    def __iter__(self) -> Steps:
        return self

    def __next__(self) -> Step:
        if self._result is not None:
            raise StopIteration  # the generator is suspended and holds the fit, to be run on
        # only during a step: the caller's own use of torch is not affected
        with (
            self._record.clock.working(),
            fit_environment(self._record.spec.threads, self._record.spec.workers),
        ):
            step = next(self._generator)
        if step.result is not None:
            self._result = step.result
        return step

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        generator = getattr(self, "_generator", None)
        if generator is not None and not generator.gi_running:
            generator.close()


def _finite(spec: RestorationSpec, image: NDArray[np.float64]) -> NDArray[Any]:
    """Convert a (C, Y, X) or (C, Z, Y, X) image to the requested axes and dtype."""
    spatial = spec.task.result_spatial_shape
    if image.shape[1:] != spatial:
        wanted = f"(C, {', '.join(map(str, spatial))})"
        raise FitFailedError(f"the restorer gave shape {image.shape} in place of {wanted}.")
    if not np.isfinite(image).all():
        raise FitFailedError(
            "the fit gave values that are not finite: use a lower learning rate or another seed."
        )
    with np.errstate(over="ignore"):
        result = cast(channels_back(image, spec.task.channel_axis), spec.dtype)
    vanishes = spec.dtype.kind == "f" and image.any() and not result.any()
    if vanishes or not np.isfinite(result).all():
        raise FitFailedError(
            f"the intensities exceed the range of {spec.dtype}: use dtype='float64'."
        )
    return result


def _restoring(record: FitRecord, consumer: Consumer) -> Generator[Step, None, None]:
    """Yield the steps of a restoration; the last one has the result.

    Resumed after that, it continues the fit.
    """
    spec = record.spec
    with explained_errors(spec.device):
        made_by = method_of(spec.task.kind).restorer(spec.settings)
        restorer = made_by.for_task(spec.task, spec.settings, spec.device, spec.seed)
        if spec.fitted is not None:
            restorer.apply(spec.fitted.weights, adds_nothing=spec.fitted.adds_nothing)
        if consumer.start is not None:
            restorer.start_from(consumer.start)
            consumer.start = None
        while True:
            last = yield from _fitting(restorer, record, consumer)
            # read now: a stop request while finishing has no effect
            stopped_after = last.iteration if consumer.stop_requested else None
            final = yield from mapped(
                restorer.finish(), partial(_finishing, restorer, record, last)
            )
            record.noise_summary = restorer.noise_summary
            reason = restorer.stop_reason
            if stopped_after is not None:
                reason = _stopped(last)
            made = record.provenance(reason, stopped_after=stopped_after)
            image = _finite(spec, final)
            result = Restoration(image, reason, len(record.history), list(record.history), made)
            consumer.network = restorer.network()
            yield replace(
                last,
                total=last.iteration,
                image=image,
                note=reason,
                seconds_left=0.0,
                stage=FINISHING,
                place=reason,
                fraction=1.0,
                result=result,
            )
            restorer.run_on(consumer.more)


def _fitting(
    restorer: Restorer[Any], record: FitRecord, consumer: Consumer
) -> Generator[Step, None, Step]:
    """Yield the steps of the fit, and return the last one."""
    _apply_new_mask(restorer, record, consumer)  # painted while the fit was suspended
    step = Step(0, 0, 0.0, None, "", None, 0)  # of a restorer without steps
    if record.spec.device.type == "cpu":  # a trial would delay a GPU
        record.clock.assumed_rates = restorer.measured_rates()
    has_changed = False
    for done in restorer.steps():
        record.noise_summary = restorer.noise_summary
        if done.misfit is not None:
            record.history.append(done.misfit)
        left = record.clock.seconds_left(done.stage, restorer.work(done))
        consumer.stop_requested |= done.iteration == record.spec.stop_after
        is_last = consumer.stop_requested or done.iteration >= done.total
        has_changed |= done.changed
        image = None
        if has_changed and not is_last:
            image = consumer.preview(lambda: _finite(record.spec, restorer.estimate()))
            has_changed = image is None
        fitted = len(record.history)
        step = Step(
            done.iteration,
            done.total,
            done.misfit or 0.0,
            image,
            "finishing" if is_last else restorer.note,
            left,
            fitted,
            done.stage,
            place_of(done, fitted),
            record.fraction(left, done.iteration / max(done.total, 1)),
        )
        yield step
        _apply_new_mask(restorer, record, consumer)
        if consumer.stop_requested:
            break
    return replace(step, image=None, note="finishing", seconds_left=None)


def place_of(done: Progress, fitted: int) -> str:
    """Return the stage and what is done of it; steps of the network's fit are counted alone."""
    if done.stage != FITTING:
        return f"{done.stage}, {100 * done.fraction:.0f} %" if done.fraction else done.stage
    before = done.iteration - fitted if done.misfit is not None else 0
    return f"{done.stage}, step {done.iteration - before} of {done.total - before}"


def _stopped(last: Step) -> str:
    """Return when the user stopped the restoration, as text."""
    if last.stage != FITTING:
        return f"stopped by the user in the stage: {last.stage}"
    return f"stopped by the user after {last.place.partition(' step ')[2]} steps"


def _finishing(restorer: Restorer[Any], record: FitRecord, last: Step, doing: str | None) -> Step:
    """Return the last step again, with what is being finished."""
    left = record.clock.seconds_left("", restorer.work(Progress(last.iteration, last.iteration)))
    return replace(
        last,
        seconds_left=left or None,
        stage=FINISHING,
        place=f"{FINISHING}: {doing}" if doing else FINISHING,
        fraction=record.fraction(left, 1.0),
    )


def _apply_new_mask(restorer: Restorer[Any], record: FitRecord, consumer: Consumer) -> None:
    if consumer.repainted:
        task = consumer.repainted.pop()
        record.spec = replace(record.spec, task=task)
        record.repainted.append(len(record.history))
        restorer.remeasure(task, record.spec.device)
