"""The planes of a time series or z-stack, or single channels, restored one after another, like one restoration.

A fit to a volume as a whole will be a task of three spatial axes with a restorer of its own: one `Steps`,
not a stack of them. For stacks too large for memory, `planes` will have to be read and made one at a time.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import selection
from .settings import WARM, MaskedFit
from .steps import PREVIEW_SECONDS, Restoration, RestorationError
from .tasks import Inpaint, SuperResolve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from .arrays import Index
    from .settings import Settings
    from .steps import Step, Steps
    from .tasks import Task

PLANE_TELLS = ("found", "seconds", "iterations", "stop_reason", "warm_start")
"""What of a plane's own provenance stands in that of the stack."""
HOPELESS = 3
"""Failed planes after which no other is tried, if none has succeeded."""
TASK_TELLS = ("image_sha256", "missing_zlib")
"""What of a plane's task does: the rest is the same for all."""

Part = tuple["Index", "NDArray[Any]", "Steps | None"]
"""A plane: its place in the stack, its pixels, and its restoration, None if it stays as it is."""


def first_picture(task: Task, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what is shown before the first restoration: the input itself, in the result's dtype."""
    image = np.array(task.image, dtype=dtype)
    if isinstance(task, SuperResolve):
        # nearest: each large pixel takes the small one below its centre
        spatial = [axis for axis in range(image.ndim) if axis != task.channel_axis]
        for axis, factor in zip(spatial, task.factors, strict=True):
            size = task.result_shape[axis]
            nearest = np.floor((np.arange(size) + 0.5) / factor).astype(int)
            image = image.take(np.minimum(nearest, image.shape[axis] - 1), axis)
    unknown = np.asarray(task.missing) if isinstance(task, Inpaint) else ~np.isfinite(image)
    if unknown.any():
        image[unknown] = np.median(image[~unknown]).astype(image.dtype)
    return image


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
    if not fits or not all(n in (1, m) for n, m in zip(missing.shape[::-1], wanted[::-1], strict=False)):
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
    image : array
        The stack as it is shown before: its planes are overwritten by the restored ones.
    planes : sequence of (index, Steps)
        The restorations, each with the place of its plane in `image`. Planes without one stay as they are.
    called : str
        What one of them is called in what is told: plane, or channel.
    warm_start : bool
        Start each from the network of the one before, in a quarter of the steps, where both are inpaintings by
        a quick preset; of others it was measured to gain nothing.
    channel_axis : int, optional
        Of the indices, where channels are restored one by one: the one before is then of the same channel.
    """

    can_run_on = False

    def __init__(
        self,
        image: NDArray[Any],
        planes: Sequence[tuple[Index, Steps]],
        called: str = "plane",
        *,
        warm_start: bool = False,
        channel_axis: int | None = None,
    ) -> None:
        self._is_warm = warm_start and all(isinstance(steps.settings, MaskedFit) for _, steps in planes)
        self._channel_axis = channel_axis
        self.image = image
        """The stack as restored so far: the same array throughout."""
        self._planes, self._called = planes, called
        self._current = planes[0][1]
        self._done: list[tuple[Index, Restoration]] = []
        self._failed: list[tuple[Index, str]] = []  # the errors themselves would hold the fits in memory
        self._stop_requested = False
        self._steps_of_one = 0
        self._result: Restoration | None = None
        self._generator = self._working()

    @classmethod
    def of(cls, leading: tuple[int, ...], parts: Sequence[Part], **how: Any) -> StackSteps:  # noqa: ANN401
        """Return the steps of those parts that are restored; `leading`: lengths of the axes before Y and X.

        At first the stack shows what was given. `how` are the class's other arguments.
        """
        planes = [(index, steps) for index, _, steps in parts if steps is not None]
        dtype = planes[0][1].dtype
        pictures = [
            (index, values.astype(dtype) if steps is None else first_picture(steps.task, dtype))
            for index, values, steps in parts
        ]
        index, first = pictures[0]
        image = np.empty(leading + first.shape[index.count(None) :], dtype)
        for index, picture in pictures:
            image[selection(index)] = picture
        return cls(image, planes, **how)

    @property
    def task(self) -> Task:
        """What is restored: that of the first plane."""
        return self._planes[0][1].task

    @property
    def settings(self) -> Settings:
        """How each plane is restored."""
        return self._planes[0][1].settings

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the images."""
        return self.image.dtype

    @property
    def device(self) -> str:
        """The device, named for people."""
        return self._planes[0][1].device

    @property
    def wants_image(self) -> Callable[[], bool]:
        """As of `Steps`, for all planes."""
        return self._current.wants_image

    @wants_image.setter
    def wants_image(self, predicate: Callable[[], bool]) -> None:
        for _, steps in self._planes:
            steps.wants_image = predicate

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

    def run_on(self, iterations: int | None = None) -> None:  # noqa: ARG002  (the interface of Steps)
        """Refuse: the fits of the planes are gone."""
        raise RestorationError("a stack cannot be run on: each plane's fit is gone when the next one begins.")

    def provenance(self, reason: str, fitted: int | None = None) -> dict[str, Any]:  # noqa: ARG002  (as of Steps)
        """Describe how the planes were restored so far, as `Steps.provenance` does: a snapshot."""
        return self._described(reason) | {"snapshot": True}

    def _described(self, reason: str) -> dict[str, Any]:
        """Describe how the planes were restored; the task's own fields are those of the first plane."""
        made = self._planes[0][1].provenance(reason) | {
            "seconds": round(sum(done.provenance["seconds"] for _, done in self._done), 2),
            "iterations": sum(done.iterations for _, done in self._done),
            "stack_shape": list(self.image.shape),
            "stack": {"called": self._called, "warm_start": self._is_warm, "channel_axis": self._channel_axis},
            "planes": [
                {"index": list(index)}
                | {name: done.provenance["task"][name] for name in TASK_TELLS if name in done.provenance["task"]}
                | {name: done.provenance[name] for name in PLANE_TELLS if name in done.provenance}
                for index, done in self._done
            ],
        }
        if self._stop_requested:
            made["stack_stopped"] = True
        if self._failed:
            made["failed"] = [{"index": list(index), "error": error} for index, error in self._failed]
        for name in ("history", "snapshot"):  # the history of many planes would be longer than all the rest
            made.pop(name, None)
        return made

    def close(self) -> None:
        """End the fits and free their memory; a result that there is stays."""
        self._generator.close()
        for _, steps in self._planes:
            steps.close()

    def __iter__(self) -> StackSteps:
        return self

    def __next__(self) -> Step:
        return next(self._generator)

    def _working(self) -> Generator[Step, None, None]:
        latest: dict[int | None, Steps] = {}  # of each channel
        told = None
        for index, steps in self._planes:
            self._current = steps
            if self._stop_requested and (self._done or self._failed):
                break  # asked for between two planes
            channel = None if self._channel_axis is None else index[self._channel_axis]
            if self._is_warm and channel in latest:
                steps.start_from(latest[channel])
            try:
                for told in self._restoring(index, steps):
                    yield told
            except RestorationError as error:  # the planes that are done are worth having
                self._failed.append((index, str(error)))
                self.image[selection(index)] = first_picture(steps.task, self.dtype)
                steps.close()
                if len(self._failed) == HOPELESS and not self._done:
                    break
                continue
            if channel in latest:
                latest[channel].forget_network()
            latest[channel] = steps
        if told is None or not self._done:
            raise RestorationError(self._failed[0][1])
        reason = self._stop_reason()
        iterations = sum(done.iterations for _, done in self._done)
        history = [misfit for _, done in self._done for misfit in done.history]
        self._result = Restoration(self.image, reason, iterations, history, self._described(reason))
        yield replace(told, total=told.iteration, image=self.image, note=reason, seconds_left=0.0, result=self._result)

    def _restoring(self, index: Index, steps: Steps) -> Generator[Step, None, None]:
        """Make the steps of one plane, and lay its images into the stack."""
        before, started = sum(done.iterations for _, done in self._done), time.perf_counter()
        for step in steps:
            if step.image is not None:
                self.image[selection(index)] = step.image
            if step.result is not None:
                self._done.append((index, step.result))
                steps.close()
            yield self._told(step, before, time.perf_counter() - started)

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
        finished = [done.provenance["seconds"] for _, done in self._done]
        if not self._is_warm:
            return sum(finished) / len(finished) if finished else this
        # the first one starts cold; of channels one by one, the first of each
        return this if finished or self._channel_axis is not None else this / WARM

    def _told(self, step: Step, fitted: int, elapsed: float) -> Step:
        """Tell a plane's step as one of the whole stack's."""
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
