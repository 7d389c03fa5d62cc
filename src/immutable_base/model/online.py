"""doctor --online --format json: what every remote thing of a configuration answered."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from immutable_base.model.document import Count, Frozen, Text


class State(StrEnum):
    """What an answer means for the first night."""

    OK = "ok"
    WARNING = "warning"
    """No obstacle yet, but somebody should know."""
    HELD = "held"
    """What needs it is not built until something outside changes."""
    FAULT = "fault"
    """What needs it would fail."""


class OnlineFinding(Frozen):
    """One remote thing, and what it answered."""

    kind: Literal["key", "base", "repository", "variant", "registry", "sigstore"]
    name: Text
    """Key in the configuration; of a registry or a service its address."""
    state: State
    message: Text
    exit_code: Count = 0
    """The error's, of a fault (docs/reference/exit-codes.md); else 0."""


class OnlineReport(Frozen):
    """The part `online` of what `doctor --online --format json` prints."""

    schema_version: Literal[1] = 1
    findings: tuple[OnlineFinding, ...]

    @property
    def exit_code(self) -> int:
        """The worst finding's; what is held counts as 0, as in a plan."""
        return max((finding.exit_code for finding in self.findings), default=0)
