"""CPU threads of a fit: how many, and how they wait for one another. Imports torch only if called.

The convolutions of a small image take less than a millisecond. OpenMP's threads spin while they
wait for one another. If another process has a core, they spin for its whole time slice, and two
threads become several times slower than one.
"""

from __future__ import annotations

import os


def wait_passively() -> None:
    """Let OpenMP's threads sleep while they wait; effective only before torch is imported.

    A value that the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spare_one() -> int:
    """Return the number of cores less one, which is left to the rest of the computer."""
    return max(1, usable_cores() - 1)


def patch_threads(threads: int | None) -> int:
    """Return the number of threads of nonlocal estimates: as many as allowed, None: all cores."""
    return threads or usable_cores()


def default_threads() -> int:
    """Return the default number of threads of a fit: torch's, but one core is spared."""
    import torch

    return min(torch.get_num_threads(), spare_one())
