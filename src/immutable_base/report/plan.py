"""The plan as a person reads it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from immutable_base.model.plan import KernelAction, Plan, VariantPlan, Verdict
from immutable_base.report.reasons import other_reasons, rejections
from immutable_base.report.repositories import repository_lines

STYLES = {Verdict.BUILD: "green", Verdict.HOLD: "yellow", Verdict.FAIL: "red"}


def plan_text(plan: Plan, *, now: float, width: int, colour: bool) -> str:
    """Return the table of variants and, below it, what there is to say of them, all of it once.

    That is warnings, the reasons for each kernel, and how old the repositories are. `now` is in
    seconds since 1970, `width` in columns.
    """
    table = Table(title="The plan", title_justify="left", expand=False)
    for name in ("variant", "verdict", "kernel", "modules", "packages"):
        table.add_column(name, overflow="fold")
    for variant in plan.variants:
        table.add_row(*_row(variant))
    sink = io.StringIO()
    console = Console(file=sink, width=width, highlight=False, force_terminal=colour)
    console.print(Group(table, *_explanations(plan.variants), *_repositories(plan, now)))
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


def _explanations(variants: Iterable[VariantPlan]) -> Iterator[Group]:
    """Yield the reasons of each variant; what was said of an earlier one is not said again."""
    told: dict[str, str] = {}
    for variant in variants:
        heading = Text(f"\n{variant.name}: {variant.base.digest or variant.base.reference}")
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for warning in variant.warnings:
            grid.add_row(Text(" "), Text(f"warning: {warning}", style="yellow"))
        for line in _reasons(variant, told):
            grid.add_row(Text(" "), Text(line))
        if variant.signed_by:
            grid.add_row(Text(" "), Text(f"modules: {variant.signed_by}"))
        for rejection in rejections(variant.kernel):
            before = told.setdefault(rejection.reason, variant.name)
            why = rejection.reason if before == variant.name else f"as for {before}"
            grid.add_row(Text("  not"), Text(f"{', '.join(rejection.kernels)}: {why}"))
        yield Group(heading, grid)


def _repositories(plan: Plan, now: float) -> Iterator[Text]:
    lines = repository_lines(plan, now)
    if lines:
        yield Text("\nrepositories")
    for line in lines:
        yield Text(f"  {line}")


def _reasons(variant: VariantPlan, told: dict[str, str]) -> tuple[str, ...]:
    """Return the lines about a variant as a whole, or with which one it shares them all."""
    lines = other_reasons(variant)
    tellers = {told.get(line) for line in lines}
    for line in lines:
        told.setdefault(line, variant.name)
    teller = tellers.pop() if len(tellers) == 1 else None
    return (f"as for {teller}",) if teller else lines
