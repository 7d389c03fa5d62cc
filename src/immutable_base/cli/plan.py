"""`immutable-base plan`: decide, and say why; nothing is built."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    add_variant_argument,
    make_context,
    selected_variants,
    write_result,
)
from immutable_base.log import log_to_terminal
from immutable_base.model.plan import KernelAction, Plan, VariantPlan, Verdict
from immutable_base.process import heed_interrupts, is_contained, run_contained

NARROWEST = 120
"""Columns; the table is not squeezed further when the terminal is narrower, or a file."""
STYLES = {Verdict.BUILD: "green", Verdict.HOLD: "yellow", Verdict.FAIL: "red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_context_arguments(parser)
    add_variant_argument(parser)
    add_output_arguments(parser)


def run(namespace: argparse.Namespace) -> int:
    """Make the plan, print it, and return the worst variant's exit code; held is not an error."""
    context = make_context(namespace)
    variants = selected_variants(context.settings, namespace.variant)
    if os.geteuid() == 0 and not is_contained():
        # A base image may have to be mounted to be read: no mount outlives us, however we end.
        return run_contained([sys.executable, "-m", "immutable_base", *sys.argv[1:]])
    heed_interrupts()
    log_to_terminal(verbose=namespace.verbose)
    # Solver and HTTP client are loaded only now: `--help` must not pay for them.
    from immutable_base.plan.make import make_plan  # noqa: PLC0415

    plan = make_plan(context, variants=variants)
    text = plan.to_json() if namespace.format == "json" else as_text(plan)
    write_result(text, namespace.output)
    return max((variant.exit_code for variant in plan.variants), default=0)


def as_text(plan: Plan) -> str:
    """Return the plan as a person reads it."""
    table = Table(title="Tonight", title_justify="left", expand=False)
    for name in ("variant", "verdict", "kernel", "modules", "packages"):
        table.add_column(name, overflow="fold")
    for variant in plan.variants:
        table.add_row(*_row(variant))
    sink = io.StringIO()
    width = max(shutil.get_terminal_size().columns, NARROWEST)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    console = Console(file=sink, width=width, highlight=False, force_terminal=colour)
    console.print(Group(table, *map(_explanation, plan.variants)))
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines()) + "\n"


def _row(variant: VariantPlan) -> tuple[Text, ...]:
    modules = ", ".join(f"{module.name} {module.version}" for module in variant.modules)
    count = str(len(variant.packages)) if variant.verdict is Verdict.BUILD else "-"
    return (
        Text(variant.name),
        Text(variant.verdict.value, style=STYLES[variant.verdict]),
        Text(_kernel(variant)),
        Text(modules or "-"),
        Text(count),
    )


def _kernel(variant: VariantPlan) -> str:
    kernel = variant.kernel
    if kernel.chosen is None:
        return f"{kernel.image} (image)" if kernel.image else "-"
    if kernel.action is KernelAction.KEEP:
        return f"{kernel.chosen} (keep)"
    return f"{kernel.chosen} ({kernel.action} from {kernel.image})"


def _explanation(variant: VariantPlan) -> Group:
    heading = Text(f"\n{variant.name}: {variant.base.digest or variant.base.reference}")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for reason in variant.reasons:
        grid.add_row(Text(" "), Text(reason))
    for item in variant.kernel.rejected:
        grid.add_row(Text("  not"), Text(f"{item.evr}: {item.reason}"))
    return Group(heading, grid)
