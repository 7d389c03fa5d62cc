"""What every command that runs one stage has in common."""

from __future__ import annotations

import argparse
from dataclasses import replace

from immutable_base.cli.held import add_held_argument, exit_code_of_report
from immutable_base.cli.make_context import make_context
from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    add_variant_argument,
    add_workers_argument,
    write_result,
)
from immutable_base.process import heed_interrupts
from immutable_base.progress import Progress
from immutable_base.report.stage import stage_text
from immutable_base.run.single import Selection, run_stage


def add_stage_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every stage takes."""
    add_context_arguments(parser)
    add_variant_argument(parser)
    add_output_arguments(parser)
    add_workers_argument(parser)
    add_held_argument(parser)


def run_stage_command(
    namespace: argparse.Namespace, stage: str, selection: Selection | None = None
) -> int:
    """Run a stage on the documents in the workspace; return the worst step's exit code."""
    heed_interrupts()
    context = make_context(namespace)
    selection = replace(selection or Selection(), variants=tuple(namespace.variant))
    with Progress(verbose=namespace.verbose) as progress:
        report = run_stage(context, stage, selection, observer=progress, workers=namespace.workers)
    text = report.to_json() if namespace.format == "json" else stage_text(report)
    write_result(text, namespace.output)
    return exit_code_of_report(report, namespace)
