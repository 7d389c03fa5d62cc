"""How a pipeline ended for an instance, from the documents that its jobs left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from immutable_base.errors import ConfigurationError, ImmutableBaseError, VerificationError
from immutable_base.instance.changes import UNREADABLE, changes_between
from immutable_base.instance.ci_job import MERGE_REQUESTS, CiJob
from immutable_base.instance.instance_documents import DECISION, FAILED, InstanceDocuments
from immutable_base.model.check import CheckReport, Level
from immutable_base.model.document import StageDocument
from immutable_base.model.instance import (
    InstanceBuild,
    InstanceChanges,
    InstanceDecision,
    InstanceFacts,
    InstanceOutcome,
    InstanceReport,
)
from immutable_base.model.publish import Publication
from immutable_base.model.stage import Failure
from immutable_base.solver.order import EvrOrder

AnyStage = TypeVar("AnyStage", bound=StageDocument)


@contextmanager
def recorded(documents: InstanceDocuments, verb: str) -> Iterator[None]:
    """Write down why a command failed, for a report elsewhere; once it is done that goes."""
    try:
        yield
    except ImmutableBaseError as error:
        here = (documents.folder / DECISION).is_file()
        # That there is no decision is no news where it failed itself, and has said why.
        if here or _failure(documents) is None:
            failure = Failure(
                rests_on=documents.digests([DECISION]) if here else {},
                id=verb,
                variants=(),
                error=str(error),
                exit_code=error.exit_code,
            )
            documents.write(FAILED, failure)
        raise
    failed = _failure(documents)
    if failed is not None and failed.id == verb:
        (documents.folder / FAILED).unlink(missing_ok=True)


def report_instance(documents: InstanceDocuments) -> InstanceReport:
    """Return how it ended; a document that is missing or was changed counts as none.

    Raises ConfigurationError if nothing was decided, and nothing has failed either.
    """
    failure = _failure(documents)
    if not (documents.folder / DECISION).is_file() and failure is not None:
        return _undecided(failure)
    decision = documents.decision()
    built = _read(documents, InstanceBuild)
    facts = _read(documents, InstanceFacts)
    checked = _read(documents, CheckReport)
    publication = _read(documents, Publication)
    return InstanceReport(
        name=decision.name,
        outcome=_outcome(decision, publication, failure),
        reasons=decision.reasons,
        notes=decision.notes,
        commit=decision.commit,
        base=decision.base.pinned if decision.base else None,
        image=f"{decision.repository}@{built.digest}" if built else None,
        tags=publication.tags if publication else (),
        signer=publication.signer if publication else None,
        packages=len(facts.facts.packages) if facts else 0,
        size=built.size if built else 0,
        findings=tuple(
            str(finding)
            for finding in (checked.findings if checked else ())
            if finding.level is not Level.PASS
        ),
        changes=_changes(documents, decision),
        error=failure.error if failure else None,
        exit_code=failure.exit_code if failure else 0,
    )


def require_published(report: InstanceReport, job: CiJob) -> None:
    """Require that the default branch's pipeline has published what it built.

    Raises ConfigurationError: GitLab leaves `publish` out where the branch is not protected, and
    whoever ends that job leaves no document behind.
    """
    ours = bool(job.branch) and job.branch == job.default_branch
    if report.outcome == "built" and ours and job.source not in MERGE_REQUESTS:
        raise ConfigurationError(
            f"{report.name} was built, and nothing was published",
            hint=f"is {job.branch} protected (Settings > Repository > Protected branches), and did "
            "the job `publish` run to its end?",
        )


def _outcome(
    decision: InstanceDecision, publication: Publication | None, failure: Failure | None
) -> Literal["published", "unchanged", "wait", "failed", "built"]:
    if failure is not None:
        return "failed"
    if decision.outcome is InstanceOutcome.WAIT:
        return "wait"
    if decision.outcome is InstanceOutcome.UNCHANGED:
        return "unchanged"
    return "published" if publication is not None else "built"


def _undecided(failure: Failure) -> InstanceReport:
    return InstanceReport(
        name="instance", outcome="failed", reasons=(), notes=(), commit="", base=None, image=None,
        tags=(), signer=None, packages=0, size=0, findings=(), changes=None, error=failure.error,
        exit_code=failure.exit_code,
    )  # fmt: skip


def _failure(documents: InstanceDocuments) -> Failure | None:
    """Return what failed last; what is of another decision is no news."""
    if not (documents.folder / FAILED).is_file():
        return None
    found = documents.parse(Failure, FAILED)
    here = (documents.folder / DECISION).is_file()
    return found if found.rests_on == (documents.digests([DECISION]) if here else {}) else None


def _changes(documents: InstanceDocuments, decision: InstanceDecision) -> InstanceChanges | None:
    """Return what is different from the published image, None if either SBOM is not to be had."""
    if decision.published is None:
        return None
    try:
        documents.require_digest(documents.published_sbom, decision.published.sbom_sha256)
        before, after = _document(documents.published_sbom), _document(documents.attested())
        return changes_between(before, after, EvrOrder(), decision.advisories)
    except (ConfigurationError, VerificationError, *UNREADABLE):
        return None


def _document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _read(documents: InstanceDocuments, kind: type[AnyStage]) -> AnyStage | None:
    try:
        return documents.read(kind)
    except (ConfigurationError, VerificationError):
        return None
