"""Warnings of images and masks that look like a mistake."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..methods.task import Task


class CautionWarning(UserWarning):
    """An image or a mask that may be a mistake."""


def warn_of(task: Task) -> None:
    """Warn the caller's caller of what may be a mistake in a task."""
    if task.caution:
        warnings.warn(task.caution, CautionWarning, stacklevel=3)


@contextmanager
def collected_cautions() -> Iterator[list[str]]:
    """Collect the texts of these warnings, instead of showing them; others are shown at the end."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CautionWarning)
        yield texts
    for warning in caught:
        if issubclass(warning.category, CautionWarning):
            texts.append(f"{warning.message}.")
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
