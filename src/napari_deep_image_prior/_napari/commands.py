"""Commands of napari's command palette (Ctrl+Shift+P)."""

from collections.abc import Callable
from typing import Any

from napari import current_viewer
from napari.layers import Image
from napari.utils.notifications import show_info
from napari.viewer import Viewer  # napari passes the viewer by this annotation

from .actions.before_after import bind_compare, compare
from .jobs.current import active_run, runs_of
from .jobs.uncertainty import active_uncertainty
from .layers.files import SUFFIX, get_reader, write_layer
from .viewer.messages import sentence
from .viewer.proxies import unwrap_proxy

PLUGIN = "napari-deep-image-prior"


def quick_denoise(viewer: Viewer) -> None:
    """Denoise the active layer with the settings of the Denoise panel, which opens."""
    layer = unwrap_proxy(viewer).layers.selection.active
    if not isinstance(layer, Image):
        show_info("Select an image layer first: the active layer is denoised.")
    elif any(run.layer is layer for run in runs_of(viewer)):
        show_info(f"'{layer.name}' is still being restored: select another image layer, or wait.")
    else:
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise")
        widget.image.reset_choices()
        widget.image.value = layer
        (widget.run if active_run(viewer) is None else widget.queue).native.click()


def stop(viewer: Viewer) -> None:
    """Stop the current restoration and keep its best image; cancel an uncertainty estimate."""
    run, uncertainty = active_run(viewer), active_uncertainty(viewer)
    if run is not None:
        run.stop()
    if uncertainty is not None:
        uncertainty.cancel()
    if run is None and uncertainty is None:
        show_info("No restoration is running in this viewer.")


def toggle_before_after(viewer: Viewer) -> None:
    """Show the source in place of its result, or the result again; bind the key for it."""
    bind_compare(viewer)
    try:
        show_info(sentence(compare(viewer)))
    except ValueError as error:
        show_info(sentence(error))


def open_result(path: str | list[str] | None = None) -> Callable[[str], list[Any]] | None:
    """Return the reader of a result; without a path, from the palette, ask for one and open it."""
    if path is not None:
        return get_reader(path)
    viewer = current_viewer()
    if viewer is not None:
        chosen = _ask("Open a result", save=False)
        if chosen:
            viewer.open(chosen, plugin=PLUGIN)
    return None


def save_result(
    path: str | None = None,
    data: Any = None,  # noqa: ANN401  (any layer's data)
    attributes: dict[str, Any] | None = None,
) -> list[str]:
    """Write an image layer; without a path, from the palette, ask for one for the active layer."""
    if path is not None:
        return write_layer(path, data, attributes or {})
    viewer = current_viewer()
    layer = None if viewer is None else viewer.layers.selection.active
    if not isinstance(layer, Image):
        show_info("Select the image layer to save first.")
        return []
    chosen = _ask("Save a result", save=True)
    if not chosen:
        return []
    try:
        return write_layer(
            chosen if chosen.endswith((".tif", ".tiff")) else chosen + SUFFIX,
            *layer.as_layer_data_tuple()[:2],
        )
    except OSError as error:
        show_info(sentence(error))
        return []


def _ask(title: str, *, save: bool) -> str:
    """Return the file that the user chooses; empty if none."""
    from qtpy.QtWidgets import QFileDialog

    ask = QFileDialog.getSaveFileName if save else QFileDialog.getOpenFileName
    chosen, _ = ask(None, title, "", f"Deep Image Prior (*{SUFFIX})")
    return str(chosen)
