"""Functions on generators that return a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

Yielded = TypeVar("Yielded")
Shown = TypeVar("Shown")
Result = TypeVar("Result")


def mapped(
    working: Generator[Yielded, None, Result], show: Callable[[Yielded], Shown]
) -> Generator[Shown, None, Result]:
    """Yield `show(value)` for each value of a generator, and return its return value."""
    while True:
        try:
            value = next(working)
        except StopIteration as done:
            return cast("Result", done.value)
        yield show(value)


def silent(working: Generator[object, None, Result]) -> Generator[None, None, Result]:
    """Yield None for each value of a generator, and return its return value."""
    return mapped(working, lambda _value: None)


def labeled(working: Generator[object, None, Result], text: str) -> Generator[str, None, Result]:
    """Yield `text` for each value of a generator, and return its return value."""
    return mapped(working, lambda _value: text)


def run_to_end(working: Generator[object, None, Result]) -> Result:
    """Run a generator to its end and return its return value."""
    while True:
        try:
            next(working)
        except StopIteration as done:
            return cast("Result", done.value)


def part(start: float, end: float) -> Callable[[float], float]:
    """Return the map from the fraction done of a part to that of the whole."""
    return lambda fraction: start + (end - start) * fraction
