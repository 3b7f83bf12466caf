"""The widget for what is done with a result: Results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, Container, Label, ProgressBar, PushButton, SpinBox
from napari.layers import Image

from ...evaluation.quality import measure_quality, residual
from ...io.files import SUFFIXES, TIFF_SUFFIXES
from ...restoration.script import script, where_from
from ...restoration.timing import duration
from ..actions.before_after import SHORTCUT, bind_compare, compare
from ..actions.repeat import run_again
from ..jobs.queue import queue_of
from ..jobs.uncertainty import UncertaintyJob, active_uncertainty
from ..layers.files import SUFFIX, read_layer, write_layer
from ..layers.maps import residual_layer
from ..layers.provenance import METADATA, given_plane, made, result_plane, source_plane, truth_plane
from ..viewer.proxies import unwrap_proxy
from .controls import ask_where_to_save, layer_choice, listen, on_destroyed, row, wrapping_label
from .label_column import LabelColumn
from .scrolling import let_scroll

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from ..jobs.run import Run
    from ..layers.plane import Plane

WARNING = (
    "A prior invents: filled or enlarged pixels are plausible, not measured, and faint detail may be smoothed away. "
    "Do not count, measure or diagnose on a result without a look at its source."
)
SPREAD = "Uncertainty"
SPREAD_HELP = "Restore with so many seeds and add the standard deviation: where it is large, the result is a guess."


class ResultsWidget(Container[Any]):
    """Look into a result: how it was made, how far to trust it; make it again."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(labels=True)
        self._viewer: ViewerModel = unwrap_proxy(napari_viewer)
        self.append(
            layer_choice(
                Image, "result", "A result of this plugin. A new one is chosen until you choose."
            )
        )
        self._made = wrapping_label("made", 4)
        self.append(self._made)
        self._add_repeating()
        self._add_looking()
        self._add_measuring()
        self.append(ProgressBar(name="progress", value=0, max=1, label=" "))
        self._status = wrapping_label("status", 4)
        self.append(self._status)
        self.append(_warning())
        self.native.layout().addStretch()
        LabelColumn(let_scroll(self.native))
        self._watched: Image | None = None
        self._followed: Image | None = None
        self.result.changed.connect(lambda _layer: self._watch())
        self._watch()
        bind_compare(self._viewer)
        self._spread: UncertaintyJob | None = None
        if (spread := active_uncertainty(self._viewer)) is not None:
            self._follow(spread)  # the widget was closed and opened again
        listen(self.native, queue_of(self._viewer).restored, self._follow_a_new_result)
        on_destroyed(self.native, self._forget)

    def _add_repeating(self) -> None:
        """Add the buttons that make, save and open results."""
        self.run_again = self._button(
            "run_again", "Run again", "Restore its source once more, the same way.", self._again
        )
        self.copy = self._button(
            "copy",
            "Copy as Python",
            "Put a script that makes the same image on the clipboard.",
            self._copy,
        )
        self.save = self._button(
            "save", "Save …", "Save as OME-TIFF, with pixel size and how it was made.", self._save
        )
        self.open = self._button(
            "open", "Open …", "Open a saved result, of the command line as well.", self._open
        )
        self.append(row("repeat", self.run_again, self.copy))
        self.append(row("files", self.open, self.save))

    def _add_looking(self) -> None:
        """Add the buttons that set a result against its source."""
        self.compare = self._button(
            "compare",
            f"Before / after ({SHORTCUT})",
            f"Show the source, or the result again; {SHORTCUT} on the image does it too.",
            lambda: compare(self._viewer, self.result.value),
        )
        self.residual = self._button(
            "residual",
            "Residual",
            "Add what was left out: input minus result. Structure in it was removed.",
            self._add_residual,
        )
        self.append(row("look", self.compare, self.residual))

    def _add_measuring(self) -> None:
        """Add what measures a result: against a truth, and over several seeds."""
        self.append(
            layer_choice(Image | None, "truth", "A layer with the true image, to measure against.")
        )
        self.fit_brightness = CheckBox(
            name="fit_brightness",
            text="fit brightness",
            tooltip="Scale and shift the result to the truth first, for a truth in other units.",
        )
        self.measure = self._button(
            "measure",
            "Measure",
            "PSNR, SSIM, and the finest period that is right (Fourier ring correlation).",
            self._measure,
        )
        self.append(row("quality", self.fit_brightness, self.measure))
        self.seeds = SpinBox(
            name="seeds", value=5, min=2, max=50, tooltip="How many restorations to compare."
        )
        self.uncertainty = self._button(
            "uncertainty", SPREAD, SPREAD_HELP, self._start_or_cancel_spread
        )
        seeds = row("spread", self.seeds, self.uncertainty)
        seeds.label = "seeds"
        self.append(seeds)

    def _button(self, name: str, text: str, tooltip: str, act: Callable[[], str]) -> PushButton:
        """Make a button whose action tells its outcome, or what stands against it, in the panel."""
        button = PushButton(name=name, text=text, tooltip=tooltip)

        def press() -> None:
            try:
                message = act()
            except (ValueError, TypeError, RuntimeError, OSError) as error:
                message = str(error)
            self._say(message)

        button.changed.connect(lambda _value: press())
        return button

    def _say(self, message: str) -> None:
        self._status.value = message[:1].upper() + message[1:]

    def _watch(self) -> None:
        """Tell how the chosen layer was made, also when that comes later."""
        if self._watched is not None:
            self._watched.events.metadata.disconnect(self._show_made)
        self._watched = self.result.value
        if self._watched is not None:
            self._watched.events.metadata.connect(self._show_made)
        self._show_made()

    def _follow_a_new_result(self, run: Run) -> None:
        """Choose the result of a run that has just ended, unless the user has chosen another result."""
        chosen = self.result.value
        is_free = chosen is None or chosen is self._followed or METADATA not in chosen.metadata
        if is_free and run.layer in self._viewer.layers:
            self.result.reset_choices()
            self.result.value = self._followed = run.layer

    def _forget(self) -> None:
        """Hear nothing any more: the window is gone, which what is still running does not know."""
        if self._watched is not None:
            self._watched.events.metadata.disconnect(self._show_made)
            self._watched = None

    def _show_made(self, _event: object = None) -> None:
        try:
            self._made.value = _told(made(self.result.value))
        except ValueError as error:
            self._made.value = str(error)[:1].upper() + str(error)[1:]

    def _again(self) -> str:
        run = run_again(self._viewer, self.result.value)
        return f"restoring into '{run.layer.name}': its task's widget has the buttons to stop it."

    def _copy(self) -> str:
        from qtpy.QtWidgets import QApplication

        text = script(made(self.result.value))
        QApplication.clipboard().setText(text)
        if "image = ...\n" in text:
            return "the script is on the clipboard; it says where to put the image, which is in no file as it was."
        return "the script is on the clipboard."

    def _open(self) -> str:
        from qtpy.QtWidgets import QFileDialog

        wanted = f"Results ({' '.join(f'*{suffix}' for suffix in SUFFIXES)})"
        path, _ = QFileDialog.getOpenFileName(self.native, "Open a result", "", wanted)
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
        source = made(layer).get("source", {}).get("path") or ""
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
        return f"'{layer.name}': input minus result, gray is zero. Of a good denoising it looks like pure noise."

    def _measure(self) -> str:
        result = result_plane(self._viewer, self.result.value)
        if self.truth.value is None:
            raise ValueError("choose a layer with the true image first.")
        truth = truth_plane(self._viewer, result, self.truth.value)
        figures = f"result: {self._quality(result, truth)}"
        try:
            source = given_plane(self._viewer, result)
            return f"{figures}\nSource: {self._quality(source, truth)}"
        except ValueError:  # it is gone, or of another size: the result's figures stand alone
            return figures

    def _quality(self, image: Plane, truth: Plane) -> str:
        axis = image.channel_axis
        found = measure_quality(
            image.values, truth.values, channel_axis=axis, fit_brightness=self.fit_brightness.value
        )
        return f"PSNR {found.psnr:.2f} dB, SSIM {found.ssim:.3f}, FRC {found.resolution:.1f} px"

    def _start_or_cancel_spread(self) -> str:
        if self._spread is not None and self._spread.is_active:
            self._spread.cancel()
            return self._spread.message
        spread = UncertaintyJob(self._viewer, self.result.value, self.seeds.value)
        spread.start()
        self._follow(spread)
        return f"restoring with {self.seeds.value} seeds …"

    def _follow(self, spread: UncertaintyJob) -> None:
        self._spread = spread
        listen(self.native, spread.changed, self._show_spread)
        self._show_spread(spread)

    def _show_spread(self, spread: UncertaintyJob) -> None:
        self.uncertainty.text = "Cancel" if spread.is_active else SPREAD
        step = spread.step
        if not spread.is_active:
            self.progress.value = 0
            self._say(spread.message)
        elif step is not None:
            self.progress.max = step.seeds * step.step.total
            self.progress.value = (step.number - 1) * step.step.total + step.step.iteration
            left = f", {duration(step.seconds_left)} left" if step.seconds_left is not None else ""
            self._say(
                f"seed {step.number} of {step.seeds}: step {step.step.iteration} of {step.step.total}{left}"
            )


def _told(provenance: dict[str, Any]) -> str:
    how = (
        f"preset {provenance['preset']}"
        if provenance["preset"]
        else provenance["settings"]["method"]
    )
    took = f"{provenance['seconds']:.0f} s on {provenance['device_name']}"
    steps = f"{provenance['iterations']} steps of the network in {took}"
    lines = [
        f"{provenance['task']['kind'].capitalize()}, {how}, seed {provenance['seed']}: {steps}.",
        provenance["found"],
        f"Ended: {provenance['stop_reason']}.",
    ]
    if provenance.get("source", {}).get("region") is not None:
        lines.append(f"Of a part only: {where_from(provenance['source'])}.")
    return "\n".join(filter(None, lines))


def _warning() -> Label:
    label = wrapping_label("warning", 4)
    label.value = WARNING
    return label
