"""What a plan changes, as a comment in a merge request."""

from __future__ import annotations

import html
import re
from collections import Counter

from immutable_base.model.plan_diff import PlanDiff, VariantChange, VariantDiff, VersionChange
from immutable_base.report.plan_diff import (
    ORDER,
    change_line,
    changes_sorted,
    headline,
    short_digest,
    signer_line,
)

LONGEST = 100_000
"""Characters; GitLab refuses a comment of more than a million, and nobody reads so many.
Source: https://docs.gitlab.com/administration/instance_limits/, "Size of comments"."""
CUT = "\n\n… and more: `immutable-base plan --diff` shows all of it.\n"
HEADINGS = (
    "| variant | verdict | base image | kernel | modules | packages |\n|---|---|---|---|---|---|"
)
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~@!&])")
"""What Markdown, HTML or GitLab's references would make something of."""


def plan_diff_markdown(diff: PlanDiff) -> str:
    """Return a table of the variants that change, and the details of each folded below it."""
    changed = [it for it in diff.variants if it.change is not VariantChange.SAME or it.warnings]
    same = [it.name for it in diff.variants if it not in changed]
    if not changed:
        return "**Nothing changes**" + (
            f" for {', '.join(map(escape, same))}.\n" if same else ".\n"
        )
    lines = ["**What changes**", "", HEADINGS, *map(_row, changed)]
    for variant in changed:
        lines += _details(variant)
    if same:
        lines += ["", f"Nothing changes for {', '.join(map(escape, same))}."]
    text = "\n".join(lines) + "\n"
    return text if len(text) <= LONGEST else _cut(text)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _cut(text: str) -> str:
    """Return whole lines only, with every fold closed."""
    head = text[:LONGEST].rpartition("\n")[0]
    if head.count("<details>") > head.count("</details>"):
        head += "\n\n</details>"
    return head + CUT


def _row(variant: VariantDiff) -> str:
    cells = (
        escape(variant.name),
        escape(headline(variant)),
        _base(variant),
        escape(change_line(variant.kernel)) if variant.kernel else "-",
        _modules(variant),
        _counts(variant.packages),
    )
    return "| " + " | ".join(cells) + " |"


def _modules(variant: VariantDiff) -> str:
    found = [escape(change_line(item)) for item in variant.modules]
    if variant.module_signer:
        found.append("signatures change")
    return ", ".join(found) or "-"


def _base(variant: VariantDiff) -> str:
    if variant.base_before is None or variant.base_before == variant.base_after:
        return "-"
    return f"{short_digest(variant.base_before)} → {short_digest(variant.base_after)}"


def _counts(changes: tuple[VersionChange, ...]) -> str:
    counts = Counter(item.change for item in changes)
    return ", ".join(f"{counts[change]} {change}" for change in ORDER if counts[change]) or "-"


def _details(variant: VariantDiff) -> list[str]:
    lines = [f"* warning: {escape(text)}" for text in variant.warnings]
    lines += [f"* {escape(text)}" for text in variant.reasons]
    if variant.module_signer:
        lines.append(f"* {escape(signer_line(variant.module_signer))}")
    lines += [f"* {escape(change_line(item))}" for item in changes_sorted(variant.packages)]
    lines += [
        f"* builder: {escape(change_line(item))}" for item in changes_sorted(variant.builders)
    ]
    if not lines:
        return []
    summary = f"<details><summary>{html.escape(variant.name)}</summary>"
    return ["", summary, "", *lines, "", "</details>"]
