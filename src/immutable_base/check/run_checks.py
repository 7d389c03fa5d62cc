"""Run every check on an image, and refuse it if one objects."""

from __future__ import annotations

from immutable_base.check import host_policy, hosts, kernel, packages, units
from immutable_base.check.interface import Check, Subject
from immutable_base.config.schema import Settings
from immutable_base.errors import CheckError
from immutable_base.model.check import CheckReport, Finding
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan

SHOWN = 10
"""Pieces of evidence of one finding that an error names."""
ALL_CHECKS: tuple[Check[Subject], ...] = (
    *kernel.CHECKS,
    *packages.CHECKS,
    *units.CHECKS,
    *hosts.CHECKS,
    *host_policy.CHECKS,
)
"""In the order in which they run and are reported."""


def run_checks(facts: ImageFacts, variant: VariantPlan, settings: Settings) -> tuple[Finding, ...]:
    """Return the findings of all checks, passes and notes included."""
    subject = Subject(facts=facts, plan=variant, settings=settings)
    return tuple(check.run(subject) for check in ALL_CHECKS)


def check_image(
    facts: ImageFacts, variant: VariantPlan, settings: Settings, *, rests_on: dict[str, str]
) -> CheckReport:
    """Return the document with the findings about an image; `rests_on` becomes its own."""
    return CheckReport(
        rests_on=rests_on,
        variant=variant.name,
        image_id=facts.image_id,
        findings=run_checks(facts, variant, settings),
    )


def require_sound(report: CheckReport, *, hint: str, promised_by: str = "plan") -> None:
    """Raise CheckError that names every check that objects; `hint` is its next step."""
    if report.errors:
        raise CheckError(
            f"the image of {report.variant} is not what its {promised_by} promised",
            details="\n".join(line for finding in report.errors for line in _lines(finding)),
            hint=hint,
        )


def _lines(finding: Finding) -> list[str]:
    more = len(finding.evidence) - SHOWN
    shown = [f"    {line}" for line in finding.evidence[:SHOWN]]
    return [
        f"{finding.title}: {finding.message} ({finding.reason})",
        *shown,
        *([f"    and {more} more"] if more > 0 else []),
    ]
