"""A run's report as Markdown, for merge requests and job summaries."""

from __future__ import annotations

import re

from immutable_base.errors import printable
from immutable_base.model.run import RunReport, VariantResult
from immutable_base.report.plan_diff_markdown import escape
from immutable_base.report.run import kibibytes, mebibytes, verdict_text

HEADINGS = ("variant", "verdict", "kernel", "modules", "packages", "size", "SBOM", "image")


def run_markdown(report: RunReport) -> str:
    """Return a table of variants, and below it why each one is held or failed, and warnings."""
    lines = [_row(HEADINGS), _row(["---"] * len(HEADINGS))]
    lines += [_row(_cells(variant)) for variant in report.variants]
    for variant in report.variants:
        if variant.error:
            lines += ["", f"**{variant.name}** failed:", "", *code_block(variant.error)]
        elif variant.reason:
            lines += ["", f"**{variant.name}**: {escape(variant.reason)}"]
        for warning in variant.warnings:
            lines += ["", f"**{variant.name}** warning: {escape(warning)}"]
    return "\n".join(map(printable, lines)) + "\n"


def code_block(text: str) -> list[str]:
    """Return lines that show a text as it is, whatever backticks are in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return [f"{fence}text", text, fence]


def _cells(variant: VariantResult) -> list[str]:
    direction = f" ({variant.action})" if variant.action else ""
    return [
        variant.name,
        verdict_text(variant),
        f"{variant.kernel or '-'}{direction}",
        ", ".join(variant.modules) or "-",
        str(variant.packages or "-"),
        mebibytes(variant.size),
        kibibytes(variant.sbom_size),
        f"`{variant.reference}`" if variant.reference else "-",
    ]


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
