"""`immutable-base report`: how a run ended that was made stage by stage."""

from __future__ import annotations

import argparse
import shutil

from immutable_base.cli.held import add_held_argument, exit_code_of_report
from immutable_base.cli.options import (
    UNSEEN,
    add_context_arguments,
    add_output_arguments,
    wants_colour,
    write_result,
)
from immutable_base.documents import Documents
from immutable_base.report.junit import checks_junit
from immutable_base.report.markdown import run_markdown
from immutable_base.report.run import run_text
from immutable_base.run.checked import checked_variants
from immutable_base.run.reported import report_of
from immutable_base.workspace import RUN_FOLDER


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_context_arguments(parser)
    add_output_arguments(parser, formats=("text", "json", "markdown", "junit"))
    add_held_argument(parser)


def run(namespace: argparse.Namespace) -> int:
    """Report, and return the exit code of the worst failure; nothing is written or made.

    As JUnit it is the checks that are reported, and whether anything was published is no matter.
    """
    documents = Documents(namespace.workspace.resolve() / RUN_FOLDER)
    if namespace.format == "junit":
        checked = checked_variants(documents)
        write_result(checks_junit(checked), namespace.output)
        return max((variant.exit_code for variant in checked), default=0)
    report = report_of(documents)
    if namespace.format == "json":
        text = report.to_json()
    elif namespace.format == "markdown":
        text = run_markdown(report)
    else:
        width = max(100, shutil.get_terminal_size((UNSEEN, 40)).columns)
        text = run_text(report, width=width, colour=wants_colour(namespace.output))
    write_result(text, namespace.output)
    return exit_code_of_report(report, namespace)
