"""A result made again, from what is noted of how it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from pprint import pformat
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import selection
from .provenance import fingerprint, unpacked
from .restoration import iter_restore, restore
from .settings import preset_settings, settings_from_dict
from .stack import TASK_TELLS, StackSteps
from .tasks import Denoise, Inpaint, SuperResolve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .restoration import Restoration
    from .settings import Settings
    from .stack import Part
    from .tasks import Task

# what a provenance has at least, and its parts
_KEYS = (
    *("preset", "seed", "device", "device_name", "threads", "dtype"),
    *("found", "seconds", "iterations", "stop_reason", "stopped_after"),
)
_PARTS = {
    "task": ("kind", "shape", "image_dtype", "image_sha256"),
    "settings": ("method",),
    "versions": ("napari-deep-image-prior",),
}

# what task, settings and seed do not tell
_STEERED = {
    "snapshot": "it shows a fit before its end",
    "run_on": "its fit was run on after its end",
    "repainted": "its mask was repainted during the fit",
    "warm_start": "its fit began with the network of another image",
    "failed": "it is a stack, and the fits of some of its planes failed",
    "stack_stopped": "it is a stack, and was stopped before all of it was restored",
}


def repeat(provenance: Mapping[str, Any], image: ArrayLike) -> Restoration:
    """Restore an image again, as a result's provenance says.

    With the same versions, device and threads the result is the same image. Of a stack all
    planes are restored again, one after another.

    Parameters
    ----------
    provenance : dict
        `Restoration.provenance`, `layer.metadata["deep_image_prior"]`, or what a file holds.
        An inpainting's mask is in it.
    image : array
        The image that was restored then.

    Raises
    ------
    ValueError
        If it is another image, or the provenance is not one, or its device is not here, or
        the fit was steered: run on after its end, repainted, or looked at before its end.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_deep_image_prior as dip
    >>> noisy = np.random.default_rng(0).normal(100, 5, (32, 32))
    >>> first = dip.restore(dip.Denoise(noisy), settings=dip.PriorFit(iterations=2), seed=3)
    >>> np.array_equal(dip.repeat(first.provenance, noisy).image, first.image)
    True
    """
    if "stack" not in checked(provenance):
        return restore(repeated_task(provenance, image), **repeated_options(provenance))
    steps = repeated_stack(provenance, image)
    steps.wants_image = lambda: False
    try:
        for _step in steps:
            pass
        return steps.result
    finally:
        steps.close()


def check_repeatable(provenance: Mapping[str, Any]) -> None:
    """Raise ValueError if restoring again would give another image than the one that a provenance is about."""
    for key, happened in _STEERED.items():
        if provenance.get(key):
            raise ValueError(f"this image cannot be made again: {happened}. Run the restoration anew instead.")


def checked(provenance: object) -> dict[str, Any]:
    """Return a provenance if it is one: it may come from a file, or from another program.

    Raises
    ------
    ValueError
        If it lacks what this version notes.
    """
    whole = dict(provenance) if isinstance(provenance, Mapping) else {}
    parts = {name: whole.get(name) for name in _PARTS}
    lacking = [name for name in _KEYS if name not in whole]
    for name, part in parts.items():
        lacking += [name] if not isinstance(part, Mapping) else [key for key in _PARTS[name] if key not in part]
    if lacking:
        raise ValueError(f"this does not say how a result was made: it lacks {lacking[0]}.")
    return whole


def repeated_task(provenance: Mapping[str, Any], image: ArrayLike) -> Task:
    """Return the task of a provenance, after a look whether `image` is the one it is about."""
    described = checked(provenance)["task"]
    pixels = _recognised(np.asarray(image), described)
    kind = {"denoise": Denoise, "inpaint": Inpaint, "super-resolve": SuperResolve}.get(described["kind"])
    if kind is None:
        raise ValueError(f"this version does not know the task {described['kind']!r}.")
    fields = {field.name for field in dataclasses.fields(kind)}
    options = {name: value for name, value in described.items() if name in fields}
    if kind is Inpaint:
        options["missing"] = unpacked(described["missing_zlib"], described["shape"])
    task: Task = kind(pixels, **options)
    return task


def repeated_stack(provenance: Mapping[str, Any], image: ArrayLike) -> StackSteps:
    """Return the steps of all planes of a stack's provenance, after a look whether `image` is the one it is about."""
    whole, options = checked(provenance), repeated_options(provenance)
    known = {tuple(plane["index"]): plane for plane in whole["planes"]}
    first = next(iter(known))
    has_colours = len(whole["task"]["shape"]) > 2 + first.count(None)
    pixels = np.asarray(image)
    trailing = pixels.shape[-3 if has_colours else -2 :]
    leading = tuple(whole["stack_shape"][: len(first)])
    try:
        pixels = pixels.reshape(leading + trailing)
    except ValueError:
        raise ValueError(
            f"this is another stack than the one restored then: shape {pixels.shape}, not {leading + trailing}."
        ) from None
    parts: list[Part] = []
    for place in np.ndindex(*(1 if i is None else n for i, n in zip(first, leading, strict=True))):
        index = tuple(None if i is None else number for i, number in zip(first, place, strict=True))
        values, plane = pixels[selection(index)], known.get(index)
        described = whole["task"] | {name: value for name, value in (plane or {}).items() if name in TASK_TELLS}
        task = None if plane is None else repeated_task({**whole, "task": described}, values)
        parts.append((index, values, None if task is None else iter_restore(task, **options)))
    return StackSteps.of(leading, parts, **whole["stack"])


