"""The command line; an interruption during its imports is one line, too."""

import sys

try:
    from .main import main as run
except KeyboardInterrupt:
    sys.stderr.write("deep-image-prior: error: interrupted.\n")
    raise SystemExit(130) from None

__all__ = ["run"]
