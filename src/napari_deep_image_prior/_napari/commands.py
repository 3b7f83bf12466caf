"""Commands of napari's palette (Ctrl+Shift+P)."""

from napari.layers import Image
from napari.utils.notifications import show_info
from napari.viewer import Viewer  # napari hands the viewer on by this annotation

from .actions.before_after import bind_compare, compare
from .jobs.current import active_run, runs_of
from .jobs.uncertainty import active_uncertainty
from .viewer.proxies import unwrap_proxy

PLUGIN = "napari-deep-image-prior"


def quick_denoise(viewer: Viewer) -> None:
    """Denoise the active layer, in its turn, as the Denoise widget is set; it opens, to show how the fit goes on."""
    layer = unwrap_proxy(viewer).layers.selection.active
    if not isinstance(layer, Image):
        show_info("select an image layer first: the active layer is denoised.")
    elif any(run.layer is layer for run in runs_of(viewer)):
        show_info(f"'{layer.name}' is still being restored: select another image layer, or wait.")
    else:
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Denoise")
        widget.image.reset_choices()
        widget.image.value = layer
        (widget.run if active_run(viewer) is None else widget.queue).native.click()


def stop(viewer: Viewer) -> None:
    """Stop what is running and keep the best image so far; an uncertainty is given up."""
    run, spread = active_run(viewer), active_uncertainty(viewer)
    if run is not None:
        run.stop()
    if spread is not None:
        spread.cancel()
    if run is None and spread is None:
        show_info("no restoration is running in this viewer.")


def show_compared(viewer: Viewer) -> None:
    """Show the source in the place of its result, and back; from then on by a key as well."""
    bind_compare(viewer)
    try:
        show_info(compare(viewer))
    except ValueError as error:
        show_info(str(error))
