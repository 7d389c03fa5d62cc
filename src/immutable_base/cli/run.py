"""`immutable-base run`: plan, build, check, sign, verify and publish."""

from __future__ import annotations

import argparse
import shutil

from immutable_base import process
from immutable_base.cli.held import add_held_argument, exit_code_of_report
from immutable_base.cli.make_context import make_context
from immutable_base.cli.options import (
    UNSEEN,
    add_context_arguments,
    add_output_arguments,
    add_unsigned_argument,
    add_variant_argument,
    add_workers_argument,
    wants_colour,
    write_result,
)
from immutable_base.config.load import load_settings
from immutable_base.config.names import selected_variants
from immutable_base.doctor import require_ready
from immutable_base.model.boot import BootPolicy
from immutable_base.process import heed_interrupts
from immutable_base.progress import Progress
from immutable_base.report.run import run_text
from immutable_base.run.nightly import run_variants


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_context_arguments(parser)
    add_variant_argument(parser)
    add_unsigned_argument(parser)
    add_output_arguments(parser)
    add_workers_argument(parser)
    add_held_argument(parser)


def run(namespace: argparse.Namespace) -> int:
    """Run, and return the exit code of the worst failure."""
    heed_interrupts()
    settings = load_settings(namespace.config.resolve())
    variants = selected_variants(settings, namespace.variant)
    require_ready(
        process.run,
        namespace.workspace.resolve(),
        settings.minimum_free_gib,
        boots=settings.boot.policy is BootPolicy.REQUIRED,
    )
    context = make_context(namespace, settings)
    with Progress(verbose=namespace.verbose) as progress:
        report = run_variants(
            context, variants=variants, observer=progress, workers=namespace.workers
        )
    if namespace.format == "json":
        write_result(report.to_json(), namespace.output)
    else:
        width = max(100, shutil.get_terminal_size((UNSEEN, 40)).columns)
        text = run_text(report, width=width, colour=wants_colour(namespace.output))
        write_result(text, namespace.output)
    return exit_code_of_report(report, namespace)
