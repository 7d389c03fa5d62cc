"""How each variant of a run ended, from the documents that its stages left."""

from __future__ import annotations

from datetime import UTC, datetime

from immutable_base.documents import PLAN, Documents
from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.model.plan import VariantPlan, Verdict
from immutable_base.model.publish import Publication
from immutable_base.model.run import RunReport, VariantResult
from immutable_base.model.stage import Failure
from immutable_base.run.failures import RecordedError, recorded_failures
from immutable_base.run.outcomes import variant_result
from immutable_base.run.results import stage_results
from immutable_base.schedule import Node, NodeOutcome


def report_of(documents: Documents) -> RunReport:
    """Return the report of a run that was made stage by stage, on whichever machines.

    A variant that was neither published nor held has failed: by a recorded failure, or because a
    document is missing or was changed, which is named. It started when its plan was written here.
    Raises ConfigurationError without a plan.
    """
    plan, failures = documents.plan(), recorded_failures(documents)
    began = (documents.folder / PLAN).stat().st_mtime
    variants = tuple(_row(documents, variant, failures) for variant in plan.variants)
    return RunReport(
        started=datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        seconds=sum(variant.seconds for variant in variants),
        documents=str(documents.folder),
        variants=variants,
        nodes=(),
    )


def _row(
    documents: Documents, variant: VariantPlan, failures: tuple[Failure, ...]
) -> VariantResult:
    error = _error(documents, variant, failures) if variant.verdict is Verdict.BUILD else None
    node = Node(
        id=f"stages:{variant.name}", title="", action=lambda _: None, variants=(variant.name,)
    )
    results = stage_results(documents, variant)
    seconds = results.publication.seconds if results.publication else 0
    outcome = NodeOutcome(
        id=node.id, state="done" if error is None else "failed", seconds=seconds, error=error
    )
    return variant_result(variant, [node], {node.id: outcome}, results)


def _error(
    documents: Documents, variant: VariantPlan, failures: tuple[Failure, ...]
) -> Exception | None:
    own = [failure for failure in failures if variant.name in failure.variants]
    if own:
        return RecordedError(own[0])
    try:
        documents.read(Publication, variant)
    except (ConfigurationError, VerificationError) as error:
        return error
    return None
