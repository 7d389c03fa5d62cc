"""From the outcomes of nodes to one result for each variant: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from immutable_base.errors import EXIT_BUG, exit_code_of
from immutable_base.model.boot import BootReport
from immutable_base.model.plan import VariantPlan, Verdict
from immutable_base.model.publish import Publication, PublicationStatus
from immutable_base.model.run import VariantOutcome, VariantResult
from immutable_base.run.failures import error_text
from immutable_base.schedule import Node, NodeOutcome

NO_PUBLICATION = "ended without a publication and without an error: a bug in immutable-base"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResults:
    """What a variant's stages have produced."""

    packages: int = 0
    size: int = 0
    sbom_size: int = 0
    boot: BootReport | None = None
    publication: Publication | None = None
    difference: str | None = None


def variant_result(
    variant: VariantPlan,
    nodes: Iterable[Node],
    outcomes: Mapping[str, NodeOutcome],
    results: StageResults,
) -> VariantResult:
    """Return the row of one variant. Only a publication makes it `published`."""
    own = [node for node in nodes if variant.name in node.variants]
    error = _first_error(own, outcomes)
    published = results.publication if error is None and variant.verdict is Verdict.BUILD else None
    outcome = VariantOutcome.PUBLISHED if published else VariantOutcome.FAILED
    if variant.verdict is Verdict.HOLD:
        outcome = VariantOutcome.HELD
    return VariantResult(
        name=variant.name,
        outcome=outcome,
        unchanged=published is not None and published.status is PublicationStatus.UNCHANGED,
        kernel=variant.kernel.chosen,
        action=variant.kernel.action,
        reason="; ".join(variant.reasons),
        warnings=variant.warnings,
        modules=tuple(f"{module.name} {module.version}" for module in variant.modules),
        modules_signed=variant.signed_by,
        packages=results.packages,
        size=results.size,
        sbom_size=results.sbom_size,
        boot=results.boot.verdict if results.boot else None,
        boot_seconds=sum(boot.seconds for boot in results.boot.boots) if results.boot else 0,
        reference=f"{published.repository}@{published.digest}" if published else None,
        tags=tuple(tag.name for tag in published.tags) if published else (),
        difference=results.difference,
        signer=published.signer if published else None,
        seconds=round(
            sum(outcomes[node.id].seconds for node in own if node.variants == (variant.name,)), 1
        ),
        error=_error_text(variant, error, outcome),
        exit_code=_exit_code(variant, error, outcome),
    )


def _first_error(
    nodes: Iterable[Node], outcomes: Mapping[str, NodeOutcome]
) -> BaseException | None:
    return next((o.error for node in nodes if (o := outcomes[node.id]).error is not None), None)


def _error_text(
    variant: VariantPlan, error: BaseException | None, outcome: VariantOutcome
) -> str | None:
    if error is not None:
        return error_text(error)
    if outcome is not VariantOutcome.FAILED:
        return None
    return "; ".join(variant.reasons) if variant.verdict is Verdict.FAIL else NO_PUBLICATION


def _exit_code(variant: VariantPlan, error: BaseException | None, outcome: VariantOutcome) -> int:
    if error is not None:
        return exit_code_of(error)
    # Failed without an error: a way to end that nobody thought of must not look green.
    return variant.exit_code or (EXIT_BUG if outcome is VariantOutcome.FAILED else 0)
