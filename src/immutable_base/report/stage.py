"""What a command that runs one stage tells people."""

from __future__ import annotations

from immutable_base.model.stage import StageReport, StageResult


def stage_text(report: StageReport) -> str:
    """Return a line for each step, the errors in full below, and where the documents are."""
    lines = [_line(result) for result in report.results] or [
        "nothing to do: the plan builds nothing"
    ]
    lines += [f"\n{result.title}: {result.error}" for result in report.results if result.error]
    return "\n".join([*lines, f"\nDocuments: {report.documents}"]) + "\n"


def _line(result: StageResult) -> str:
    message = f": {result.message}" if result.message else ""
    return f"{result.title}: {result.outcome}{message}"
