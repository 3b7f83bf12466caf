"""The command line."""

import sys


def run() -> int:
    """Run the command line; an interruption during the imports is one line, too."""
    try:
        from .main import main

        return main()
    except KeyboardInterrupt:
        sys.stderr.write("deep-image-prior: error: interrupted.\n")
        return 130
