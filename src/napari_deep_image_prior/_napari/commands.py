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
from .layers.files import get_reader, write_layer
from .layers.maps import is_map
from .viewer.messages import sentence
from .viewer.preferences import PLUGIN
from .viewer.proxies import unwrap_proxy


def quick_denoise(viewer: Viewer) -> None:
    """Denoise the active layer with the settings of the Denoise panel, which opens."""
    layer = unwrap_proxy(viewer).layers.selection.active
    if not isinstance(layer, Image) or is_map(layer):
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
    """Return the reader of a result; without a path, from the palette, press the panel's Open."""
    if path is not None:
        return get_reader(path)
    if (viewer := current_viewer()) is not None:
        _results_panel(viewer).open.native.click()
    return None


def save_result(
    path: str | None = None,
    data: Any = None,  # noqa: ANN401  (any layer's data)
    attributes: dict[str, Any] | None = None,
) -> list[str]:
    """Write an image layer; without a path, from the palette, press the panel's Save."""
    if path is not None:
        return write_layer(path, data, attributes or {})
    if (viewer := current_viewer()) is not None:
        panel = _results_panel(viewer)
        active = viewer.layers.selection.active
        if active in panel.result.choices:
            panel.result.value = active
        panel.save.native.click()
    return []


def _results_panel(viewer: Viewer) -> Any:  # noqa: ANN401  (the panel, whose module loads Qt)
    """Open the panel Results, with the choices of now."""
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Results")
    panel.result.reset_choices()
    return panel
