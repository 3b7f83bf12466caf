"""The interface of jobs to their queue."""

from __future__ import annotations

from typing import Literal, Protocol

State = Literal["waiting", "running", "paused", "stopping", "done", "cancelled", "failed"]


class Job(Protocol):
    """Work for a viewer in a worker thread, started by the viewer's queue."""

    @property
    def state(self) -> State:
        """The stage that it has reached."""
        ...

    @property
    def is_active(self) -> bool:
        """Whether it has not ended yet."""
        ...

    def begin(self) -> None:
        """Become the current job: all jobs before it have ended."""
        ...

    def launch(self) -> None:
        """Start the worker: no other job has a thread."""
        ...

    def cancel(self) -> None:
        """End without a result."""
        ...

    def abandon(self, message: str) -> None:
        """End without a result, because its layer or window no longer exists."""
        ...

    def release(self) -> None:
        """Free the memory that only continuing an ended job needs."""
        ...
