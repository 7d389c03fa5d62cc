"""Logging: everything to the run's own log, to the terminal only what a person asked for."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def log_to_terminal(*, verbose: bool) -> None:
    """Show warnings, or with `verbose` everything, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.DEBUG if verbose else logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    root = logging.getLogger("immutable_base")
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)


def log_to_file(path: Path) -> None:
    """Write everything to a file as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger("immutable_base")
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
