"""What the checks say of each planned variant, from the documents that stages left."""

from __future__ import annotations

from collections.abc import Iterable

from immutable_base.documents import Documents
from immutable_base.errors import (
    ConfigurationError,
    PlanError,
    VerificationError,
)
from immutable_base.model.check import CheckedVariant, CheckReport
from immutable_base.model.plan import VariantPlan, Verdict
from immutable_base.model.stage import Failure
from immutable_base.run.failures import RecordedError, recorded_failures


def checked_variants(documents: Documents) -> tuple[CheckedVariant, ...]:
    """Return what the checks say of every planned variant; whether it was published is no matter.

    Raises ConfigurationError without a plan.
    """
    plan, failures = documents.plan(), recorded_failures(documents)
    return tuple(_checked(documents, variant, failures) for variant in plan.variants)


def _checked(
    documents: Documents, variant: VariantPlan, failures: Iterable[Failure]
) -> CheckedVariant:
    name, reasons = variant.name, "\n".join(variant.reasons)
    if variant.verdict is Verdict.HOLD:
        return CheckedVariant(name=name, held=reasons or "held")
    if variant.verdict is Verdict.FAIL:
        return CheckedVariant(name=name, error=PlanError(reasons or "it cannot be planned"))
    try:
        findings = documents.read(CheckReport, variant).findings
    except (ConfigurationError, VerificationError) as error:
        own = [RecordedError(it) for it in failures if name in it.variants]
        return CheckedVariant(name=name, error=own[0] if own else error)
    return CheckedVariant(name=name, findings=findings)
