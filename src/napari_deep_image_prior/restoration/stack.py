"""Restoration of the planes of a time series or z-stack, or of single channels, in sequence.

Planes are read, restored and released one by one: the destination and one plane are in memory.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import result_dtype, selection, stack_shape, wide_enough
from ..fitting.settings import WARM
from ..methods.registry import method_of
from .api import new_steps
from .base import FINISHING, PREVIEW_SECONDS, Restoration, RestorationError
from .cautions import warn_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ..arrays import Index
    from ..fitting.settings import Settings
    from ..methods.task import Task
    from .base import Step
    from .steps import Steps

PLANE_KEYS = ("found", "seconds", "iterations", "stop_reason", "warm_start")
"""Keys of a plane's provenance that are kept in that of the stack."""
TASK_KEYS = ("image_sha256", "missing_zlib")
"""Keys of a plane's task that are kept; the others are the same for all planes."""
MAX_INITIAL_FAILURES = 3
"""Failed planes after which a stack is given up, if none has succeeded."""


@dataclass(frozen=True)
class StackPart:
    """A plane of a stack, not yet in memory."""

    index: Index
    """Its index in the stack."""
    load: Callable[[], tuple[NDArray[Any], Task | None]]
    """Returns its pixels and its task, None if it stays unchanged; called again for its fit."""


@dataclass(frozen=True)
class _Done:
    """The record of a restored plane, without its image."""

    iterations: int
    history: list[float]
    seconds: float
    described: dict[str, Any]


def place_of(index: Index) -> str:
    """Return an index in a stack as text; the axis of channels restored jointly is left out."""
    return ", ".join(str(i) for i in index if i is not None)


def task_keys(kind: str) -> tuple[str, ...]:
    """Return the keys of a task's description that differ from plane to plane."""
    return (*TASK_KEYS, *method_of(kind).task.pixelwise)


