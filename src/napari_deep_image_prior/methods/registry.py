"""The methods there are: one entry for each task, and the one place where a task is registered.

Restorers are named, not imported: looking a method up loads no torch.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from ..fitting.settings import Settings
from .deep_image_prior.settings import PUBLISHED, DeepImagePriorFit
from .denoising import settings as denoising
from .denoising.task import Denoise, NoiseKind
from .inpainting import settings as inpainting
from .inpainting.task import Inpaint
from .super_resolution import settings as super_resolution
from .super_resolution.task import SuperResolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .base import Restorer
    from .task import Task

Preset = Literal["fast", "best", "paper"]
PRESETS: tuple[str, ...] = get_args(Preset)


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a task, as the command line offers it."""

    name: str
    """The field of the task."""
    help: str
    """One line, in the command's help."""
    type: Callable[[str], Any] = str
    """Makes the value from what was typed."""
    default: Any = None
    choices: tuple[str, ...] | None = None
    required: bool = False
    metavar: str | None = None


@dataclass(frozen=True, kw_only=True)
class Method:
    """One task and how it is done: registering it is all that a new task needs."""

    task: type[Task]
    summary: str
    """What it does, in the help of its sub-command: "remove noise"."""
    past_participle: str
    """What its results are called: "denoised"."""
    presets: Mapping[str, Settings | Callable[[float], Settings]]
    """Settings by the preset's name, or what makes them from the task's magnification."""
    restorers: Mapping[type[Settings], str | type[Restorer[Any]]]
    """The restorer for each class of settings that serves the task, or "module:name" of it."""
    options: tuple[Option, ...] = ()
    """The task's options on the command line."""

    @property
    def kind(self) -> str:
        """The name of the task."""
        return self.task.kind

    def settings(self, preset: str, magnification: float = 1) -> Settings:
        """Return the settings of a preset.

        Raises
        ------
        ValueError
            If there is no such preset.
        """
        if preset not in PRESETS:
            raise ValueError(f"preset={preset!r} is unknown; choose one of {', '.join(PRESETS)}.")
        if preset not in self.presets:
            raise ValueError(
                f"preset={preset!r} is not there for {self.kind}; choose one of {', '.join(self.presets)}."
            )
        made = self.presets[preset]
        return made if isinstance(made, Settings) else made(magnification)

    def check(self, settings: object) -> None:
        """Raise TypeError if settings cannot serve the task."""
        if not isinstance(settings, tuple(self.restorers)):
            given = settings if isinstance(settings, str) else type(settings).__name__
            accepted = " or ".join(kind.__name__ for kind in self.restorers)
            raise TypeError(f"settings={given} cannot serve the task {self.kind}: use {accepted}.")

    def restorer(self, settings: Settings) -> type[Restorer[Any]]:
        """Return the class of what restores the task with these settings; loads torch."""
        self.check(settings)
        named = next(named for kind, named in self.restorers.items() if isinstance(settings, kind))
        return cast("type[Restorer[Any]]", resolve_name(named) if isinstance(named, str) else named)


_METHODS: dict[str, Method] = {}
ENTRY_POINTS = "napari_deep_image_prior.methods"
"""The group in which other packages name modules that register methods."""


def register_method(method: Method) -> None:
    """Register a method; one of the same kind is replaced."""
    _METHODS[method.kind] = method


def unregister_method(kind: str) -> None:
    """Take a method out again."""
    _METHODS.pop(kind, None)


@cache
def _load_plugins() -> None:
    """Import what other packages name in the entry point group: these modules register their methods."""
    for point in entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except Exception as error:  # noqa: BLE001  (another package's: the methods here must go on working)
            warnings.warn(f"the methods of {point.value} cannot be used ({error}).", stacklevel=2)


def registered_methods() -> tuple[Method, ...]:
    """Return the methods that are registered, in that order."""
    _load_plugins()
    return tuple(_METHODS.values())


def method_of(kind: str) -> Method:
    """Return the method of a kind of task.

    Raises
    ------
    ValueError
        If there is none.
    """
    if kind not in _METHODS:
        _load_plugins()
    if kind not in _METHODS:
        raise ValueError(f"task={kind!r} is unknown; choose one of {', '.join(_METHODS)}.")
    return _METHODS[kind]


def method_for(task: object) -> Method:
    """Return the method that serves a task.

    Raises
    ------
    TypeError
        If it is no task.
    ValueError
        If its kind is not registered.
    """
    kind = getattr(type(task), "kind", None)
    if not isinstance(kind, str):
        known = ", ".join(method.task.__name__ for method in registered_methods())
        raise TypeError(f"task is a {type(task).__name__}: use one of {known}.")
    return method_of(kind)


