"""Before and after by one key: the result gives way to its source, and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.layers import Image
from napari.utils.notifications import show_info

from .provenances import latest_result, source_layer
from .proxies import unwrapped

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

KEY = "H"
"""Free in napari for all kinds of layers."""


_before: WeakKeyDictionary[ViewerModel, WeakKeyDictionary[Image, bool]] = WeakKeyDictionary()
"""Viewers that show the source: which images are visible where the result is shown again."""


def compare(viewer: ViewerModel, result: Layer | None = None) -> str:
    """Show the source of a result instead of it; once more: show the result again.

    Parameters
    ----------
    viewer : napari.Viewer
    result : Layer, optional
        None: the one that `latest_result` finds.

    Returns
    -------
    str
        What is shown now.

    Raises
    ------
    ValueError
        If there is no result, or its source is gone.
    """
    viewer = unwrapped(viewer)
    if viewer in _before:
        for layer, visible in _before.pop(viewer).items():
            layer.visible = visible
        return "after: the result is shown."
    result = latest_result(viewer) if result is None else result
    source = source_layer(viewer, result)
    if result not in viewer.layers:
        raise ValueError(f"layer '{result.name}' is not in the viewer any more: choose another result.")
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    _before[viewer] = WeakKeyDictionary({layer: _is_seen(layer, result, images) for layer in images})
    for layer in images:
        layer.visible = _is_seen(layer, source, images)
    return f"before: '{source.name}' is shown; {KEY} on the image shows the result again."


def _is_seen(layer: Image, shown: Layer, images: list[Image]) -> bool:
    """Whether a layer is visible while `shown` shall not be covered by another image."""
    if layer is shown:
        return True
    return bool(layer.visible) and images.index(layer) < images.index(shown)


def bind_compare(viewer: ViewerModel) -> None:
    """Let a key of the viewer compare."""

    def press(pressed: ViewerModel) -> None:
        try:
            pressed.status = compare(pressed)
        except ValueError as error:
            show_info(str(error))

    unwrapped(viewer).bind_key(KEY, press, overwrite=True)
