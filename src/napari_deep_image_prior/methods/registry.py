"""The registry of methods: one entry for each task.

Restorers are named, not imported: looking up a method does not load torch.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from functools import cache
from importlib.metadata import entry_points
from reprlib import repr as shown
from typing import TYPE_CHECKING, Any, get_args

from .deconvolution import settings as deconvolution
from .deconvolution.optics import Microscope
from .deconvolution.task import Deconvolve, psf_file, sigmas
from .deconvolution.task import NoiseKind as BlurredNoiseKind
from .deep_image_prior.settings import PUBLISHED, DeepImagePriorFit
from .denoising import settings as denoising
from .denoising.task import Denoise, NoiseKind, Outliers
from .inpainting import settings as inpainting
from .inpainting.task import Inpaint
from .method import Method, Option
from .super_resolution import settings as super_resolution
from .super_resolution.task import SuperResolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..fitting.settings import Settings

LONGEST_REASON = 200
"""Characters of a message on settings that may come from a file."""


_METHODS: dict[str, Method] = {}
ENTRY_POINTS = "napari_deep_image_prior.methods"
"""Entry point group of modules in other packages that register methods."""


def register_method(method: Method) -> None:
    """Register a method; it replaces one of the same kind.

    Raises
    ------
    TypeError, ValueError
        If the method or its task cannot be used.
    """
    if not isinstance(method, Method):
        raise TypeError(f"register a Method, not a {type(method).__name__}.")
    task = method.task
    if "__dataclass_fields__" not in vars(task):
        raise TypeError(f"the task {task.__name__} is not a dataclass: decorate it.")
    if "fast" not in method.presets:
        raise ValueError(f"the method {method.kind} needs the preset 'fast', the default.")
    for option in method.options:
        if option.name not in task.option_names():
            raise ValueError(
                f"the option {option.name} of {method.kind} is not a field of {task.__name__}."
            )
    _METHODS[method.kind] = method


def unregister_method(kind: str) -> None:
    """Remove a method from the registry; unknown kinds are ignored."""
    _METHODS.pop(kind, None)


@cache
def _load_plugins() -> None:
    """Import the modules in the entry point group; they register their methods."""
    for point in entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except Exception as error:  # noqa: BLE001  (an error in another package must not break ours)
            warnings.warn(f"the methods of {point.value} cannot be used ({error}).", stacklevel=2)


def registered_methods() -> tuple[Method, ...]:
    """Return all registered methods, in the order of their registration."""
    _load_plugins()
    return tuple(_METHODS.values())


def method_of(kind: str) -> Method:
    """Return the method for a kind of task.

    Raises
    ------
    ValueError
        If the kind is not registered.
    """
    if kind not in _METHODS:
        _load_plugins()
    if kind not in _METHODS:
        raise ValueError(
            f"task={kind!r} is unknown; choose one of {', '.join(_METHODS)}, or register it with "
            "register_method."
        )
    return _METHODS[kind]


def method_for(task: object) -> Method:
    """Return the method for a task.

    Raises
    ------
    TypeError
        If `task` is not a task.
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
        Super-resolution factor; the published settings differ from 8 on.

    Returns
    -------
    Settings

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
"""Former names of settings classes, for records written by earlier versions."""


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """Return settings as a JSON-able dict; the key "method" has the name of their class."""
    return {
        "method": type(settings).__name__,
        **json.loads(json.dumps(dataclasses.asdict(settings))),
    }


def settings_from_dict(values: Mapping[str, Any]) -> Settings:
    """Return the settings from a dict of `settings_to_dict`.

    Raises
    ------
    ValueError
        If the class of settings is unknown, or a value is out of range.
    TypeError
        If a field is unknown or of another type.
    """
    fields = _with_tuples(values)
    name = str(fields.pop("method", None))
    known = {kind.__name__: kind for method in registered_methods() for kind in method.restorers}
    kind = known.get(OLD_NAMES.get(name, name))
    if kind is None:
        raise ValueError(f"method={shown(name)} is unknown; choose one of {', '.join(known)}.")
    try:
        if "network" in fields:
            network: Any = kind.__dataclass_fields__["network"].default
            fields["network"] = type(network)(**_with_tuples(fields["network"]))
        return kind(**fields)
    except (TypeError, AttributeError, KeyError) as error:
        reason = str(error).replace(f"{kind.__name__}.__init__() ", "")[:LONGEST_REASON]
        raise ValueError(f"these settings of {kind.__name__} cannot be used: {reason}") from error


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }


