"""How a held variant shows in the exit code of a command that reports."""

from __future__ import annotations

import argparse

from immutable_base.errors import EXIT_HELD
from immutable_base.model.run import RunReport
from immutable_base.model.stage import StageReport


def add_held_argument(parser: argparse.ArgumentParser) -> None:
    """Add how a held variant shows in the exit code."""
    parser.add_argument(
        "--exit-held",
        action="store_true",
        help=f"end with exit code {EXIT_HELD} if nothing failed and a variant is held",
    )


def exit_code_of_report(report: StageReport | RunReport, namespace: argparse.Namespace) -> int:
    """Return a report's exit code, in which a held variant shows if that was asked for."""
    return report.exit_code or (EXIT_HELD if namespace.exit_held and report.held else 0)
