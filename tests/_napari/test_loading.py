"""Opening a panel does not wait for torch."""

import subprocess
import sys

SCRIPT = """
import sys, threading, time
import napari
import numpy as np

viewer = napari.Viewer(show=False)
viewer.add_image(np.zeros((32, 32)), name="cells")
opened = time.perf_counter()
for name in ("Denoise", "Inpaint", "Super-resolve", "Deconvolve", "Results"):
    _, widget = viewer.window.add_plugin_dock_widget("napari-deep-image-prior", name)
    first = widget if name == "Denoise" else first
print("loaded at once:", "torch" in sys.modules)

importers = []

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            importers.append(threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Watch())
first.run.native.click()
print("message:", first.status.value)
deadline = time.monotonic() + 120
while first._run is None and time.monotonic() < deadline:
    napari.qt.get_qapp().processEvents()
print("started:", first._run is not None, "in the main thread:", importers)
print("devices:", "cpu" in first.device.choices)
first._run.cancel()
first._run._worker and first._run._worker._worker.await_workers()
viewer.close()
"""


def test_panels_open_without_torch_which_the_first_run_loads_in_a_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "loaded at once: False" in done.stdout, done.stderr
    assert "message: Loading PyTorch" in done.stdout
    assert "started: True in the main thread: [False]" in done.stdout, done.stderr
    assert "devices: True" in done.stdout
