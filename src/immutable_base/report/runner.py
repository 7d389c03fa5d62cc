"""What a GitLab runner and its job give a run, one line for each thing."""

from __future__ import annotations

from immutable_base.errors import printable
from immutable_base.model.online import State
from immutable_base.model.runner import RunnerFinding, RunnerReport

MARKS = {State.OK: "ok     ", State.WARNING: "warning", State.FAULT: "FAULT  "}


def runner_text(report: RunnerReport) -> str:
    """Return one line for each finding; what is not in order ends with the next step."""
    return "".join(f"{_line(finding)}\n" for finding in report.findings)


def _line(finding: RunnerFinding) -> str:
    fix = f": {finding.fix}" if finding.fix else ""
    return printable(f"{MARKS[finding.state]} {finding.name} ({finding.message}){fix}")
