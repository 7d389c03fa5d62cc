"""The table at the end of a run."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from immutable_base.model.run import RunReport, VariantOutcome, VariantResult

COLOURS = {
    VariantOutcome.PUBLISHED: "green",
    VariantOutcome.HELD: "yellow",
    VariantOutcome.FAILED: "red",
}


def verdict_text(variant: VariantResult) -> str:
    """Return the verdict as the table and the plain lines name it."""
    return f"{variant.outcome} (unchanged)" if variant.unchanged else str(variant.outcome)


def mebibytes(size: int) -> str:
    """Return bytes as MiB, or a dash for nothing."""
    return f"{size / (1 << 20):.0f} MiB" if size else "-"


def run_table(report: RunReport) -> RenderableType:
    """Return the table of variants and, below it, every error in full."""
    table = Table(title=f"The run of {report.started}", title_justify="left", expand=False)
    for heading in ("variant", "verdict", "kernel", "modules", "packages", "size", "digest", "s"):
        table.add_column(
            heading, justify="right" if heading in {"packages", "size", "s"} else "left"
        )
    for variant in report.variants:
        table.add_row(*_cells(variant))
    notes = [Text(f"{v.name}: {v.reason}") for v in report.variants if v.reason]
    notes += [
        Text(f"{v.name}: differs from the last image of the same plan: {v.difference}")
        for v in report.variants
        if v.difference
    ]
    signers = sorted({v.signer for v in report.variants if v.signer})
    notes += [Text(f"signed by {signer}") for signer in signers]
    errors = [Text(f"\n{v.name}: {v.error}", style="red") for v in report.variants if v.error]
    return Group(table, *notes, *errors)


def _cells(variant: VariantResult) -> tuple[str | Text, ...]:
    direction = f" ({variant.action})" if variant.action else ""
    digest = (
        variant.reference.rpartition("@")[2].removeprefix("sha256:")[:12]
        if variant.reference
        else "-"
    )
    return (
        variant.name,
        Text(verdict_text(variant), style=COLOURS[variant.outcome]),
        f"{variant.kernel or '-'}{direction}",
        "\n".join(variant.modules) or "-",
        str(variant.packages or "-"),
        mebibytes(variant.size),
        digest,
        f"{variant.seconds:.0f}",
    )


def run_text(report: RunReport, *, width: int, colour: bool) -> str:
    """Return the table as text."""
    console = Console(width=width, force_terminal=colour, no_color=not colour, highlight=False)
    with console.capture() as capture:
        console.print(run_table(report))
        console.print(Text(f"\n{_next_steps(report)}"))
    return capture.get()


def _next_steps(report: RunReport) -> str:
    lines = [f"Documents and logs: {report.documents}"]
    shown = next(
        (v for v in report.variants if v.reference and v.outcome is VariantOutcome.PUBLISHED), None
    )
    if shown and shown.reference:
        repository = shown.reference.rpartition("@")[0]
        lines += [
            "Try next:",
            f"  immutable-base verify {repository}:latest",
            "  immutable-base plan --format json | jq '.variants[] | {name, kernel}'",
            "  immutable-base run      # the same inputs again: published (unchanged)",
        ]
    return "\n".join(lines)
