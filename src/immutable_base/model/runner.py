"""doctor --ci --format json: what a GitLab runner and its job give a run."""

from __future__ import annotations

from typing import Literal

from immutable_base.errors import HostError
from immutable_base.model.document import Frozen, Text
from immutable_base.model.online import State


class RunnerFinding(Frozen):
    """One thing that a job needs of its runner, of GitLab or of the registry."""

    name: Text
    state: Literal[State.OK, State.WARNING, State.FAULT]
    message: Text
    fix: str = ""
    """The next step; empty if nothing is wrong."""


class RunnerReport(Frozen):
    """The part `ci` of what `doctor --ci --format json` prints."""

    schema_version: Literal[1] = 1
    findings: tuple[RunnerFinding, ...]

    @property
    def exit_code(self) -> int:
        """That of a host which is not ready if anything is a fault, else 0."""
        faulty = any(finding.state is State.FAULT for finding in self.findings)
        return HostError.exit_code if faulty else 0


def fine(name: str, message: str) -> RunnerFinding:
    """Return that something is as it should be."""
    return RunnerFinding(name=name, state=State.OK, message=message)


def warning(name: str, message: str, fix: str) -> RunnerFinding:
    """Return that somebody should know of something."""
    return RunnerFinding(name=name, state=State.WARNING, message=message, fix=fix)


def fault(name: str, message: str, fix: str) -> RunnerFinding:
    """Return that something would fail."""
    return RunnerFinding(name=name, state=State.FAULT, message=message, fix=fix)