def repeated_options(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `restore` of a provenance, if they give the same image again."""
    whole = checked(provenance)
    check_repeatable(whole)
    settings, preset = settings_from_dict(whole["settings"]), whole["preset"]
    options = {name: whole[name] for name in ("seed", "device", "dtype", "threads")}
    options["stop_after"] = whole["stopped_after"]
    named = preset is not None and _of_preset(whole["task"], preset) == settings
    return options | ({"preset": preset} if named else {"settings": settings})


def script(provenance: Mapping[str, Any]) -> str:
    """Return a Python script that makes a result again.

    It reads the file that the image came from, if the provenance names one.
    """
    provenance = checked(provenance)
    check_repeatable(provenance)
    task = provenance["task"]
    version = provenance["versions"]["napari-deep-image-prior"]
    short = {name: value for name, value in provenance.items() if name not in ("history", "source")}
    made = pformat(short, width=110, sort_dicts=False)
    imports, reading = _reading(provenance)
    return f'''"""{task["kind"].capitalize()} one image, with napari-deep-image-prior {version}."""

{imports}import napari_deep_image_prior as dip

{reading}
made = {made}
result = dip.repeat(made, image)  # refuses another image than the one restored then
restored = result.image
'''


def _read_tiff(path: str) -> Any:  # noqa: ANN401  (tifffile is untyped)
    import tifffile

    return tifffile.imread(path)


def _read_picture(path: str) -> Any:  # noqa: ANN401  (an array)
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture)


_READERS: Mapping[tuple[str, ...], tuple[str, str, Callable[[str], Any]]] = {
    (".tif", ".tiff"): ("import tifffile\n\n", "tifffile.imread({path!r})", _read_tiff),
    (".png", ".jpg", ".jpeg", ".bmp"): (
        "import numpy as np\nfrom PIL import Image\n\n",
        "np.asarray(Image.open({path!r}))",
        _read_picture,
    ),
    (".npy",): ("import numpy as np\n\n", "np.load({path!r})", np.load),
}
"""How files of each kind are read: a script's imports, its expression, and what does the same here."""


def _reading(provenance: Mapping[str, Any]) -> tuple[str, str]:
    """Return the lines of a script that import a reader and read the image."""
    task, source = provenance["task"], provenance.get("source", {})
    path = source.get("path") or ""
    reader = next((how for suffixes, how in _READERS.items() if Path(path).suffix.lower() in suffixes), None)
    index = None if reader is None else _index_in_file(path, reader[2], provenance)
    if reader is None or index is None:
        wanted = f"{task['image_dtype']}, shape {tuple(task['shape'])}"
        if "stack" in provenance:
            wanted = f"the whole stack, {task['image_dtype']}"
        where = f", {where_from(source)}" if source else ""
        return "", f"# put the image here as an array: {wanted}{where}\nimage = ...\n"
    imports, expression, _ = reader
    return imports, f"image = {expression.format(path=path)}{index}\n"


def _index_in_file(path: str, read: Callable[[str], Any], provenance: Mapping[str, Any]) -> str | None:
    """Return what takes the image out of the array in a file; None if it is not there.

    The layer may be one of several that were made of the file, each of one channel.
    """
    source = provenance["source"]
    plane = tuple(slice(None) if i is None else i for i in source["plane"])  # all of the channels
    inside = [(*plane, *(slice(*ends) for ends in source.get("region") or ()))]
    inside += [(..., slice(None, 3))] if source["rgb"] else []
    try:
        whole = np.asarray(read(path))
    except Exception:  # noqa: BLE001  (the readers raise whatever a broken file leads them to)
        return _indexing(inside)  # it is not here, but may be where the script runs
    channels = [(*[slice(None)] * axis, i) for axis in range(whole.ndim - 2) for i in range(whole.shape[axis])]
    channels += [(..., i) for i in range(whole.shape[-1])] if whole.ndim > 2 else []
    candidates = [inside, *([channel, *inside] for channel in channels)]
    return next((_indexing(steps) for steps in candidates if _is_there(whole, steps, provenance)), None)


def _is_there(whole: NDArray[Any], steps: list[tuple[Any, ...]], provenance: Mapping[str, Any]) -> bool:
    try:
        for step in steps:
            whole = whole[step]
        if "stack" in provenance:
            repeated_stack(provenance, whole).close()
        else:
            _recognised(whole, provenance["task"])
    except (IndexError, ValueError):
        return False
    return True


def _indexing(steps: list[tuple[Any, ...]]) -> str:
    """Return the Python text that indexes an array step by step."""

    def text(part: Any) -> str:  # noqa: ANN401  (a number, a slice or an ellipsis)
        if isinstance(part, slice):
            return ":".join("" if end is None else str(end) for end in (part.start, part.stop))
        return "..." if part is ... else str(part)

    return "".join(f"[{', '.join(map(text, step))}]" for step in steps if step)


def where_from(source: Mapping[str, Any]) -> str:
    """Name the layer, plane and region that a result was made of."""
    index = ", ".join("all" if i is None else str(i) for i in source["plane"])
    plane = f", plane {index}" if index else ""
    if (region := source.get("region")) is not None:
        (top, bottom), (left, right) = region
        plane += f", rows {top} to {bottom - 1}, columns {left} to {right - 1}"
    return f"layer '{source['layer']}'{plane}"


def _recognised(image: NDArray[Any], described: Mapping[str, Any]) -> NDArray[Any]:
    """Return the image in the byte order it had then, if it is the same."""
    dtype = np.dtype(described["image_dtype"])
    if image.dtype.newbyteorder("=") == dtype.newbyteorder("="):  # files differ in the order of the bytes
        image = image.astype(dtype, copy=False)
    if list(image.shape) != described["shape"] or image.dtype != dtype:
        raise ValueError(
            f"this is another image than the one restored then: {image.dtype} of shape {image.shape}, "
            f"not {dtype} of shape {tuple(described['shape'])}."
        )
    if fingerprint(image) != described["image_sha256"]:
        raise ValueError("this is another image than the one restored then: its pixels differ (image_sha256).")
    return image


def _of_preset(described: Mapping[str, Any], preset: str) -> Settings:
    return preset_settings(described["kind"], preset, factor=max(described.get("factor", [1])))