def preset_settings(task_kind: str, preset: str, *, factor: float = 1) -> Settings:
    """Return the settings of a preset.

    Parameters
    ----------
    task_kind : {"denoise", "inpaint", "super-resolve"}
        A task's `kind`.
    preset : {"fast", "best", "paper"}
    factor : float
        Of super-resolution: the publication has other settings from 8 on.

    Raises
    ------
    ValueError
        If there is no such task or preset.

    Examples
    --------
    >>> preset_settings("super-resolve", "paper", factor=8).iterations
    4000
    """
    return method_of(task_kind).settings(preset, factor)


OLD_NAMES: Mapping[str, str] = {
    "GuidedFit": "DenoisingFit",
    "MaskedFit": "InpaintingFit",
    "CrossScaleFit": "SuperResolutionFit",
    "PriorFit": "DeepImagePriorFit",
}
"""Settings classes as they were called before they had the names of today: records written then still open."""


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """Return settings as a JSON-able dict, with the name of their class."""
    return {
        "method": type(settings).__name__,
        **json.loads(json.dumps(dataclasses.asdict(settings))),
    }


def settings_from_dict(values: Mapping[str, Any]) -> Settings:
    """Return the settings that `settings_to_dict` described.

    Raises
    ------
    ValueError
        If the method is unknown.
    """
    fields = _with_tuples(values)
    name = fields.pop("method", None)
    known = {kind.__name__: kind for method in registered_methods() for kind in method.restorers}
    kind = known.get(OLD_NAMES.get(name, name))
    if kind is None:
        raise ValueError(f"method={name!r} is unknown; choose one of {', '.join(known)}.")
    if "network" in fields:
        network: Any = kind.__dataclass_fields__["network"].default
        fields["network"] = type(network)(**_with_tuples(fields["network"]))
    return kind(**fields)


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }


def number(text: str) -> float:
    """Return a typed number, a whole one as an int."""
    value = float(text)
    return int(value) if value.is_integer() else value


_PUBLISHED = "napari_deep_image_prior.methods.deep_image_prior.restorer:DeepImagePriorRestorer"

register_method(
    Method(
        task=Denoise,
        summary="remove noise",
        past_participle="denoised",
        presets={"fast": denoising.FAST, "best": denoising.BEST, "paper": PUBLISHED["denoise"]},
        restorers={
            denoising.DenoisingFit: "napari_deep_image_prior.methods.denoising.restorer:DenoisingRestorer",
            DeepImagePriorFit: _PUBLISHED,
        },
        options=(
            Option(
                name="noise",
                default="auto",
                choices=get_args(NoiseKind),
                help="kind of noise; auto measures it (default)",
            ),
            Option(
                name="strength",
                default=1.0,
                type=float,
                help="how much noise to take out, as a factor on what was found, 0.25 to 4: less leaves grain, "
                "more smooths (default 1)",
            ),
        ),
    )
)
register_method(
    Method(
        task=Inpaint,
        summary="fill in missing pixels",
        past_participle="inpainted",
        presets={"fast": inpainting.FAST, "best": inpainting.BEST, "paper": PUBLISHED["inpaint"]},
        restorers={
            inpainting.InpaintingFit: "napari_deep_image_prior.methods.inpainting.restorer:InpaintingRestorer",
            DeepImagePriorFit: _PUBLISHED,
        },
        options=(
            Option(
                name="missing",
                required=True,
                metavar="MASK",
                help="image of the same size, or a folder of them: nonzero = unknown; "
                "for a stack of one plane or of all",
            ),
        ),
    )
)
register_method(
    Method(
        task=SuperResolve,
        summary="enlarge",
        past_participle="super-resolved",
        presets={
            "fast": super_resolution.FAST,
            "best": super_resolution.BEST,
            "paper": lambda factor: PUBLISHED[f"super-resolve-x{8 if factor >= 8 else 4}"],
        },
        restorers={
            super_resolution.SuperResolutionFit: (
                "napari_deep_image_prior.methods.super_resolution.restorer:SuperResolutionRestorer"
            ),
            DeepImagePriorFit: _PUBLISHED,
        },
        options=(
            Option(
                name="factor",
                required=True,
                type=number,
                metavar="FACTOR",
                help="how many times larger, for example 4",
            ),
        ),
    )
)
