"""Commands of napari's command palette (Ctrl+Shift+P)."""

from napari.layers import Image
from napari.utils.notifications import show_info
from napari.viewer import Viewer  # napari passes the viewer by this annotation

from .actions.before_after import bind_compare, compare
from .jobs.current import active_run, runs_of
from .jobs.uncertainty import active_uncertainty
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
