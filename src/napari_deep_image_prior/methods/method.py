"""A method: the registry entry of a task."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from ..fitting.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .base import Restorer
    from .task import Task

Preset = Literal["fast", "best", "paper"]
PRESETS: tuple[str, ...] = get_args(Preset)


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a task on the command line."""

    name: str
    """Name of the task's field."""
    help: str
    """Help text, one line."""
    type: Callable[[str], Any] = str
    """Converts the text of the argument to the value."""
    default: Any = None
    """Value if the option is not given."""
    choices: tuple[str, ...] | None = None
    """Accepted values; None: any."""
    required: bool = False
    """Whether the option must be given."""
    metavar: str | None = None
    """Name of the value in the help."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A task with its settings and restorers, as registered by `register_method`."""

    task: type[Task]
    """Class of the task."""
    summary: str
    """Help of its sub-command, such as "remove noise"."""
    past_participle: str
    """Suffix of its results' names, such as "denoised"."""
    presets: Mapping[str, Settings | Callable[[float], Settings]]
    """Settings by preset name, or a function that returns them for the task's magnification."""
    restorers: Mapping[type[Settings], str | type[Restorer[Any]]]
    """Restorer for each accepted class of settings: the class, or "module:name"."""
    options: tuple[Option, ...] = ()
    """The task's options on the command line."""

    @property
    def kind(self) -> str:
        """Name of the task."""
        return self.task.kind

    def settings(self, preset: str, magnification: float = 1) -> Settings:
        """Return the settings of a preset.

        Parameters
        ----------
        preset : {"fast", "best", "paper"}
        magnification : float
            The task's `magnification`.

        Raises
        ------
        ValueError
            If there is no such preset.
        """
        if preset not in PRESETS:
            raise ValueError(f"preset={preset!r} is unknown; choose one of {', '.join(PRESETS)}.")
        if preset not in self.presets:
            raise ValueError(
                f"preset={preset!r} is not available for {self.kind}; "
                f"choose one of {', '.join(self.presets)}."
            )
        made = self.presets[preset]
        return made if isinstance(made, Settings) else made(magnification)

    def check(self, settings: object) -> None:
        """Raise TypeError if the settings are not of an accepted class."""
        if not isinstance(settings, tuple(self.restorers)):
            given = settings if isinstance(settings, str) else type(settings).__name__
            accepted = " or ".join(kind.__name__ for kind in self.restorers)
            raise TypeError(
                f"settings={given} cannot be used for the task {self.kind}: use {accepted}."
            )

    def restorer(self, settings: Settings) -> type[Restorer[Any]]:
        """Return the restorer class for settings; loads torch."""
        self.check(settings)
        named = next(named for kind, named in self.restorers.items() if isinstance(settings, kind))
        return cast("type[Restorer[Any]]", resolve_name(named) if isinstance(named, str) else named)
