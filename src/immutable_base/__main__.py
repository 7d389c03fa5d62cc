"""`python -m immutable_base` and the console script; the only place that exits."""

from __future__ import annotations

import gc
import os
import sys
import threading

# By default Python looks for cycles after every 700 new objects: a tenth of the time of `verify`,
# which makes no cycles and ends. A hundred thousand objects are some ten megabytes.
gc.set_threshold(100_000)

from immutable_base.cli.main import main  # noqa: E402  imports are most of these objects
from immutable_base.errors import EXIT_INTERRUPTED  # noqa: E402  the same


def entry_point() -> None:
    """Run the command line and exit with its code."""
    _leave(main(sys.argv[1:]))


def _leave(code: int) -> None:
    """Exit once everything is written: what is left in memory goes with the process.

    Python would take it apart piece by piece, which is a tenth of the time of `verify`.
    """
    if threading.active_count() > 1:  # Something is still being done, and Python waits for it.
        sys.exit(code)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # None: it was closed when we were started.
                stream.flush()
    except BrokenPipeError:
        code = code or EXIT_INTERRUPTED
    os._exit(code)


if __name__ == "__main__":
    entry_point()
