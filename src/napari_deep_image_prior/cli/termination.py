"""SIGTERM and SIGHUP end a command as an error does, so that its unfinished files are removed."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Terminated(BaseException):
    """The process was asked to end, by the signal in its argument."""


@contextmanager
def noting_whether_written(path: Path) -> Iterator[None]:
    """Note on an interruption whether the file at `path` was put in place before it."""
    before = _identity(path)
    try:
        yield
    except (KeyboardInterrupt, Terminated) as end:
        is_written = _identity(path) != before
        end.add_note(f"{path} was {'' if is_written else 'not '}written.")
        raise


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def what_is_written(end: BaseException) -> str:
    """Return what an interruption has left, as text."""
    return next(iter(getattr(end, "__notes__", ())), "no unfinished file was left.")


SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def terminable() -> Iterator[None]:
    """Raise `Terminated` on these signals, unless they are ignored (nohup).

    Not around a window, whose event loop it would not leave.
    """

    def end(number: int, _: object) -> NoReturn:
        raise Terminated(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {one: signal.getsignal(one) for one in SIGNALS}
    before = {one: how for one, how in found.items() if how not in (signal.SIG_IGN, None)}
    for one in before:
        signal.signal(one, end)
    try:
        yield
    finally:
        for one, how in before.items():
            signal.signal(one, how)
