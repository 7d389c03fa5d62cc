"""How long steps of the lab tell what they do.

Library code receives a `Progress` and never prints; the command line shows it as a live table or
as plain lines.
"""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)


class Step(Protocol):
    """One step that is under way."""

    def say(self, words: str) -> None:
        """Show the step's latest words, such as a line of a program's log."""

    def advance(self, done: float, total: float) -> None:
        """Tell how much of the step is done, in any unit; the time left follows from it."""


class Progress(Protocol):
    """Receives steps; several may be under way at once, in different threads."""

    def step(self, name: str, *, usual_seconds: float = 0) -> AbstractContextManager[Step]:
        """Open a step; it ends with the `with` block, by an exception if it failed.

        `usual_seconds` is what the step takes on two cores with nothing kept: the first estimate of
        the time left. 0: too short to estimate.
        """


class _LoggedStep:
    def __init__(self, name: str) -> None:
        self._name = name

    def say(self, words: str) -> None:
        log.debug("%s: %s", self._name, words)

    def advance(self, done: float, total: float) -> None:
        log.debug("%s: %s of %s", self._name, done, total)


class LoggedProgress:
    """Progress as log lines only, for tests and library users without a terminal."""

    @contextmanager
    def step(self, name: str, *, usual_seconds: float = 0) -> Iterator[Step]:
        """Log the step's start and end."""
        log.debug("%s: starts, usually %.0f s", name, usual_seconds)
        started = time.monotonic()
        yield _LoggedStep(name)
        log.info("%s: %.1f s", name, time.monotonic() - started)
