"""`immutable-base plan`: decide what to build and why; nothing is built."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Collection
from pathlib import Path

from immutable_base.cli.make_context import make_context
from immutable_base.cli.options import (
    NARROWEST,
    add_context_arguments,
    add_output_arguments,
    add_unsigned_argument,
    add_variant_argument,
    wants_colour,
    write_result,
)
from immutable_base.config.names import selected_variants
from immutable_base.context import Context
from immutable_base.errors import ConfigurationError
from immutable_base.model.plan import Plan
from immutable_base.model.plan_diff import PlanDiff
from immutable_base.plan.diff import diff_plans
from immutable_base.plan.load import load_plan
from immutable_base.plan.make import make_plan
from immutable_base.process import heed_interrupts
from immutable_base.report.explain import explanation
from immutable_base.report.plan_diff import plan_diff_text
from immutable_base.report.plan_diff_markdown import plan_diff_markdown
from immutable_base.report.repositories import repository_lines
from immutable_base.solver.order import EvrOrder
from immutable_base.workspace import exclusive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_context_arguments(parser)
    add_variant_argument(parser)
    add_unsigned_argument(parser)
    question = parser.add_mutually_exclusive_group()
    question.add_argument(
        "--explain",
        metavar="VARIANT",
        help="tell the whole story of this variant, and plan no other",
    )
    question.add_argument(
        "--diff",
        metavar="OLD.json",
        type=Path,
        help="show what changes against an earlier plan, a document of --format json",
    )
    add_output_arguments(parser, formats=("text", "json", "markdown"))
    parser.add_argument(
        "--save",
        action="store_true",
        help="begin a run in the workspace with this plan, for `build` and the stages after it",
    )


def run(namespace: argparse.Namespace) -> int:
    """Make the plan, print it, and return the worst variant's exit code; held is not an error."""
    heed_interrupts()
    for option, given in (("--variant", namespace.variant), ("--save", namespace.save)):
        if namespace.explain and given:
            raise ConfigurationError(
                f"--explain and {option} exclude each other",
                hint="--explain plans the one variant that it names, and only tells of it",
            )
    if namespace.format == "markdown" and not namespace.diff:
        raise ConfigurationError(
            "--format markdown is for --diff",
            hint="it makes a comment for a merge request: what changes",
        )
    context = make_context(namespace)
    asked = [namespace.explain] if namespace.explain else namespace.variant
    variants = selected_variants(context.settings, asked)
    # Before anything is fetched: what cannot be read is said at once.
    earlier = load_plan(namespace.diff) if namespace.diff else None
    plan = _saved(context, variants) if namespace.save else _made(context, variants)
    diff = _diff(earlier, plan, namespace.variant) if earlier else None
    write_result(_result(namespace, plan, diff, context.clock()), namespace.output)
    return plan.exit_code


def _made(context: Context, variants: tuple[str, ...]) -> Plan:
    with context.open_plan_inputs() as inputs:
        return make_plan(inputs, variants)


def _saved(context: Context, variants: tuple[str, ...]) -> Plan:
    """Make the plan a run's beginning: what an earlier run left in the workspace goes."""
    from immutable_base.documents import PLAN  # noqa: PLC0415  only `--save` needs it
    from immutable_base.run.begin import start_clean  # noqa: PLC0415  only `--save` needs it

    with exclusive(context.workspace):
        plan = _made(context, variants)
        start_clean(context)
        context.documents.write(PLAN, plan)
    return plan


def _diff(earlier: Plan, plan: Plan, asked: Collection[str]) -> PlanDiff:
    """Return what changes; variants that nobody asked for are left out of both plans."""
    kept = tuple(item for item in earlier.variants if not asked or item.name in asked)
    return diff_plans(earlier.model_copy(update={"variants": kept}), plan, EvrOrder())


def _result(namespace: argparse.Namespace, plan: Plan, diff: PlanDiff | None, now: float) -> str:
    if namespace.format == "json":
        return (diff or plan).to_json()
    if namespace.format == "markdown" and diff is not None:
        return plan_diff_markdown(diff)
    if diff is not None:
        return plan_diff_text(diff, str(namespace.diff))
    if namespace.explain:
        return explanation(plan.variants[0], EvrOrder(), repository_lines(plan, now))
    # What draws the table takes a while to import, and nothing else needs it.
    from immutable_base.report.plan import plan_text  # noqa: PLC0415  see above

    width = max(shutil.get_terminal_size().columns, NARROWEST)
    return plan_text(plan, now=now, width=width, colour=wants_colour(namespace.output))
