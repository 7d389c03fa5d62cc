"""`python -m immutable_base` and the console script; the only place that exits."""

from __future__ import annotations

import gc
import sys

from immutable_base.cli.main import main


def entry_point() -> None:
    """Run the command line and exit with its code."""
    code = main(sys.argv[1:])
    # What is left goes with the process: nobody needs to look for cycles in it first.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    entry_point()
