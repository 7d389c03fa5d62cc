"""An instance's decision and the results of its commands, as people and GitLab read them."""

from __future__ import annotations

from collections.abc import Sequence

from immutable_base.errors import printable
from immutable_base.model.advisory import FixedAdvisory
from immutable_base.model.instance import (
    InstanceChanges,
    InstanceDecision,
    InstanceOutcome,
    InstanceReport,
    InstanceResult,
)
from immutable_base.model.plan_diff import VersionChange
from immutable_base.report.markdown import code_block
from immutable_base.report.plan_diff_markdown import escape
from immutable_base.report.run import mebibytes

REBUILD, BASE, DECISION = (
    "IMMUTABLE_BASE_REBUILD", "IMMUTABLE_BASE_BASE", "IMMUTABLE_BASE_DECISION",
)  # fmt: skip
"""Variables that later jobs of a pipeline get. Source: GitLab, `artifacts:reports:dotenv`."""


def decision_text(decision: InstanceDecision) -> str:
    """Return the decision, every reason with its evidence, and what it was made from."""
    lines = [f"{decision.name}: {decision.outcome}"]
    for reason in decision.reasons:
        lines.append(f"  {reason.rule}: {one_line(reason.message)}")
        lines += [f"    {one_line(line)}" for line in reason.evidence]
    lines += [f"  note: {one_line(note)}" for note in decision.notes]
    if decision.base is not None:
        lines += [
            f"base       {decision.base.pinned}",
            f"           {decision.base.reference}, signed by {decision.base.signer}",
        ]
    lines.append(f"commit     {decision.commit}")
    published = decision.published.digest if decision.published else "nothing that counts"
    lines.append(f"published  {published}, in {decision.repository}")
    return "\n".join(map(printable, lines)) + "\n"


def decision_dotenv(decision: InstanceDecision) -> str:
    """Return the variables of a decision, one assignment a line; no value needs quotes."""
    variables = {
        REBUILD: "true" if decision.outcome is InstanceOutcome.REBUILD else "false",
        DECISION: str(decision.outcome),
        BASE: decision.base.pinned if decision.base else "",
    }
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def one_line(text: str) -> str:
    """Return foreign text, such as the name of a file, without line feeds of its own."""
    return text.replace("\n", "\\n")


def result_text(result: InstanceResult) -> str:
    """Return what a command did, and where its documents are."""
    head = "done" if result.outcome == "done" else f"not built ({result.outcome})"
    lines = (f"{result.stage}: {head}: {result.message}", f"Documents: {result.documents}")
    return "\n".join(map(printable, lines)) + "\n"


def instance_markdown(report: InstanceReport) -> str:
    """Return how it ended as Markdown: for merge requests, job summaries and people."""
    digest = report.image or "-"
    tags = ", ".join(tag.name for tag in report.tags) or "-"
    lines = [
        f"**{report.name}**: {report.outcome}", "",
        "| image | tags | base | commit | packages | size |", "|---|---|---|---|---|---|",
        _row(f"`{digest}`", tags, f"`{report.base or '-'}`", report.commit[:12] or "-",
             str(report.packages or "-"), mebibytes(report.size)),
        "",
    ]  # fmt: skip
    for reason in report.reasons:
        lines.append(f"* {reason.rule}: {escape(reason.message)}")
        lines += [f"  * `{one_line(line).replace('`', '')}`" for line in reason.evidence]
    lines += [f"* note: {escape(note)}" for note in report.notes]
    lines += [f"* {escape(line)}" for line in report.findings]
    if report.changes is not None:
        lines += ["", *_changes(report.changes)]
    if report.error:
        lines += ["", *code_block(report.error)]
    return "\n".join(map(printable, lines)) + "\n"


def _changes(changes: InstanceChanges) -> list[str]:
    lines = [f"kernel {changes.kernel[0]} → {changes.kernel[1]}", ""] if changes.kernel else []
    listed = [
        *(f"* module {_change(item)}" for item in changes.modules),
        *(f"* {_change(item)}" for item in changes.packages),
    ]
    return [
        *lines,
        *(listed or ["packages and modules are the same"]),
        *(["", *_fixed(changes.fixed)] if changes.fixed is not None else []),
    ]


def _fixed(fixed: Sequence[FixedAdvisory]) -> list[str]:
    if not fixed:
        return ["no known security advisory was closed"]
    cves = sorted({name for item in fixed for name in item.cves})
    named = f": {', '.join(cves)}" if cves else ""
    return [
        escape(f"security advisories closed: {len(fixed)}, CVEs fixed: {len(cves)}{named}"),
        "",
        *(
            "* " + escape(" ".join(filter(None, (
                f"{item.id}:", item.severity, ", ".join(item.packages),
                f"({', '.join(item.cves)})" if item.cves else "",
            ))))
            for item in fixed
        ),
    ]  # fmt: skip


def _change(item: VersionChange) -> str:
    name = f"{item.name}.{item.arch}" if item.arch else item.name
    versions = " → ".join(filter(None, (item.before, item.after)))
    return escape(f"{item.change}: {name} {versions}")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def drift_text(found: Sequence[tuple[str, str, str]]) -> str:
    """Return a line for each part of the contract: name, problem (or none) and its repair."""
    lines = []
    for name, problem, fix in found:
        first, *rest = problem.splitlines() or ["ok"]
        lines.append(f"{name:14} {first}")
        lines += [f"{'':14} {line}" for line in (*rest, *(fix.splitlines() if problem else ()))]
    return "\n".join(map(printable, lines)) + "\n"
