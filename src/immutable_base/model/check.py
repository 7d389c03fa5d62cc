"""check/<variant>.json: what the checks found."""

from __future__ import annotations

from enum import StrEnum

from immutable_base.model.document import Frozen, Sha256, StageDocument, Text


class Level(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105  not a password
    NOTE = "note"
    """Not run here, or the base image is no better: with the reason, never counted as a pass."""
    ERROR = "error"


class Finding(Frozen):
    """The result of one check."""

    id: Text
    title: str
    reason: str
    """Why the check exists."""
    level: Level
    message: str
    """What was found, one line; empty for a plain pass."""
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.level}: {self.title}" + (f": {self.message}" if self.message else "")


class CheckReport(StageDocument):
    """The document check/<variant>.json: every finding about one image."""

    variant: Text
    image_id: Sha256
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What objects to the image."""
        return tuple(finding for finding in self.findings if finding.level is Level.ERROR)
