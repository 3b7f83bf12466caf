"""Before and after by one key: the result gives way to its source, and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari.layers import Image
from napari.utils.notifications import show_info

from ..layers.provenance import latest_result, source_layer
from ..viewer.proxies import unwrap_proxy
from ..viewer.state import state_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

SHORTCUT = "H"
"""Free in napari for all kinds of layers."""


class _Before:
    """Whether a viewer shows the source of a result in its place."""

    def __init__(self) -> None:
        self.visible: WeakKeyDictionary[Image, bool] | None = None
        """Which images are visible where the result is shown again; None: it is shown."""


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
            f"layer '{result.name}' is not in the viewer any more: choose another result."
        )
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    before.visible = WeakKeyDictionary({layer: _is_seen(layer, result, images) for layer in images})
    for layer in images:
        layer.visible = _is_seen(layer, source, images)
    return f"before: '{source.name}' is shown; {SHORTCUT} on the image shows the result again."


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

    unwrap_proxy(viewer).bind_key(SHORTCUT, press, overwrite=True)
