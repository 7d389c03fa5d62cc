"""What a plan changes, as a person reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from immutable_base.model.plan_diff import (
    ChangeKind,
    PlanDiff,
    SignerCertificate,
    SignerChange,
    VariantChange,
    VariantDiff,
    VersionChange,
)

ORDER = (ChangeKind.UP, ChangeKind.DOWN, ChangeKind.NEW, ChangeKind.GONE, ChangeKind.REBUILT)
"""In which lists show changes."""
DIGITS = len("sha256:") + 12
"""Of a digest: enough to tell two apart."""


def plan_diff_text(diff: PlanDiff, earlier: str) -> str:
    """Return what changes, variant by variant; `earlier` names the plan compared with."""
    lines = [f"Compared with {earlier}:"]
    for variant in diff.variants:
        lines += [f"{variant.name}: {headline(variant)}", *(f"  {x}" for x in _details(variant))]
    if not diff.variants:
        lines.append("neither plan has a variant")
    return "\n".join(lines) + "\n"


def headline(variant: VariantDiff) -> str:
    """Return what became of a variant."""
    match variant.change:
        case VariantChange.NEW:
            return f"new, {variant.verdict_after}"
        case VariantChange.GONE:
            return f"gone, was {variant.verdict_before}"
        case VariantChange.SAME:
            return f"{variant.verdict_after}, nothing changes"
        case VariantChange.CHANGED:
            if variant.verdict_before is variant.verdict_after:
                return f"{variant.verdict_after}, as before"
            return f"was {variant.verdict_before}, now {variant.verdict_after}"


def _details(variant: VariantDiff) -> list[str]:
    lines = [f"warning: {text}" for text in variant.warnings]
    if variant.change in {VariantChange.SAME, VariantChange.GONE}:
        return lines
    lines += variant.reasons
    if variant.base_before is not None and variant.base_before != variant.base_after:
        lines.append(
            f"base image: {short_digest(variant.base_before)} → {short_digest(variant.base_after)}"
        )
    if variant.kernel:
        lines.append(change_line(variant.kernel))
    lines += [f"module {change_line(item)}" for item in variant.modules]
    if variant.module_signer:
        lines.append(signer_line(variant.module_signer))
    lines += _listed("packages", variant.packages)
    lines += _listed("builders' packages", variant.builders)
    return lines


def signer_line(change: SignerChange) -> str:
    """Return what became of the modules' signatures, and what hosts with Secure Boot make of it."""
    before, after = change.before, change.after
    match before, after:
        case None, SignerCertificate():
            return (
                f"modules signed: by {_named(after)}; with Secure Boot hosts load them once that "
                "certificate is enrolled"
            )
        case SignerCertificate(), None:
            return (
                f"modules signed no longer: were by {_named(before)}; hosts with Secure Boot "
                "refuse them"
            )
        case SignerCertificate(), SignerCertificate() if before.sha256 != after.sha256:
            announced = after.sha256 == before.next_sha256
            told = (
                "which the images before brought along to be enrolled"
                if announced
                else "which no image has announced; hosts with Secure Boot refuse the modules "
                "until it is enrolled"
            )
            return f"modules signed by another: {_named(before)} → {_named(after)}, {told}"
        case SignerCertificate(), SignerCertificate():
            digits = [it.next_sha256[:16] if it.next_sha256 else "none" for it in (before, after)]
            return f"certificate to sign modules next: {digits[0]} → {digits[1]}"
        case _:
            return "modules not signed"


def _named(certificate: SignerCertificate) -> str:
    return f"{certificate.name} ({certificate.sha256[:16]})"


def short_digest(digest: str | None) -> str:
    """Return as much of a digest as tells two apart."""
    return digest[:DIGITS] if digest else "not resolved"


def _listed(title: str, changes: tuple[VersionChange, ...]) -> list[str]:
    if not changes:
        return []
    counts = Counter(item.change for item in changes)
    total = ", ".join(f"{counts[change]} {change}" for change in ORDER if counts[change])
    return [f"{title}: {total}", *(f"  {change_line(item)}" for item in changes_sorted(changes))]


def changes_sorted(changes: Iterable[VersionChange]) -> list[VersionChange]:
    """Return changes in the order in which lists show them."""
    return sorted(changes, key=lambda item: (ORDER.index(item.change), item.name, item.arch))


def change_line(item: VersionChange) -> str:
    """Return what became of a package, module or kernel."""
    name = f"{item.name}.{item.arch}" if item.arch else item.name
    match item.change:
        case ChangeKind.NEW:
            return f"{name} new: {item.after}"
        case ChangeKind.GONE:
            return f"{name} gone: {item.before}"
        case ChangeKind.REBUILT if item.before == item.after:
            return f"{name} rebuilt: {item.after} is another file"
        case _:
            return f"{name} {item.change}: {item.before} → {item.after}"
