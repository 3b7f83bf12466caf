"""Snapshots of a fit, within a memory limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..viewer.preferences import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..layers.result import Snapshot


class History:
    """The snapshots of a fit, evenly thinned out where they would exceed `limit` bytes.

    The latest snapshot is always kept, and the first one while there is room for two. Each
    thinning drops every second of the others, and every second of later ones.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._numbered: list[tuple[int, Snapshot]] = []  # numbered in the order of `add`
        self._count, self._stride = 0, 1

    def __len__(self) -> int:
        return len(self._numbered)

    def __iter__(self) -> Iterator[Snapshot]:
        return (snapshot for _, snapshot in self._numbered)

    def __getitem__(self, index: int) -> Snapshot:
        return self._numbered[index][1]

    @property
    def nbytes(self) -> int:
        """Memory of the snapshots in bytes."""
        return sum(snapshot.image.nbytes for snapshot in self)

    @property
    def limit(self) -> int:
        """Memory limit in bytes; may be set at any time."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._thin_out()

    def add(self, snapshot: Snapshot) -> None:
        """Add the latest snapshot."""
        if self._numbered and self._numbered[-1][0] % self._stride:
            self._numbered.pop()  # was kept only as the latest
        self._numbered.append((self._count, snapshot))
        self._count += 1
        self._thin_out()

    def replace_last(self, snapshot: Snapshot) -> None:
        """Replace the latest snapshot."""
        self._numbered[-1] = (self._numbered[-1][0], snapshot)

    def forget_from(self, iteration: int) -> None:
        """Remove the snapshots of this step and later."""
        self._numbered = [each for each in self._numbered if each[1].iteration < iteration]
        self._count = self._numbered[-1][0] + 1 if self._numbered else 0

    def clear(self) -> None:
        """Remove all snapshots."""
        self._numbered.clear()
        self._count, self._stride = 0, 1

    def _thin_out(self) -> None:
        while len(self._numbered) > 1 and self.nbytes > self._limit:
            if len(self._numbered) == 2:
                del self._numbered[0]
                return
            self._stride *= 2
            self._numbered = [
                *(each for each in self._numbered[:-1] if each[0] % self._stride == 0),
                self._numbered[-1],
            ]
