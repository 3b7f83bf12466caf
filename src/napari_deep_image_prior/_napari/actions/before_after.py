"""Before and after by one key: show the source in place of its result, and the result again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.layers import Image
from napari.utils.notifications import show_info

from ..layers.provenance import latest_result, source_layer
from ..viewer.messages import sentence
from ..viewer.proxies import unwrap_proxy
from ..viewer.state import state_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

SHORTCUT = "H"
"""napari does not use this key for any kind of layer."""


class _Before:
    """Whether a viewer shows the source of a result in its place."""

    def __init__(self) -> None:
        self.visible: WeakKeyDictionary[Image, bool] | None = None
        """The images to make visible with the result; None while the result is shown."""


def compare(viewer: ViewerModel, result: Layer | None = None) -> str:
    """Show the source of a result in place of it, or the result again.

    Parameters
    ----------
    viewer : napari.Viewer
    result : Layer, optional
        By default the one that `latest_result` returns.

    Returns
    -------
    str
        What is shown now.

    Raises
    ------
    ValueError
        If there is no result, or its source is not in the viewer.
    """
    viewer = unwrap_proxy(viewer)
    before = state_of(viewer).part(_Before)
    if before.visible is not None:
        for layer, visible in before.visible.items():
            layer.visible = visible
        before.visible = None
        return "after: the result is shown."
    result = latest_result(viewer) if result is None else result
    source = source_layer(viewer, result)
    if result not in viewer.layers:
        raise ValueError(
            f"layer '{result.name}' is no longer in the viewer: choose another result."
        )
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    before.visible = WeakKeyDictionary(
        {layer: _is_visible(layer, result, images) for layer in images}
    )
    for layer in images:
        layer.visible = _is_visible(layer, source, images)
    return f"before: '{source.name}' is shown; {SHORTCUT} on the image shows the result again."


def _is_visible(layer: Image, shown: Layer, images: list[Image]) -> bool:
    """Whether a layer is visible when no other image may cover `shown`."""
    if layer is shown:
        return True
    return bool(layer.visible) and images.index(layer) < images.index(shown)


def bind_compare(viewer: ViewerModel) -> None:
    """Bind the key for `compare` in a viewer."""

    def press(pressed: ViewerModel) -> None:
        try:
            pressed.status = sentence(compare(pressed))
        except ValueError as error:
            show_info(sentence(error))

    unwrap_proxy(viewer).bind_key(SHORTCUT, press, overwrite=True)
