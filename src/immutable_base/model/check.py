"""check/<variant>.json: what the checks found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from immutable_base.errors import CheckError, ImmutableBaseError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedVariant:
    """What the checks found in a variant's image, or why nothing was checked."""

    name: str
    findings: tuple[Finding, ...] = ()
    held: str = ""
    """Why it was not built, of a variant that is held."""
    error: ImmutableBaseError | None = None
    """Why there are no findings, though there should be."""

    @property
    def exit_code(self) -> int:
        """0 if every check passed or the variant is held, else the class of the error."""
        if self.error is not None:
            return self.error.exit_code
        return CheckError.exit_code if any(it.level is Level.ERROR for it in self.findings) else 0
