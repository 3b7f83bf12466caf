"""The planes of a time series or z-stack, or single channels, restored one after another, like one restoration.

Planes are read, restored, written and released one at a time: beside the destination, only one of them is in memory.
A fit to a volume as a whole will be a task of three spatial axes with a restorer of its own: one `Steps`, not a stack.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import result_dtype, selection
from ..fitting.settings import WARM
from .api import iter_restore
from .base import PREVIEW_SECONDS, Restoration, RestorationError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ..arrays import Index
    from ..fitting.settings import Settings
    from ..methods.task import Task
    from .base import Step
    from .steps import Steps

PLANE_KEYS = ("found", "seconds", "iterations", "stop_reason", "warm_start")
"""What of a plane's own provenance stands in that of the stack."""
TASK_KEYS = ("image_sha256", "missing_zlib")
"""What of a plane's task does: the rest is the same for all."""
MAX_INITIAL_FAILURES = 3
"""Failed planes after which no other is tried, if none has succeeded."""


@dataclass(frozen=True)
class StackPart:
    """A plane of a stack, not yet in memory."""

    index: Index
    """Its place in the stack."""
    load: Callable[[], tuple[NDArray[Any], Task | None]]
    """Reads its pixels and makes its task, None if it stays as it is; called again when it is its turn."""


@dataclass(frozen=True)
class _Done:
    """What is kept of a restored plane, once its image is in the destination."""

    iterations: int
    history: list[float]
    seconds: float
    described: dict[str, Any]


def mask_of_planes(missing: NDArray[np.bool_], wanted: tuple[int, ...]) -> NDArray[np.bool_]:
    """Spread a mask over the planes of a stack: it may be of one plane, or have one for each.

    Raises
    ------
    ValueError
        If it does not fit the stack's shape, `wanted`.
    """
    while missing.ndim > len(wanted) and len(missing) == 1:
        missing = missing[0]
    fits = missing.shape[-2:] == wanted[-2:] and missing.ndim <= len(wanted)
    if not fits or not all(
        n in (1, m) for n, m in zip(missing.shape[::-1], wanted[::-1], strict=False)
    ):
        raise ValueError(
            f"the mask (shape {missing.shape}) does not lie on the stack (shape {wanted}): "
            "for all planes it needs the same pixels, in one plane or in each."
        )
    return np.broadcast_to(missing, wanted)


