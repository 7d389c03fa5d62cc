"""What a check found."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from immutable_base.model.document import Frozen


class Level(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105  not a password
    NOTE = "note"
    """Not run here, and why; never counted as a pass."""
    ERROR = "error"


class Finding(Frozen):
    """The result of one check."""

    id: str
    title: str
    why: str
    level: Level
    words: str
    """What was found, one line; empty for a plain pass."""
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.level}: {self.title}" + (f": {self.words}" if self.words else "")


class CheckReport(Frozen):
    """The document."""

    schema_version: Literal[1] = 1
    variant: str
    image_id: str
    findings: tuple[Finding, ...]
