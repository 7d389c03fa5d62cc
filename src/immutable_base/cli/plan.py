"""`immutable-base plan`: decide what to build and why; nothing is built."""

from __future__ import annotations

import argparse
import shutil

from immutable_base.cli.make_context import make_context
from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    add_variant_argument,
    selected_variants,
    wants_colour,
    write_result,
)
from immutable_base.context import Context
from immutable_base.log import log_to_terminal
from immutable_base.model.plan import Plan
from immutable_base.plan.make import make_plan
from immutable_base.process import heed_interrupts
from immutable_base.workspace import exclusive

NARROWEST = 120
"""Columns; the table is not squeezed further when the terminal is narrower, or a file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_context_arguments(parser)
    add_variant_argument(parser)
    add_output_arguments(parser)
    parser.add_argument(
        "--save",
        action="store_true",
        help="begin a run in the workspace with this plan, for `build` and the stages after it",
    )


def run(namespace: argparse.Namespace) -> int:
    """Make the plan, print it, and return the worst variant's exit code; held is not an error."""
    context = make_context(namespace)
    variants = selected_variants(context.settings, namespace.variant)
    heed_interrupts()
    log_to_terminal(verbose=namespace.verbose)
    plan = _saved(context, variants) if namespace.save else _made(context, variants)
    if namespace.format == "json":
        write_result(plan.to_json(), namespace.output)
    else:
        # What draws the table takes a while to import, and JSON needs none of it.
        from immutable_base.report.plan import plan_text  # noqa: PLC0415  see above

        width = max(shutil.get_terminal_size().columns, NARROWEST)
        text = plan_text(plan, width=width, colour=wants_colour(namespace.output))
        write_result(text, namespace.output)
    return plan.exit_code


def _made(context: Context, variants: tuple[str, ...]) -> Plan:
    with context.open_plan_inputs() as inputs:
        return make_plan(inputs, variants)


def _saved(context: Context, variants: tuple[str, ...]) -> Plan:
    """Make the plan a run's beginning: what an earlier run left in the workspace goes."""
    from immutable_base.documents import PLAN  # noqa: PLC0415  a plan that is only printed needs
    from immutable_base.run.begin import start_clean  # noqa: PLC0415  none of it

    with exclusive(context.workspace):
        plan = _made(context, variants)
        start_clean(context)
        context.documents.write(PLAN, plan)
    return plan