class StackSteps:
    """Drives the restorations of planes one after another; what `Steps` does for one, but run on and repaint.

    A plane whose fit fails stays as it was given, and the stop reason says so; it is an error if the first three
    fail, or all.

    Parameters
    ----------
    planes : sequence of (index, factory)
        The place of each plane in the destination, and what makes its task when it is its turn.
    destination : array, or a store that is indexed like one
        Takes the restored planes. What lies in it before is what is shown of planes that are not done.
    options : mapping
        Those of `iter_restore`, the same for each plane.
    called : str
        What one of them is called in messages: plane, or channel.
    warm_start : bool
        Start each from the network of the one before, in a quarter of the steps, where their settings allow it
        (inpainting by a quick preset); of others it was measured to gain nothing.
    channel_axis : int, optional
        Of the indices, where channels are restored one by one: the one before is then of the same channel.
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
        """The stack as restored so far: the same array throughout."""
        self._wants_image: Callable[[], bool] | None = None
        self._first = self._current = iter_restore(planes[0][1](), **options)
        self._is_warm = warm_start and self.settings.warm_started() is not None
        self._done: list[tuple[Index, _Done]] = []
        self._failed: list[
            tuple[Index, str]
        ] = []  # the errors themselves would hold the fits in memory
        self._stop_requested = False
        self._steps_of_one = 0
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
        """Return the steps of those parts that are restored, into an array that shows what was given at first.

        `leading`: lengths of the axes before Y and X. Every part is read once, to be shown and checked, and read again
        when it is its turn. `how` are the class's other arguments.

        Raises
        ------
        ValueError, TypeError
            If the task of a part cannot be made, or no part has one.
        """
        planes: list[tuple[Index, Callable[[], Task]]] = []
        image: NDArray[Any] | None = None
        for part in parts:
            pixels, task = part.load()
            dtype = result_dtype(options.get("dtype", "float32"), pixels.dtype)
            shown = pixels.astype(dtype) if task is None else task.initial_image(dtype)
            if image is None:
                image = np.empty(leading + shown.shape[part.index.count(None) :], dtype)
            image[selection(part.index)] = shown
            if task is not None:
                planes.append((part.index, _task_of(part)))
        if not planes:
            raise ValueError(
                "no pixel is missing in any plane: mark the unknown pixels in the mask (or NaN in the image)."
            )
        return cls(planes, image, options, **how)

    @property
    def task(self) -> Task:
        """What is restored: that of the first plane."""
        return self._first.task

    @property
    def settings(self) -> Settings:
        """How each plane is restored."""
        return self._first.settings

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the images."""
        return self._first.dtype

    @property
    def device(self) -> str:
        """The device, named for people."""
        return self._first.device

    @property
    def initial_image(self) -> Any:  # noqa: ANN401  (whatever is indexed like an array)
        """What is shown before the first step: the destination."""
        return self.image

    @property
    def wants_image(self) -> Callable[[], bool]:
        """As of `Steps`, for all planes."""
        return self._wants_image or self._current.image_is_due

    @wants_image.setter
    def wants_image(self, predicate: Callable[[], bool]) -> None:
        self._wants_image = self._current.wants_image = predicate

    def image_is_due(self, seconds: float = PREVIEW_SECONDS) -> bool:
        """Return whether it is time for another image of the plane under way."""
        return self._current.image_is_due(seconds)

    @property
    def result(self) -> Restoration:
        """The outcome, once the steps have ended; until then RestorationError is raised."""
        if self._result is None:
            raise RestorationError("there is no result yet: iterate to the end first.")
        return self._result

    def stop(self) -> None:
        """End after the step it is at: keep the planes that are done and that under way; the others stay unrestored."""
        self._stop_requested = True
        self._current.stop()

    def run_on(self, iterations: int | None = None) -> None:  # noqa: ARG002  (the interface of all)
        """Refuse: the fits of the planes are gone."""
        raise RestorationError(
            "a stack cannot be run on: each plane's fit is gone when the next one begins."
        )

    def repaint(self, missing: ArrayLike) -> None:  # noqa: ARG002  (the interface of all)
        """Refuse: the planes that are done had the mask as it was."""
        raise TypeError("the mask of a stack cannot be repainted while it is restored.")

    def provenance(self, reason: str, fitted: int | None = None) -> dict[str, Any]:  # noqa: ARG002  (as of Steps)
        """Describe how the planes were restored so far, as `Steps.provenance` does: a snapshot."""
        return self._described(reason) | {"snapshot": True}

    def _described(self, reason: str) -> dict[str, Any]:
        """Describe how the planes were restored; the task's own fields are those of the first plane."""
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
        for name in (
            "history",
            "snapshot",
        ):  # the history of many planes would be longer than all the rest
            made.pop(name, None)
        return made

    def close(self) -> None:
        """End the fit under way and free its memory; a result that there is stays."""
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
                break  # asked for between two planes
            channel = None if self._channel_axis is None else index[self._channel_axis]
            steps = None
            try:
                steps = self._begin(make) if number else self._first
                if self._is_warm and channel in latest:
                    steps.start_from(latest[channel])
                for last in self._restoring(index, steps):
                    yield last
            except (
                RestorationError,
                ValueError,
            ) as error:  # the planes that are done are worth having
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
            result=self._result,
        )

    def _begin(self, make: Callable[[], Task]) -> Steps:
        """Return the steps of the next plane, which is read now."""
        steps = iter_restore(make(), **self._options)
        if self._wants_image is not None:
            steps.wants_image = self._wants_image
        self._current = steps
        if self._stop_requested:
            steps.stop()
        return steps

    def _restoring(self, index: Index, steps: Steps) -> Generator[Step, None, None]:
        """Make the steps of one plane, and lay its images into the stack."""
        before, started = sum(done.iterations for _, done in self._done), time.perf_counter()
        for step in steps:
            if step.image is not None:
                self.image[selection(index)] = step.image
            if step.result is not None:
                self._done.append((index, _summary(step.result)))
                steps.close()
            yield self._of_stack(step, before, time.perf_counter() - started)

    def _stop_reason(self) -> str:
        at = f"{self._called} {len(self._done) + len(self._failed)} of {len(self._planes)}"
        reason = f"{len(self._done)} of {len(self._planes)} {self._called}s done"
        if self._stop_requested:
            reason = f"stopped by the user in {at}"
        if self._failed:
            index, error = self._failed[0]
            place = ", ".join(str(i) for i in index if i is not None)
            others = f" and {len(self._failed) - 1} more" if len(self._failed) > 1 else ""
            reason += f"; left as given, as the fit failed: {self._called} {place}{others}, {error}"
        return reason

    def _typical_seconds(self, this: float) -> float:
        """Return how long a plane still to come takes, from the one under way and those that are done."""
        finished = [done.seconds for _, done in self._done]
        if not self._is_warm:
            return sum(finished) / len(finished) if finished else this
        # the first one starts cold; of channels one by one, the first of each
        return this if finished or self._channel_axis is not None else this / WARM

    def _of_stack(self, step: Step, fitted: int, elapsed: float) -> Step:
        """Return a plane's step as one of the whole stack's."""
        count = len(self._planes)
        number = min(len(self._done) + len(self._failed) + (step.result is None), count)
        left = step.seconds_left
        if left is not None:
            left += (count - number) * self._typical_seconds(elapsed + left)
        # counted as if all planes took as many steps; a fit that ends early leaps to its end
        self._steps_of_one = self._steps_of_one or step.total
        within = round(self._steps_of_one * step.iteration / step.total)
        failed = f" ({len(self._failed)} failed)" if self._failed else ""
        return replace(
            step,
            iteration=(number - 1) * self._steps_of_one + within,
            total=count * self._steps_of_one,
            image=None if step.image is None else self.image,
            note=f"{self._called} {number} of {count}{failed}: {step.note}",
            seconds_left=left,
            fitted=fitted + step.fitted,
            result=None,
        )


def _task_of(part: StackPart) -> Callable[[], Task]:
    """Return what reads a part again and makes its task."""

    def make() -> Task:
        _, task = part.load()
        if task is None:
            raise ValueError("there is nothing to restore in it any more.")
        return task

    return make


def _summary(result: Restoration) -> _Done:
    """Return what is kept of a plane's result: not its image, which is in the stack."""
    made = result.provenance
    described = {name: made["task"][name] for name in TASK_KEYS if name in made["task"]}
    described |= {name: made[name] for name in PLANE_KEYS if name in made}
    return _Done(result.iterations, list(result.history), made["seconds"], described)
