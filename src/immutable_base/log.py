"""Logging: everything to the run's own log, to the terminal only what a person asked for."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from immutable_base.errors import printable

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class _Formatter(logging.Formatter):
    """Shows what programs and servers say; it never does what they say to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def log_to_terminal(*, verbose: bool) -> None:
    """Show warnings, or with `verbose` everything, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.DEBUG if verbose else logging.WARNING)
    handler.setFormatter(_Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    _use("terminal", handler)


def log_to_file(path: Path) -> None:
    """Write everything to a file as well; a line that cannot be written is lost without a trace."""
    # A full disk is reported by what needs the space, not by a traceback for each line of the log.
    logging.raiseExceptions = False
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_Formatter(FORMAT))
    _use("file", handler)


def _use(name: str, handler: logging.Handler) -> None:
    """Send our messages to this handler, in place of an earlier one of the same name."""
    root = logging.getLogger("immutable_base")
    root.setLevel(logging.DEBUG)
    for earlier in [item for item in root.handlers if item.name == name]:
        root.removeHandler(earlier)
        earlier.close()
    handler.set_name(name)
    root.addHandler(handler)
