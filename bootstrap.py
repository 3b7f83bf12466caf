"""Install into .venv and run: `python3 bootstrap.py demo` or `python3 bootstrap.py test`.

Only the standard library; Python 3.11 or newer. What follows the word goes on to
the command: `python3 bootstrap.py demo --headless`, `python3 bootstrap.py test -k denoise`.
The tests run in one process per core, at most four; `-n 0` runs them in one.
The environment may name another folder than `.venv` (DIP_VENV) and other versions
than those of `constraints.txt` (DIP_CONSTRAINTS=constraints-oldest.txt).
"""

from __future__ import annotations

import ctypes.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("DIP_VENV", ROOT / ".venv"))
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
CONSTRAINTS = ROOT / os.environ.get("DIP_CONSTRAINTS", "constraints.txt")
CPU_TORCH = "https://download.pytorch.org/whl/cpu"
# what Qt and a software OpenGL need of Debian or Ubuntu, besides a display
SYSTEM_PACKAGES = [
    "xvfb",
    "xauth",
    "libegl1",
    "libgl1",
    "libgl1-mesa-dri",
    "libopengl0",
    "libxkbcommon-x11-0",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-xinerama0",
    "libdbus-1-3",
    "libfontconfig1",
]


def main() -> int:
    """Install, then run what was asked for."""
    if sys.version_info < (3, 11):
        return complain(f"Python 3.11 or newer is needed, this is {platform.python_version()}.")
    action, *rest = sys.argv[1:] or [""]
    if action not in ("demo", "test"):
        return complain("say 'python3 bootstrap.py demo' or 'python3 bootstrap.py test'.")
    try:
        install(with_tests=action == "test")
        if action == "demo":
            return subprocess.call([BIN / "deep-image-prior", "demo", *rest])
        return run_tests(rest)
    except subprocess.CalledProcessError as error:
        return complain(f"this step failed, its output is above: {' '.join(map(str, error.cmd))}")


def install(*, with_tests: bool) -> None:
    """Make the virtual environment and install the package with its constraints."""
    if not (BIN / "pip").exists() and not (BIN / "pip.exe").exists():
        if subprocess.call([sys.executable, "-c", "import ensurepip"], stderr=subprocess.DEVNULL):
            install_system_packages(["python3-venv"])
        subprocess.check_call([sys.executable, "-m", "venv", VENV])
    pip("-U", "pip")
    install_torch()
    pip(".[all]")
    if with_tests:
        pip("--group", "test")


def install_torch() -> None:
    """Install the small CPU build of torch where no NVIDIA GPU could use the large one."""
    if subprocess.call([BIN / "python", "-c", "import torch"], stderr=subprocess.DEVNULL) == 0:
        return
    if platform.system() == "Linux" and not shutil.which("nvidia-smi"):
        only_torch = ["-q", "--retries", "1", "--index-url", CPU_TORCH, "torch"]
        if (
            subprocess.call(
                [
                    BIN / "python",
                    "-m",
                    "pip",
                    "install",
                    "-c",
                    CONSTRAINTS,
                    *only_torch,
                ],
                stderr=subprocess.DEVNULL,
            )
            == 0
        ):
            return
        print(
            f"torch could not be had from {CPU_TORCH}: it comes from the default index.", flush=True
        )
    pip("torch")


def pip(*arguments: str) -> None:
    """Run pip install in the virtual environment."""
    subprocess.check_call(
        [
            BIN / "python",
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "-c",
            CONSTRAINTS,
            *arguments,
        ],
        cwd=ROOT,
    )


def run_tests(arguments: list[str]) -> int:
    """Run pytest, on a virtual screen where this is Linux."""
    command = [str(BIN / "python"), "-m", "pytest", *in_parallel(arguments), *arguments]
    if platform.system() != "Linux":
        return subprocess.call(command, cwd=ROOT)
    lacking = not shutil.which("xvfb-run") or not shutil.which("xauth")
    if lacking or not ctypes.util.find_library("EGL") or not ctypes.util.find_library("xcb-cursor"):
        install_system_packages(SYSTEM_PACKAGES)
    # a virtual screen even on a desktop: the same size everywhere, and no windows popping up
    # one thread for what the program does not cap itself: more of them would wait for one another
    environment = {
        "OMP_NUM_THREADS": "1",
        **os.environ,
        "QT_QPA_PLATFORM": "xcb",
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    return subprocess.call(
        ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command], cwd=ROOT, env=environment
    )


def in_parallel(arguments: list[str]) -> list[str]:
    """Use up to four cores, unless the arguments set a number or ask for a debugger."""
    chosen = ("-n", "--numprocesses", "--dist", "--pdb", "--trace")
    if "no:xdist" in " ".join(arguments) or any(one.startswith(chosen) for one in arguments):
        return []
    return ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "worksteal"]


def install_system_packages(packages: list[str]) -> None:
    """Install Debian packages if this may be done, else say which are needed."""
    line = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    prefix = [] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["sudo", "-n"]
    may = shutil.which("apt-get") and (
        not prefix or subprocess.call(["sudo", "-n", "true"], stderr=subprocess.DEVNULL) == 0
        if shutil.which("sudo") or not prefix
        else False
    )
    if not may:
        advice = (
            f"sudo {' '.join(line)}"
            if shutil.which("apt-get")
            else f"your system's names of: {' '.join(packages)}"
        )
        raise SystemExit(complain(f"system packages are missing; install them first: {advice}"))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.check_call(
        [*prefix, "apt-get", "update", "-q"], stdout=subprocess.DEVNULL, env=environment
    )
    subprocess.check_call([*prefix, *line], stdout=subprocess.DEVNULL, env=environment)


def complain(message: str) -> int:
    """Print one line and return the exit status."""
    print(f"bootstrap.py: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
