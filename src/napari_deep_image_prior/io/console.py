"""Progress and messages on standard error."""

from __future__ import annotations

import shutil
import sys
import time
import unicodedata
from contextlib import suppress

ON_TERMINAL, ELSEWHERE = 0.2, 30.0
"""Seconds between two updates, on a terminal and in a log."""


class ProgressLine:
    """Shows progress: one updated line on a terminal, occasional lines in a log.

    Not `tqdm`: it would be a further dependency, and the text comes from the fit, not from a bar.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._shown = 0.0 if self._is_terminal else time.monotonic()

    def show(self, text: str) -> None:
        """Show a line if an update is due."""
        now = time.monotonic()
        if now - self._shown < (ON_TERMINAL if self._is_terminal else ELSEWHERE):
            return
        self._shown = now
        # a line that wraps could not be rewritten
        text = _plain(text)
        shown = text[: shutil.get_terminal_size().columns - 1]
        _write(f"\r\x1b[K{shown}" if self._is_terminal else f"{text}\n")

    def clear(self) -> None:
        """Clear the line on a terminal."""
        if self._is_terminal:
            _write("\r\x1b[K")


def _write(text: str) -> None:
    """Write to standard error; if it is full or closed, a result must not be lost for it."""
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _plain(text: str) -> str:
    """Return a text with control characters, which a file name may have, as escape sequences."""
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter)[0] == "C" or letter in "\u2028\u2029"
        else letter
        for letter in text
    )


def complain(message: object, *, error: bool = True) -> None:
    """Write a message in one line to standard error."""
    line = _plain(" ".join(str(message).split()))
    _write(f"deep-image-prior: {'error: ' if error else ''}{line}\n")


def say(line: str) -> None:
    """Write a line to standard output; to standard error if that is full or closed."""
    line = _plain(line)
    try:
        print(line, flush=True)
    except OSError as error:
        complain(f"{line} (standard output: {error.strerror})", error=False)
