"""Logging: everything to the run's own log, to the terminal only what a person asked for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from immutable_base.errors import printable

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(work)s%(message)s"
_work: ContextVar[str] = ContextVar("work", default="")
"""How what the thread works on begins a line; a thread that it starts has it only in a copy of the
context."""


class _Formatter(logging.Formatter):
    """Shows what programs and servers say; it never does what they say to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        record.work = _work.get()
        return printable(super().format(record))


class _Terminal(logging.Handler):
    """Writes to what standard error is at that moment: a live display takes its place."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


@contextmanager
def working_on(name: str) -> Iterator[None]:
    """Begin each message with what it is about, for many things are done at once."""
    token = _work.set(f"{name}: ")
    try:
        yield
    finally:
        _work.reset(token)


def log_to_terminal(*, verbose: bool) -> None:
    """Show warnings, or with `verbose` everything, on standard error."""
    handler = _Terminal()
    handler.setLevel(logging.DEBUG if verbose else logging.WARNING)
    handler.setFormatter(_Formatter("%(asctime)s %(work)s%(message)s", datefmt="%H:%M:%S"))
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
