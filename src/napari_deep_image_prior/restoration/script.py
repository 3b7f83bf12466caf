"""A Python script that repeats a restoration."""

from __future__ import annotations

from pathlib import Path
from pprint import pformat
from typing import TYPE_CHECKING, Any

import numpy as np

from ..io.files import is_on_network
from .record import checked_record
from .repeat import check_repeatable, recognized, repeated_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


def script(provenance: Mapping[str, Any]) -> str:
    """Return a Python script that repeats the restoration of a provenance.

    It reads the file of the image, if the provenance names one.

    Raises
    ------
    ValueError
        If `provenance` is not a provenance record or cannot be repeated.
    """
    provenance = checked_record(provenance)
    check_repeatable(provenance)
    task = provenance["task"]
    version = provenance["versions"]["napari-deep-image-prior"]
    short = {name: value for name, value in provenance.items() if name not in ("history", "source")}
    made = pformat(short, width=110, sort_dicts=False)
    imports, reading = _reading(provenance)
    header = f"{task['kind'].capitalize()} one image, with napari-deep-image-prior {version}."
    return f"""{_comment(header)}

{imports}import napari_deep_image_prior as dip

{reading}
made = {made}
result = dip.repeat(made, image)  # raises an error if the image is not the restored one
restored = result.image
"""


def _comment(text: str) -> str:
    """Return a text as a comment: it may come from a file, and must not become code."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"# {' '.join(shown.split())}"


def _read_tiff(path: str) -> Any:  # noqa: ANN401  (tifffile is untyped)
    import tifffile

    return tifffile.imread(path)


def _read_picture(path: str) -> Any:  # noqa: ANN401  (an array)
    from PIL import Image

    with Image.open(path, formats=("PNG", "JPEG", "BMP")) as picture:
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
"""Readers by file suffix: a script's imports, its expression, and a function that does the same."""


def _reading(provenance: Mapping[str, Any]) -> tuple[str, str]:
    """Return the lines of a script that import a reader and that read the image."""
    task, source = provenance["task"], provenance.get("source", {})
    path = source.get("path") or ""
    reader = next(
        (how for suffixes, how in _READERS.items() if Path(path).suffix.lower() in suffixes), None
    )
    index = None if reader is None else _index_in_file(path, reader[2], provenance)
    if reader is None or index is None:
        wanted = f"{task['image_dtype']}, shape {tuple(task['shape'])}"
        if "stack" in provenance:
            wanted = f"the whole stack, {task['image_dtype']}"
        where = f", {where_from(source)}" if source else ""
        hint = _comment(f"put the image here as an array: {wanted}{where}")
        return "", f"{hint}\nimage = ...\n"
    imports, expression, _ = reader
    return imports, f"image = {expression.format(path=path)}{index}\n"


def _index_in_file(
    path: str, read: Callable[[str], Any], provenance: Mapping[str, Any]
) -> str | None:
    """Return the indexing expression of the image in a file's array; None if it is not in the file.

    The layer may be one of several from the file, each with one channel.
    """
    source = provenance["source"]
    plane = tuple(slice(None) if i is None else i for i in source["plane"])  # all of the channels
    inside = [(*plane, *(slice(*ends) for ends in source.get("region") or ()))]
    inside += [(..., slice(None, 3))] if source["rgb"] else []
    try:
        # opening a named pipe would wait for ever
        if is_on_network(path) or not Path(path).is_file():
            return _indexing(inside)
        whole = np.asarray(read(path))
    except Exception:  # noqa: BLE001  (the readers raise whatever a broken file leads them to)
        return _indexing(inside)  # the file may exist where the script runs
    channels = [
        (*[slice(None)] * axis, i)
        for axis in range(whole.ndim - 2)
        for i in range(whole.shape[axis])
    ]
    channels += [(..., i) for i in range(whole.shape[-1])] if whole.ndim > 2 else []
    candidates = [inside, *([channel, *inside] for channel in channels)]
    return next(
        (_indexing(steps) for steps in candidates if _is_there(whole, steps, provenance)), None
    )


def _is_there(
    whole: NDArray[Any], steps: list[tuple[Any, ...]], provenance: Mapping[str, Any]
) -> bool:
    try:
        for step in steps:
            whole = whole[step]
        if "stack" in provenance:
            repeated_stack(provenance, whole).close()
        else:
            recognized(whole, provenance["task"])
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
    """Return the layer, plane and region of a result's source as text."""
    index = ", ".join("all" if i is None else str(i) for i in source["plane"])
    plane = f", plane {index}" if index else ""
    if (region := source.get("region")) is not None:
        (top, bottom), (left, right) = region
        plane += f", rows {top} to {bottom - 1}, columns {left} to {right - 1}"
    return f"layer '{source['layer']}'{plane}"
