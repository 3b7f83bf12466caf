"""Snapshots of a fit as it evolves, within a bound of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..viewer.preferences import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..layers.result import Snapshot


class History:
    """The snapshots of a fit, evenly thinned out where they would outgrow `limit` bytes.

    The newest one always stays, the first one as long as there is room for two. Each
    thinning drops every second of the others, and every second of those to come.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._taken: list[tuple[int, Snapshot]] = []  # each with its number in the order of taking
        self._count, self._stride = 0, 1

    def __len__(self) -> int:
        return len(self._taken)

    def __iter__(self) -> Iterator[Snapshot]:
        return (snapshot for _, snapshot in self._taken)

    def __getitem__(self, index: int) -> Snapshot:
        return self._taken[index][1]

    @property
    def nbytes(self) -> int:
        """Memory that the snapshots take."""
        return sum(snapshot.image.nbytes for snapshot in self)

    @property
    def limit(self) -> int:
        """Memory that they may take, in bytes; may be set at any time."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._thin_out()

    def add(self, snapshot: Snapshot) -> None:
        """Take a snapshot; it is the newest."""
        if self._taken and self._taken[-1][0] % self._stride:
            self._taken.pop()  # was there only as the newest
        self._taken.append((self._count, snapshot))
        self._count += 1
        self._thin_out()

    def clear(self) -> None:
        """Free the memory."""
        self._taken.clear()
        self._count, self._stride = 0, 1

    def _thin_out(self) -> None:
        while len(self._taken) > 1 and self.nbytes > self._limit:
            if len(self._taken) == 2:
                del self._taken[0]
                return
            self._stride *= 2
            self._taken = [
                *(each for each in self._taken[:-1] if each[0] % self._stride == 0),
                self._taken[-1],
            ]