def number(text: str) -> float:
    """Parse a number; whole numbers become int."""
    value = float(text)
    return int(value) if value.is_integer() else value


def numbers(text: str) -> float | list[float]:
    """Parse a number, or several separated by commas."""
    values = [number(part) for part in text.split(",")]
    return values[0] if len(values) == 1 else values


_ROOM = "napari_deep_image_prior.methods"
_PUBLISHED = f"{_ROOM}.deep_image_prior.restorer:DeepImagePriorRestorer"

register_method(
    Method(
        task=Denoise,
        summary="remove noise",
        past_participle="denoised",
        presets={"fast": denoising.FAST, "best": denoising.BEST, "paper": PUBLISHED["denoise"]},
        restorers={
            denoising.DenoisingFit: f"{_ROOM}.denoising.restorer:DenoisingRestorer",
            DeepImagePriorFit: _PUBLISHED,
        },
        options=(
            Option(
                name="noise",
                default="auto",
                choices=get_args(NoiseKind),
                help="kind of noise; auto detects it (default)",
            ),
            Option(
                name="strength",
                default=1.0,
                type=float,
                help="denoising strength relative to the estimated noise, 0.25 to 4: "
                "below 1 removes less, above 1 smooths more (default 1)",
            ),
            Option(
                name="outliers",
                default="keep",
                choices=get_args(Outliers),
                help="fill: treat hot and dead pixels, cosmic rays and other single outlying "
                "pixels as unknown (default keep)",
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
            inpainting.InpaintingFit: f"{_ROOM}.inpainting.restorer:InpaintingRestorer",
            DeepImagePriorFit: _PUBLISHED,
        },
        options=(
            Option(
                name="missing",
                required=True,
                metavar="MASK",
                help="mask image of the same size, or a folder of them: nonzero = unknown; "
                "for a stack, one mask for all planes or one for each",
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
                f"{_ROOM}.super_resolution.restorer:SuperResolutionRestorer"
            ),
            DeepImagePriorFit: _PUBLISHED,
        },
        options=(
            Option(
                name="factor",
                required=True,
                type=numbers,
                metavar="FACTOR",
                help="enlargement factor, for example 4; 3,1,1 along Z, Y and X of a volume",
            ),
        ),
    )
)
register_method(
    Method(
        task=Deconvolve,
        summary="remove the blur of a known point spread function",
        past_participle="deconvolved",
        presets={
            "fast": deconvolution.FAST,
            "best": deconvolution.BEST,
            "paper": PUBLISHED["deconvolve"],
        },
        restorers={
            deconvolution.DeconvolutionFit: f"{_ROOM}.deconvolution.restorer:DeconvolutionRestorer",
            DeepImagePriorFit: _PUBLISHED,
        },
        options=(
            Option(
                name="psf",
                type=psf_file,
                metavar="PSF",
                help="image file of the point spread function, with the pixels of the image",
            ),
            Option(
                name="psf_sigma",
                type=sigmas,
                metavar="SIGMA",
                help="standard deviation of a Gaussian point spread function in pixels, or one for "
                "each axis: 1.5,2,2",
            ),
            Option(name="na", type=float, help="numerical aperture of the objective, as 1.4"),
            Option(name="wavelength", type=float, help="emitted light in nanometers, as 520"),
            Option(
                name="refractive_index",
                type=float,
                help="refractive index of the immersion, as 1.518 for oil",
            ),
            Option(
                name="sample_index",
                type=float,
                help="refractive index of the sample (default: of the immersion)",
            ),
            Option(
                name="depth",
                type=float,
                default=0.0,
                help="depth below the cover slip in micrometers (default 0)",
            ),
            Option(
                name="microscope",
                default="widefield",
                choices=get_args(Microscope),
                help="kind of microscope (default widefield)",
            ),
            Option(
                name="background",
                type=float,
                default=0.0,
                help="intensity without light, below which the result does not fall (default 0)",
            ),
            Option(
                name="noise",
                default="auto",
                choices=get_args(BlurredNoiseKind),
                help="kind of noise; auto detects it (default)",
            ),
        ),
    )
)
