"""What a plan changes, compared with an earlier one: pure, on two documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from immutable_base.model.module_signer import NEXT_CERTIFICATE, ModuleSigner
from immutable_base.model.plan import KernelPlan, Package, Plan, VariantPlan, Verdict
from immutable_base.model.plan_diff import (
    ChangeKind,
    PlanDiff,
    SignerCertificate,
    SignerChange,
    VariantChange,
    VariantDiff,
    VersionChange,
)
from immutable_base.solver.order import Order

Key = tuple[str, str]
"""Name and architecture."""
Item = tuple[str, str]
"""`[epoch:]version-release`, and what tells two files of one version apart."""


def diff_plans(before: Plan, after: Plan, order: Order) -> PlanDiff:
    """Return what is different in `after`; `order` compares versions."""
    old = {variant.name: variant for variant in before.variants}
    new = {variant.name for variant in after.variants}
    return PlanDiff(
        variants=(
            *(_variant(old.get(item.name), item, order) for item in after.variants),
            *(_gone(item) for item in before.variants if item.name not in new),
        )
    )


def _gone(before: VariantPlan) -> VariantDiff:
    return VariantDiff(
        name=before.name,
        change=VariantChange.GONE,
        verdict_before=before.verdict,
        verdict_after=None,
        base_before=before.base.digest,
        base_after=None,
    )


def _variant(before: VariantPlan | None, after: VariantPlan, order: Order) -> VariantDiff:
    diff = VariantDiff(
        name=after.name,
        change=VariantChange.NEW,
        verdict_before=None,
        verdict_after=after.verdict,
        base_before=None,
        base_after=after.base.digest,
        reasons=after.reasons,
        warnings=after.warnings,
    )
    if before is None:
        return diff
    known: dict[str, object] = {
        "verdict_before": before.verdict,
        "base_before": before.base.digest,
        "reasons": after.reasons if before.verdict is not after.verdict else (),
        "warnings": tuple(text for text in after.warnings if text not in before.warnings),
    }
    if before.verdict is after.verdict is Verdict.BUILD:
        known |= _content(before, after, order)
    diff = diff.model_copy(update=known)
    same = (
        diff.verdict_before is diff.verdict_after
        and diff.base_before == diff.base_after
        and not (diff.kernel or diff.modules or diff.packages or diff.builders)
        and diff.module_signer is None
    )
    change = VariantChange.SAME if same else VariantChange.CHANGED
    return diff.model_copy(update={"change": change})


def _content(before: VariantPlan, after: VariantPlan, order: Order) -> dict[str, object]:
    kernels = version_changes(_kernel(before.kernel), _kernel(after.kernel), order)
    return {
        "kernel": next(iter(kernels), None),
        "modules": version_changes(_modules(before), _modules(after), order),
        "module_signer": _signer_change(before, after),
        "packages": version_changes(_installed(before), _installed(after), order),
        "builders": version_changes(_builders(before), _builders(after), order),
    }


def _signer_change(before: VariantPlan, after: VariantPlan) -> SignerChange | None:
    if not (before.modules and after.modules):
        return None
    change = SignerChange(
        before=_certificate(before.module_signer), after=_certificate(after.module_signer)
    )
    return None if change.before == change.after else change


def _certificate(signer: ModuleSigner | None) -> SignerCertificate | None:
    if signer is None:
        return None
    following = signer.certificates.get(NEXT_CERTIFICATE)
    return SignerCertificate(
        name=signer.name,
        sha256=signer.sha256,
        next_sha256=hashlib.sha256(following).hexdigest() if following else None,
    )


def _kernel(plan: KernelPlan) -> dict[Key, Item]:
    return {("kernel", ""): (plan.chosen_evr or "", plan.chosen or "")}


def _modules(plan: VariantPlan) -> dict[Key, Item]:
    return {(item.name, ""): (item.source.evr, str(item.source.checksum)) for item in plan.modules}


def _installed(plan: VariantPlan) -> dict[Key, Item]:
    # A later layer may upgrade what an earlier one installed.
    return _packages(package for layer in plan.layers for package in layer.install)


def _builders(plan: VariantPlan) -> dict[Key, Item]:
    return _packages(package for module in plan.modules for package in module.builder)


def _packages(packages: Iterable[Package]) -> dict[Key, Item]:
    return {(item.name, item.arch): (item.evr, str(item.checksum)) for item in packages}


def version_changes(
    before: Mapping[Key, Item], after: Mapping[Key, Item], order: Order
) -> tuple[VersionChange, ...]:
    """Return what is not the same in `after`, sorted by name."""
    return tuple(
        VersionChange(
            name=name,
            arch=arch,
            change=_change(old, new, order),
            before=old[0] if old else None,
            after=new[0] if new else None,
        )
        for name, arch in sorted({*before, *after})
        if (old := before.get((name, arch))) != (new := after.get((name, arch)))
    )


def _change(before: Item | None, after: Item | None, order: Order) -> ChangeKind:
    if before is None:
        return ChangeKind.NEW
    if after is None:
        return ChangeKind.GONE
    direction = order(after[0], before[0])
    if direction == 0:
        return ChangeKind.REBUILT
    return ChangeKind.UP if direction > 0 else ChangeKind.DOWN
