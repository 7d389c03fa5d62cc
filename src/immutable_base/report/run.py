"""The table at the end of a night."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from immutable_base.model.run import NightReport, Outcome, VariantResult

COLOURS = {Outcome.PUBLISHED: "green", Outcome.HELD: "yellow", Outcome.FAILED: "red"}


def verdict_words(variant: VariantResult) -> str:
    """Return the verdict as the table and the plain lines name it."""
    return f"{variant.outcome} (unchanged)" if variant.unchanged else str(variant.outcome)


def mebibytes(size: int) -> str:
    """Return bytes as MiB, or a dash for nothing."""
    return f"{size / (1 << 20):.0f} MiB" if size else "-"


def night_table(report: NightReport) -> RenderableType:
    """Return the table of variants and, below it, every error in full."""
    table = Table(title=f"The night of {report.started}", title_justify="left", expand=False)
    for heading in ("variant", "verdict", "kernel", "modules", "packages", "size", "digest", "s"):
        table.add_column(
            heading, justify="right" if heading in {"packages", "size", "s"} else "left"
        )
    for variant in report.variants:
        table.add_row(*_cells(variant))
    notes = [Text(f"{v.name}: {v.why}") for v in report.variants if v.why]
    notes += [
        Text(f"{v.name}: not the same image as last time from the same plan: {v.difference}")
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
        Text(verdict_words(variant), style=COLOURS[variant.outcome]),
        f"{variant.kernel or '-'}{direction}",
        "\n".join(variant.modules) or "-",
        str(variant.packages or "-"),
        mebibytes(variant.size),
        digest,
        f"{variant.seconds:.0f}",
    )


def night_text(report: NightReport, *, width: int, colour: bool) -> str:
    """Return the table as text."""
    console = Console(width=width, force_terminal=colour, no_color=not colour, highlight=False)
    with console.capture() as capture:
        console.print(night_table(report))
        console.print(Text(f"\n{_next_steps(report)}"))
    return capture.get()


def _next_steps(report: NightReport) -> str:
    lines = [f"Documents and logs: {report.documents}"]
    shown = next(
        (v for v in report.variants if v.reference and v.outcome is Outcome.PUBLISHED), None
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
