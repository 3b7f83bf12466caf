"""What the queue knows of the jobs in it."""

from __future__ import annotations

from typing import Literal, Protocol

State = Literal["waiting", "running", "paused", "stopping", "done", "cancelled", "failed"]


class Job(Protocol):
    """Work for a viewer that takes a thread of its own, in its turn."""

    @property
    def state(self) -> State:
        """How far it is."""
        ...

    @property
    def is_active(self) -> bool:
        """Whether it waits or works, and has not ended yet."""
        ...

    def begin(self) -> None:
        """Take the turn: everything before it has ended."""
        ...

    def launch(self) -> None:
        """Start the work: a thread is free."""
        ...

    def cancel(self) -> None:
        """End without a result."""
        ...

    def abandon(self, message: str) -> None:
        """End without a result, as what it works for is gone."""
        ...

    def release(self) -> None:
        """Free the memory that is only needed to go on after the end."""
        ...
