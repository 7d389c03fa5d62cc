"""What is started, and what it leaves behind."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LineSink = Callable[[str], None]
"""Receives the lines of what is under way, one at a time."""
ANY_STATUS = frozenset(range(256))
"""For programs whose exit status is part of what they tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program to start; never a shell."""

    argv: tuple[str, ...]
    timeout: float
    """Seconds; the whole process group is killed after them."""
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the allow-listed environment."""
    stdin: bytes | None = None
    ok: frozenset[int] = frozenset({0})
    """Exit statuses that are not failures."""
    secrets: tuple[str, ...] = ()
    """Texts replaced by `***` in logs and errors."""
    hint: str | None = None
    """The next step to show if the program fails."""
    each_line: LineSink | None = None
    """Receives each line of standard output as it comes."""
    until: Callable[[], bool] | None = None
    """Looked at several times a second; the program is ended once it returns true, by its will or
    not, and that is no failure."""
    even_if_interrupted: bool = False
    """Start it after `end_all` as well: it puts something back."""

    def redact(self, text: str) -> str:
        """Return `text` without any of the command's secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def __str__(self) -> str:
        """Return a line that can be pasted into a shell, secrets hidden."""
        return self.redact(shlex.join(self.argv))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a program that succeeded left behind."""

    status: int
    stdout: bytes
    stderr_tail: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")


Runner = Callable[[Command], Result]
"""What features receive to start programs; `run`, or a function in tests."""