class StackSteps:
    """Restores planes in sequence, with the interface of `Steps`, but without run on and repaint.

    Without warm starts the order of the planes does not change the result. With them it does: the
    record lists the planes in the order of their fits, and `repeat` follows it.

    A plane whose fit fails is left unrestored, and the stop reason reports it. If the first three
    fail, or all, RestorationError is raised.

    Parameters
    ----------
    planes : sequence of (index, factory)
        The index of each plane in the destination, and a function that returns its task.
    destination : array, or a store that is indexed like one
        Receives the restored planes; its initial content is the preview.
    options : mapping
        Arguments of `iter_restore` for each plane.
    called : str
        The name of a plane in messages: "plane" or "channel".
    warm_start : bool
        Start each fit from the network of the previous plane, with a quarter of the steps, if its
        settings support it (`InpaintingFit`; no gain was measured for the others).
    channel_axis : int, optional
        Position of the channel in the indices if channels are restored one by one: a warm start
        is then from the same channel.
    """

    can_run_on = False
    is_one_fit = False

    def __init__(
        self,
        planes: Sequence[tuple[Index, Callable[[], Task]]],
        destination: Any,  # noqa: ANN401  (whatever is indexed like an array)
        options: Mapping[str, Any],
        called: str = "plane",
        *,
        warm_start: bool = False,
        channel_axis: int | None = None,
    ) -> None:
        self._planes, self._options, self._called = planes, options, called
        self._channel_axis = channel_axis
        self.image = destination
        """The stack, filled as planes are restored; always the same array."""
        self._wants_image: Callable[[], bool] | None = None
        self._first = self._current = new_steps(planes[0][1](), **options)
        warn_of(self._first.task)
        self._is_warm = warm_start and self.settings.warm_started() is not None
        self._done: list[tuple[Index, _Done]] = []
        # messages only: the errors themselves would keep the fits in memory
        self._failed: list[tuple[Index, str]] = []
        self._stop_requested, self._steps_of_one = False, 0
        self._latest: tuple[Index, str] = (planes[0][0], "before its first step")
        self._result: Restoration | None = None
        self._generator = self._working()

    @classmethod
    def of(
        cls,
        leading: tuple[int, ...],
        parts: Iterable[StackPart],
        options: Mapping[str, Any],
        **how: Any,  # noqa: ANN401
    ) -> StackSteps:
        """Return the steps of a stack's parts, with an array of the input as destination.

        Every part is read once for validation and preview, and again for its fit.

        Parameters
        ----------
        leading : tuple of int
            Lengths of the axes before Y and X.
        parts : iterable of StackPart
        options : mapping
            Arguments of `iter_restore` for each plane.
        **how
            Other arguments of the class.

        Raises
        ------
        ValueError, TypeError
            If the task of a part is invalid, or no part needs restoration.
        """
        planes: list[tuple[Index, Callable[[], Task]]] = []
        image: NDArray[Any] | None = None
        for part in parts:
            pixels, task = part.load()
            known = np.isfinite(pixels) if task is None else ~task.unknown
            asked = result_dtype(options.get("dtype", "float32"), pixels.dtype)
            dtype = wide_enough(asked, pixels[known])
            shown = pixels.astype(dtype) if task is None else task.initial_image(dtype)
            if image is None:
                image = np.empty(stack_shape(leading, part.index, shown.shape), dtype)
            image = image.astype(np.promote_types(dtype, image.dtype), copy=False)
            image[selection(part.index)] = shown
            if task is not None:
                planes.append((part.index, _task_of(part)))
        if image is None or not planes:
            raise ValueError(
                "nothing to restore: no pixel is missing in any plane, or no plane has data; mark "
                "the unknown pixels in the mask (or with NaN in the image)."
            )
        return cls(planes, image, {**options, "dtype": image.dtype.name}, **how)

    @property
    def task(self) -> Task:
        """The task of the first plane."""
        return self._first.task

    @property
    def settings(self) -> Settings:
        """The settings of each plane's fit."""
        return self._first.settings

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the images."""
        return self._first.dtype

    @property
    def device(self) -> str:
        """The device, as text for users."""
        return self._first.device

    @property
    def initial_image(self) -> Any:  # noqa: ANN401  (whatever is indexed like an array)
        """The preview before the first step: the destination."""
        return self.image

    @property
    def wants_image(self) -> Callable[[], bool]:
        """As in `Steps`, for all planes."""
        return self._wants_image or self._current.image_is_due

    @wants_image.setter
    def wants_image(self, predicate: Callable[[], bool]) -> None:
        self._wants_image = self._current.wants_image = predicate

    def image_is_due(self, seconds: float = PREVIEW_SECONDS) -> bool:
        """Return whether another image of the current plane is due."""
        return self._current.image_is_due(seconds)

    @property
    def result(self) -> Restoration:
        """The result; raises RestorationError before the last step."""
        if self._result is None:
            raise RestorationError("there is no result yet: iterate to the end first.")
        return self._result

    def stop(self) -> None:
        """End after the current step; the planes after the current one are left unrestored."""
        self._stop_requested = True
        self._current.stop()

    def run_on(self, iterations: int | None = None) -> None:  # noqa: ARG002  (the interface of all)
        """Raise RestorationError: the fits of the planes are not kept."""
        raise RestorationError("a stack cannot be run on: the fits of its planes are not kept.")

    def repaint(self, missing: ArrayLike) -> None:  # noqa: ARG002  (the interface of all)
        """Raise TypeError: the finished planes had the former mask."""
        raise TypeError("the mask of a stack cannot be repainted while it is restored.")

    def provenance(self, reason: str, fitted: int | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the provenance of the planes restored so far, as a snapshot."""
        return self._described(reason) | {"snapshot": True}

    def _described(self, reason: str) -> dict[str, Any]:
        """Return the provenance of the stack; the task is that of the first plane."""
        made = self._first.provenance(reason) | {
            "seconds": round(sum(done.seconds for _, done in self._done), 2),
            "iterations": sum(done.iterations for _, done in self._done),
            "stack_shape": list(self.image.shape),
            "stack": {
                "called": self._called,
                "warm_start": self._is_warm,
                "channel_axis": self._channel_axis,
            },
            "planes": [{"index": list(index)} | done.described for index, done in self._done],
        }
        if self._stop_requested:
            made["stack_stopped"] = True
        if self._failed:
            made["failed"] = [
                {"index": list(index), "error": error} for index, error in self._failed
            ]
        for name in ("history", "snapshot"):  # the history of many planes would be too long
            made.pop(name, None)
        return made

    def close(self) -> None:
        """End the current fit and free its memory; the result remains."""
        self._generator.close()
        self._current.close()

    def __iter__(self) -> StackSteps:
        return self

    def __next__(self) -> Step:
        return next(self._generator)

    def _working(self) -> Generator[Step, None, None]:
        latest: dict[int | None, Steps] = {}  # of each channel
        last = None
        for number, (index, make) in enumerate(self._planes):
            if self._stop_requested and (self._done or self._failed):
                break  # requested between two planes
            channel = None if self._channel_axis is None else index[self._channel_axis]
            steps = None
            try:
                steps = self._begin(make) if number else self._first
                if self._is_warm and channel in latest:
                    steps.start_from(latest[channel])
                for last in self._restoring(index, steps):
                    yield last
            except (RestorationError, ValueError) as error:  # keep the planes that are done
                self._failed.append((index, str(error)))
                if steps is not None:
                    self.image[selection(index)] = steps.initial_image
                    steps.close()
                if len(self._failed) == MAX_INITIAL_FAILURES and not self._done:
                    break
                continue
            if channel in latest:
                latest[channel].forget_network()
            latest[channel] = steps
        if last is None or not self._done:
            raise RestorationError(self._failed[0][1])
        reason = self._stop_reason()
        iterations = sum(done.iterations for _, done in self._done)
        history = [misfit for _, done in self._done for misfit in done.history]
        self._result = Restoration(self.image, reason, iterations, history, self._described(reason))
        yield replace(
            last,
            total=last.iteration,
            image=self.image,
            note=reason,
            seconds_left=0.0,
            fraction=1.0,
            result=self._result,
        )

    def _begin(self, make: Callable[[], Task]) -> Steps:
        """Read the next plane and return its steps."""
        steps = new_steps(make(), **self._options)
        if self._wants_image is not None:
            steps.wants_image = self._wants_image
        self._current = steps
        if self._stop_requested:
            steps.stop()
        return steps

    def _restoring(self, index: Index, steps: Steps) -> Generator[Step, None, None]:
        """Yield the steps of one plane, and write its images into the stack."""
        before, started = sum(done.iterations for _, done in self._done), time.perf_counter()
        for step in steps:
            if step.stage != FINISHING:
                done = f"at step {step.fitted}" if step.fitted else f"in the stage: {step.stage}"
                self._latest = (index, done)
            if step.image is not None:
                self.image[selection(index)] = step.image
            if step.result is not None:
                self._done.append((index, _summary(step.result)))
                steps.close()
            yield self._of_stack(index, step, before, time.perf_counter() - started)

    def _stop_reason(self) -> str:
        reason = f"{len(self._done)} of {len(self._planes)} {self._called}s done"
        if self._stop_requested:
            (index, done), number = self._latest, len(self._done) + len(self._failed)
            at = f"{self._called} {place_of(index)} ({number} of {len(self._planes)})"
            reason = f"stopped by the user in {at}, {done}"
        of_planes = (done.described["stop_reason"] for _, done in self._done)
        if alike := sum("first estimate returned" in each for each in of_planes):
            reason += f"; first estimate returned for {alike}"
        if self._failed:
            place, error = place_of(self._failed[0][0]), self._failed[0][1]
            others = f" and {len(self._failed) - 1} more" if len(self._failed) > 1 else ""
            reason += f"; fit failed, left unrestored: {self._called} {place}{others}, {error}"
        return reason

    def _typical_seconds(self, this: float) -> float:
        """Predict the seconds for each remaining plane from the current and the finished ones."""
        finished = [done.seconds for _, done in self._done]
        if not self._is_warm:
            return sum(finished) / len(finished) if finished else this
        # the first plane, of each channel, has a cold start
        return this if finished or self._channel_axis is not None else this / WARM

    def _of_stack(self, index: Index, step: Step, fitted: int, elapsed: float) -> Step:
        """Return a plane's step as a step of the whole stack."""
        count = len(self._planes)
        number = min(len(self._done) + len(self._failed) + (step.result is None), count)
        left = step.seconds_left
        if left is not None and not self._stop_requested:
            left += (count - number) * self._typical_seconds(elapsed + left)
        # counted as if all planes took as many steps; early stopping skips to the end
        self._steps_of_one = self._steps_of_one or step.total
        within = round(self._steps_of_one * step.iteration / step.total)
        failed = f", {len(self._failed)} failed" if self._failed else ""
        plane = f"{self._called} {place_of(index)} ({number} of {count}){failed}"
        return replace(
            step,
            iteration=(number - 1) * self._steps_of_one + within,
            total=count * self._steps_of_one,
            image=None if step.image is None else self.image,
            note=": ".join(filter(None, [plane, step.note])),
            seconds_left=left,
            fitted=fitted + step.fitted,
            fraction=(number - 1 + step.fraction) / count,
            result=None,
        )


def _task_of(part: StackPart) -> Callable[[], Task]:
    """Return a function that reads a part again and returns its task."""

    def make() -> Task:
        _, task = part.load()
        if task is None:
            raise ValueError("it no longer needs restoration: it changed since it was read first.")
        return task

    return make


def _summary(result: Restoration) -> _Done:
    """Return the record of a plane's result, without its image."""
    made = result.provenance
    described = {n: made["task"][n] for n in task_keys(made["task"]["kind"]) if n in made["task"]}
    described |= {name: made[name] for name in PLANE_KEYS if name in made}
    return _Done(result.iterations, list(result.history), made["seconds"], described)
