"""Run every check on an image, and refuse it if one objects."""

from __future__ import annotations

from pathlib import Path

from immutable_base.check import kernel, packages, units
from immutable_base.check.interface import Subject
from immutable_base.config.schema import Settings
from immutable_base.errors import CheckError
from immutable_base.model.check import CheckReport, Finding, Level
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan
from immutable_base.workspace import write_atomically

SHOWN = 10
"""Pieces of evidence of one finding that an error names."""
ALL_CHECKS = (*kernel.CHECKS, *packages.CHECKS, *units.CHECKS)
"""In the order in which they run and are reported."""


def run_checks(facts: ImageFacts, variant: VariantPlan, settings: Settings) -> tuple[Finding, ...]:
    """Return the findings of all checks, passes and notes included."""
    subject = Subject(facts=facts, plan=variant, settings=settings)
    return tuple(check.run(subject) for check in ALL_CHECKS)


def require_sound(
    facts: ImageFacts, variant: VariantPlan, settings: Settings, *, document: Path
) -> tuple[Finding, ...]:
    """Run all checks, write facts and findings beside each other, and return the findings.

    `document` receives the findings, `<name>.facts.json` the facts. Raises CheckError that names
    every check that objects.
    """
    findings = run_checks(facts, variant, settings)
    report = CheckReport(variant=variant.name, image_id=facts.image_id, findings=findings)
    write_atomically(document, report.to_json())
    write_atomically(document.with_suffix(".facts.json"), facts.to_json())
    wrong = [finding for finding in findings if finding.level is Level.ERROR]
    if wrong:
        raise CheckError(
            f"the image of {variant.name} is not what its plan promised",
            details="\n".join(line for finding in wrong for line in _lines(finding)),
            hint=f"all findings: {document}",
        )
    return findings


def _lines(finding: Finding) -> list[str]:
    more = len(finding.evidence) - SHOWN
    shown = [f"    {line}" for line in finding.evidence[:SHOWN]]
    return [
        f"{finding.title}: {finding.message} ({finding.reason})",
        *shown,
        *([f"    and {more} more"] if more > 0 else []),
    ]
