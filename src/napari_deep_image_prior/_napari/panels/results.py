"""The Results panel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, Container, Label, ProgressBar, PushButton, SpinBox
from napari.layers import Image

from ...evaluation.quality import measure_quality, residual
from ...io.files import SUFFIXES, TIFF_SUFFIXES, is_on_network
from ...restoration.script import script, where_from
from ...restoration.timing import time_left
from ..actions.before_after import SHORTCUT, bind_compare, compare
from ..actions.repeat import run_again
from ..jobs.queue import queue_of
from ..jobs.uncertainty import UncertaintyJob, active_uncertainty
from ..layers.files import SUFFIX, read_layer, write_layer
from ..layers.maps import residual_layer
from ..layers.noise import noise_text, with_channel_name
from ..layers.provenance import (
    METADATA,
    input_plane,
    provenance_of,
    result_plane,
    source_plane,
    truth_plane,
)
from ..viewer.loading import Loader
from ..viewer.messages import sentence
from ..viewer.proxies import unwrap_proxy
from .controls import (
    ask_where_to_save,
    connect_until_destroyed,
    image_choice,
    layer_choice,
    on_destroyed,
    row,
    wrapping_label,
)
from .help import help_link
from .panel_layout import finish_layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from ..jobs.run import Run
    from ..layers.plane import Plane

WARNING = (
    "A prior invents: filled or enlarged pixels are plausible, not measured, and faint detail may "
    "be smoothed away. Do not count, measure or diagnose without comparing with the source."
)
RESULT_HELP = "A result of this plugin. The latest result is selected until you select another."
RUN_AGAIN_HELP = "Restore the source again with the same settings, seed and device."
COPY_HELP = "Copy a script that reproduces this image."
SAVE_HELP = "Save as OME-TIFF, with pixel size and provenance."
OPEN_HELP = "Open a saved result, also of the command line."
COMPARE_HELP = f"Show the source in place of the result, or the result again ({SHORTCUT})."
RESIDUAL_HELP = "Add input minus result as a layer. Structure in it was removed from the image."
TRUTH_HELP = "A layer with the true image, to compare the result with."
FIT_HELP = "Scale and shift the result to the truth first, for a truth in other units."
MEASURE_HELP = "PSNR, SSIM and resolution (shortest period with Fourier ring correlation)."
SEEDS_HELP = "Number of restorations to compare."
UNCERTAINTY = "Uncertainty"
UNCERTAINTY_HELP = (
    "Restore with several seeds and add the standard deviation as a layer. "
    "Where it is large, the result is a guess."
)


class ResultsWidget(Container[Any]):
    """Show how a result was made, assess it, and make it again."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(labels=True)
        self._viewer: ViewerModel = unwrap_proxy(napari_viewer)
        self._loader = Loader(self.native, self._report)
        self.append(image_choice(self._viewer, "result", RESULT_HELP, _is_result))
        self._provenance = wrapping_label("provenance", 4)
        self.append(self._provenance)
        self._add_reproduction()
        self._add_comparison()
        self._add_measurements()
        self.append(ProgressBar(name="progress", value=0, max=1000, label=" "))
        self._status = wrapping_label("status", 4)
        self.append(self._status)
        self.append(_warning())
        self.native.layout().addWidget(help_link(self.native, "results", self._report))
        finish_layout(self.native, fixed=[self.progress.native, self._status.native])
        self._watched: Image | None = None
        self._followed: Image | None = None
        self.result.changed.connect(lambda _layer: self._watch())
        self._uncertainty_job: UncertaintyJob | None = None
        self._watch()
        bind_compare(self._viewer)
        if (job := active_uncertainty(self._viewer)) is not None:
            self._follow(job)  # the widget was closed and opened again
        connect_until_destroyed(
            self.native, queue_of(self._viewer).restored, self._select_new_result
        )
        on_destroyed(self.native, self._unwatch)

    def _add_reproduction(self) -> None:
        """Add the buttons that repeat, save and open results."""
        self.run_again = self._button(
            "run_again", "Run again", RUN_AGAIN_HELP, self._again, fits=True
        )
        self.copy = self._button("copy", "Copy as Python", COPY_HELP, self._copy)
        self.save = self._button("save", "Save …", SAVE_HELP, self._save)
        self.open = self._button("open", "Open …", OPEN_HELP, self._open)
        self.append(row("repeat", self.run_again, self.copy))
        self.append(row("files", self.open, self.save))

    def _add_comparison(self) -> None:
        """Add the buttons that compare a result with its source."""
        self.compare = self._button(
            "compare", f"Before / after ({SHORTCUT})", COMPARE_HELP, self._compare
        )
        self.residual = self._button(
            "residual", "Residual", RESIDUAL_HELP, self._add_residual, fits=True
        )
        self.append(row("look", self.compare, self.residual))

    def _add_measurements(self) -> None:
        """Add the comparison with a true image and the uncertainty estimate."""
        self.append(layer_choice(Image | None, "truth", TRUTH_HELP))
        self.fit_brightness = CheckBox(
            name="fit_brightness", text="fit brightness", tooltip=FIT_HELP
        )
        self.measure = self._button("measure", "Measure", MEASURE_HELP, self._measure)
        self.append(row("quality", self.fit_brightness, self.measure))
        self.seeds = SpinBox(name="seeds", value=5, min=2, max=50, tooltip=SEEDS_HELP)
        self.uncertainty = self._button(
            "uncertainty",
            UNCERTAINTY,
            UNCERTAINTY_HELP,
            self._start_or_cancel_uncertainty,
            fits=True,
        )
        self.append(row("uncertainty_row", self.seeds, self.uncertainty, label="seeds"))

    def _button(
        self, name: str, text: str, tooltip: str, act: Callable[[], str], *, fits: bool = False
    ) -> PushButton:
        """Return a button that reports the outcome of its action, or its error, in the panel.

        An action that fits a network waits until torch is loaded.
        """
        button = PushButton(name=name, text=text, tooltip=tooltip)

        def press() -> None:
            try:
                message = act()
            except (ValueError, TypeError, RuntimeError, OSError) as error:
                message = str(error)
            self._report(message)

        button.changed.connect(lambda _value: self._loader.call(press) if fits else press())
        return button

    def _report(self, message: object) -> None:
        self._status.value = sentence(message)

    def _watch(self) -> None:
        """Show the provenance of the selected layer, now and when its metadata change."""
        is_another = self._watched is not self.result.value
        self._unwatch()
        self._watched = self.result.value
        if is_another and (self._uncertainty_job is None or not self._uncertainty_job.is_active):
            self._report("")  # the last message is about another result
        if self._watched is not None:
            self._watched.events.metadata.connect(self._show_provenance)
        self._show_provenance()

    def _unwatch(self) -> None:
        """Stop following the layer, also when the window no longer exists."""
        if self._watched is not None:
            self._watched.events.metadata.disconnect(self._show_provenance)
            self._watched = None

    def _select_new_result(self, run: Run) -> None:
        """Select the result of a run that has just ended, unless the user has selected another."""
        selected = self.result.value
        self.result.reset_choices()
        is_free = selected is None or selected is self._followed
        if is_free and run.layer in self._viewer.layers:
            self.result.value = self._followed = run.layer

    def _show_provenance(self, _event: object = None) -> None:
        try:
            self._provenance.value = _describe(provenance_of(self.result.value), self.result.value)
        except ValueError as error:
            self._provenance.value = sentence(error)

    def _again(self) -> str:
        run = run_again(self._viewer, self.result.value)
        return f"restoring into '{run.layer.name}'. The panel of its task can stop it."

    def _compare(self) -> str:
        return compare(self._viewer, self.result.value)

    def _copy(self) -> str:
        from qtpy.QtWidgets import QApplication

        text = script(provenance_of(self.result.value))
        QApplication.clipboard().setText(text)
        if "image = ...\n" in text:
            return "the script is on the clipboard. Insert the image in it: no file contains it."
        return "the script is on the clipboard."

    def _open(self) -> str:
        from qtpy.QtWidgets import QFileDialog

        pattern = f"Results ({' '.join(f'*{suffix}' for suffix in SUFFIXES)})"
        path, _ = QFileDialog.getOpenFileName(self.native, "Open a result", "", pattern)
        if not path:
            return "nothing was opened."
        for data, options, _kind in read_layer(path):
            self._viewer.add_image(data, **options)
        layer = self._viewer.layers[-1]
        self.result.reset_choices()
        self.result.value = layer
        return f"opened as '{layer.name}'."

    def _save(self) -> str:
        layer = self.result.value
        source = provenance_of(layer).get("source", {}).get("path") or ""
        if is_on_network(source) and all(
            each.source.path != source for each in self._viewer.layers
        ):
            source = ""  # the dialog would look there
        path = ask_where_to_save(
            self.native, layer, Path(source).parent, "OME-TIFF", (SUFFIX, *TIFF_SUFFIXES)
        )
        if not path:
            return "nothing was saved."
        write_layer(path, *layer.as_layer_data_tuple()[:2])
        return f"saved as {path}"

    def _add_residual(self) -> str:
        task, plane = source_plane(self._viewer, self.result.value)
        values = residual(task, result_plane(self._viewer, self.result.value).values)
        layer = residual_layer(plane, task, values)
        self._viewer.add_layer(layer)
        return (
            f"'{layer.name}' is input minus result; gray is zero. "
            "After a good denoising it looks like pure noise."
        )

    def _measure(self) -> str:
        result = result_plane(self._viewer, self.result.value)
        if self.truth.value is None:
            raise ValueError("choose a layer with the true image first.")
        truth = truth_plane(self._viewer, result, self.truth.value)
        figures = f"result: {self._quality(result, truth)}"
        try:
            source = input_plane(self._viewer, result)
            return f"{figures}\nSource: {self._quality(source, truth)}"
        except ValueError:  # the source is gone, or has another size
            return figures

    def _quality(self, image: Plane, truth: Plane) -> str:
        axis = image.channel_axis
        quality = measure_quality(
            image.values, truth.values, channel_axis=axis, fit_brightness=self.fit_brightness.value
        )
        return (
            f"PSNR {quality.psnr:.2f} dB, SSIM {quality.ssim:.3f}, FRC {quality.resolution:.1f} px"
        )

    def _start_or_cancel_uncertainty(self) -> str:
        if self._uncertainty_job is not None and self._uncertainty_job.is_active:
            self._uncertainty_job.cancel()
            return self._uncertainty_job.message
        job = UncertaintyJob(self._viewer, self.result.value, self.seeds.value)
        job.start()
        self._follow(job)
        return f"restoring with {self.seeds.value} seeds …"

    def _follow(self, job: UncertaintyJob) -> None:
        self._uncertainty_job = job
        connect_until_destroyed(self.native, job.changed, self._show_uncertainty)
        self._show_uncertainty(job)

    def _show_uncertainty(self, job: UncertaintyJob) -> None:
        self.uncertainty.text = "Cancel" if job.is_active else UNCERTAINTY
        if not job.is_active:
            self.progress.value = 0
            self._report(job.message)
        elif (seed_step := job.step) is not None:
            step = seed_step.step
            done = (seed_step.number - 1 + step.fraction) / seed_step.seeds
            self.progress.value = self.progress.max * done
            seed = f"seed {seed_step.number} of {seed_step.seeds}"
            self._report(f"{seed}: {step.place}{time_left(seed_step.seconds_left)}")


def _is_result(layer: Image) -> bool:
    return METADATA in layer.metadata


def _describe(provenance: dict[str, Any], layer: Image) -> str:
    how = (
        f"preset {provenance['preset']}"
        if provenance["preset"]
        else provenance["settings"]["method"]
    )
    kind, seed = provenance["task"]["kind"].capitalize(), provenance["seed"]
    cost = f"{provenance['seconds']:.0f} s on {provenance['device_name']}"
    lines = [
        f"{kind}, {how}, seed {seed}: {provenance['iterations']} network steps in {cost}.",
        noise_text(provenance, layer) or sentence(provenance["found"]),
        f"Ended: {with_channel_name(provenance['stop_reason'], layer)}.",
    ]
    if provenance.get("source", {}).get("region") is not None:
        lines.append(f"Part of the image: {where_from(provenance['source'])}.")
    return "\n".join(filter(None, lines))


def _warning() -> Label:
    label = wrapping_label("warning", 4)
    label.value = WARNING
    return label
