"""What may go from a registry and what stays, as a person reads it."""

from __future__ import annotations

from collections import Counter

from immutable_base.model.prune import (
    ManifestKind,
    PruneAction,
    PruneItem,
    PrunePlan,
    PruneReport,
    RepositoryPrune,
)

DIGITS = len("sha256:") + 12
"""Of a digest: enough to tell two apart."""
MARKS = {PruneAction.KEEP: "stays", PruneAction.UNTAG: "stays", PruneAction.DELETE: "may go"}
BESIDE = {
    ManifestKind.SIGNATURE: "signatures",
    ManifestKind.ATTESTATION: "attestations",
    ManifestKind.SBOM: "SBOMs",
    ManifestKind.REFERRERS: "lists of referrers",
    ManifestKind.REFERRER: "referrers",
}
"""Kinds that follow another manifest: those that stay with it are only counted."""


def prune_plan_text(plan: PrunePlan) -> str:
    """Return what may go, and why each thing stays, repository by repository."""
    lines = [
        f"As of {plan.as_of}: the last {plan.nights} nights and {plan.days} days of rollback stay"
    ]
    for name in plan.instances:
        users = sum(
            user.startswith((f"{name}:", f"{name}@")) for it in plan.bases for user in it.used_by
        )
        lines.append(f"instances in {name}: {users}")
    for repository in plan.repositories:
        lines += ["", *_repository(repository)]
    count = _count(plan)
    lines += ["", f"{count} manifests may go" if count else "nothing may go"]
    return "\n".join(lines) + "\n"


def prune_report_text(report: PruneReport) -> str:
    """Return what was deleted, and what was seen to be there afterwards."""
    lines = [
        *(f"deleted {name}" for name in (*report.untagged, *report.deleted)),
        *(f"left {name}: this registry takes no single tag away" for name in report.left),
        *(f"moved by another run meanwhile: {name}" for name in report.moved),
        f"{len(report.deleted)} manifests are deleted; {report.seen} that were to stay are there",
    ]
    return "\n".join(lines) + "\n"


def _count(plan: PrunePlan) -> int:
    return sum(item.action is PruneAction.DELETE for it in plan.repositories for item in it.items)


def _repository(repository: RepositoryPrune) -> list[str]:
    if not repository.exists:
        return [f"{repository.repository}: the registry has no such repository"]
    rows = sorted(repository.items, key=_order)
    shown = [row for row in rows if row.action is PruneAction.DELETE or row.kind not in BESIDE]
    silent = Counter(BESIDE[row.kind] for row in rows if row not in shown)
    lines = [f"{repository.repository}:", *(line for row in shown for line in _lines(row))]
    if silent:
        total = ", ".join(f"{kinds}: {number}" for kinds, number in sorted(silent.items()))
        lines.append(f"  stays, beside what stays: {total}")
    return lines


def _order(item: PruneItem) -> tuple[bool, tuple[str, ...], str]:
    return item.action is PruneAction.DELETE, item.tags, item.digest


def _lines(item: PruneItem) -> list[str]:
    names = ", ".join(item.tags) or "without a tag"
    lines = [f"  {MARKS[item.action]:<6} {item.kind} {item.digest[:DIGITS]} ({names})"]
    lines += [f"           {reason}" for reason in item.reasons]
    if item.removed_tags:
        lines.append(f"           tags that may go: {', '.join(item.removed_tags)}")
    return lines
