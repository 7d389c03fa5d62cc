"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from immutable_base.model.boot import BootVerdict
from immutable_base.model.reference import Reference
from immutable_base.model.run import RunReport, VariantOutcome, VariantResult

COLOURS = {
    VariantOutcome.PUBLISHED: "green",
    VariantOutcome.HELD: "yellow",
    VariantOutcome.FAILED: "red",
}

HEADINGS = (
    "variant", "verdict", "kernel", "modules", "packages", "size", "SBOM", "booted",
    "digest", "s",
)  # fmt: skip
NUMBERS = frozenset({"packages", "size", "SBOM", "booted", "s"})


def verdict_text(variant: VariantResult) -> str:
    """Return the verdict as the table names it."""
    return f"{variant.outcome} (unchanged)" if variant.unchanged else str(variant.outcome)


def mebibytes(size: int) -> str:
    """Return bytes as MiB, or a dash for nothing."""
    return f"{size / (1 << 20):.0f} MiB" if size else "-"


def kibibytes(size: int) -> str:
    """Return bytes as KiB, rounded up, or a dash for nothing."""
    return f"{-(-size // 1024)} KiB" if size else "-"


def boot_text(variant: VariantResult) -> str:
    """Return how long the boots took, or why there is nothing to tell."""
    match variant.boot:
        case BootVerdict.BOOTED:
            return f"{variant.boot_seconds:.0f} s"
        case BootVerdict.FAILED:
            return "failed"
        case BootVerdict.NOT_TESTED:
            return "not tested"
        case None:
            return "-"


def _table(report: RunReport) -> Table:
    table = Table(title=f"The run of {report.started}", title_justify="left", expand=False)
    for heading in HEADINGS:
        justify: JustifyMethod = "right" if heading in NUMBERS else "left"
        # In a narrow terminal: a kernel or a digest that is cut off is none.
        table.add_column(heading, justify=justify, overflow="fold")
    for variant in report.variants:
        table.add_row(*_cells(variant))
    return table


def _lines(report: RunReport) -> Iterator[Text]:
    """Yield what stands below the table: reasons, differences, signers, every error in full."""
    for variant in report.variants:
        # The reason of a variant that could not be planned is its error.
        if variant.reason and variant.reason != variant.error:
            yield Text(f"{variant.name}: {variant.reason}")
    for variant in report.variants:
        for warning in variant.warnings:
            yield Text(f"{variant.name}: warning: {warning}", style="yellow")
    yield from _module_signers(report)
    for variant in report.variants:
        if variant.difference:
            yield Text(
                f"{variant.name}: differs from the last image of the same plan: "
                f"{variant.difference}"
            )
    for signer in sorted({variant.signer for variant in report.variants if variant.signer}):
        yield Text(f"signed by {signer}")
    for variant in report.variants:
        if variant.error:
            yield Text(f"\n{variant.name}: {variant.error}", style="red")


def _module_signers(report: RunReport) -> Iterator[Text]:
    for words in dict.fromkeys(v.modules_signed for v in report.variants if v.modules_signed):
        names = ", ".join(v.name for v in report.variants if v.modules_signed == words)
        yield Text(f"modules: {words} ({names})")


def _cells(variant: VariantResult) -> tuple[str | Text, ...]:
    direction = f" ({variant.action})" if variant.action else ""
    digest = (
        (Reference.parse(variant.reference).digest or "").removeprefix("sha256:")[:12]
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
        kibibytes(variant.sbom_size),
        boot_text(variant),
        digest,
        f"{variant.seconds:.0f}",
    )


def run_text(report: RunReport, *, width: int, colour: bool) -> str:
    """Return the table of variants and what there is to say of them below it, as text."""
    console = Console(width=width, force_terminal=colour, no_color=not colour, highlight=False)
    with console.capture() as capture:
        console.print(_table(report))
        for line in (*_lines(report), Text(f"\n{_next_steps(report)}")):
            # Not wrapped: paths, references and commands are there to be copied.
            console.print(line, soft_wrap=True)
    return capture.get()


def _next_steps(report: RunReport) -> str:
    lines = [f"Documents and logs: {report.documents}"]
    shown = next(
        (v for v in report.variants if v.reference and v.outcome is VariantOutcome.PUBLISHED), None
    )
    if shown and shown.reference:
        repository = Reference.parse(shown.reference).repository
        image = f"{repository}:{shown.tags[0]}" if shown.tags else shown.reference
        lines += [
            "Try next:",
            f"  immutable-base verify {image}",
            "  immutable-base plan --format json | jq '.variants[] | {name, kernel}'",
        ]
        if all(v.outcome is VariantOutcome.PUBLISHED for v in report.variants):
            lines.append("  immutable-base run      # the same inputs again: published (unchanged)")
    return "\n".join(lines)
