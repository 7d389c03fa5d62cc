"""`detect-changes`: verify the base, look at what is published, and decide."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import dataclass

from immutable_base.config.references import DEFAULT_TAG, find_reference
from immutable_base.errors import (
    ConfigurationError,
    NoSuchImageError,
    VerificationError,
)
from immutable_base.instance.containerfile import FILE, Containerfile, parse_containerfile
from immutable_base.instance.context import InstanceContext
from immutable_base.instance.rules import Situation, decide
from immutable_base.model.instance import BaseEvidence, InstanceDecision, PublishedEvidence
from immutable_base.model.reference import Reference
from immutable_base.plan.labels import KERNEL, OCI
from immutable_base.publish.tag_names import tag_names
from immutable_base.tools import git, skopeo
from immutable_base.verify import VerifiedImage
from immutable_base.workspace import write_atomically

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _LastImage:
    evidence: PublishedEvidence | None
    problem: str = ""


def detect_changes(at: InstanceContext, *, forced: bool = False) -> InstanceDecision:
    """Decide, and write the decision; what an earlier one left is removed.

    The base is verified before anything else is asked. Raises VerificationError in the kind that
    says what is wrong with the base, ConfigurationError for a repository or configuration that
    cannot be built from, RemoteError if nothing can be known.
    """
    start_clean(at)
    repository = at.repository
    commit = git.head(at.run, at.folder)
    reference = base_reference(at, read_containerfile(at))
    base, missing = verified_base(at, reference)
    published = _published(at, repository)
    evidence = published.evidence
    situation = Situation(
        source=at.job.source,
        forced=forced or at.job.forced,
        now=at.clock(),
        maximum_age_days=at.settings.rebuild.maximum_age_days,
        base_maximum_age_days=at.settings.base.maximum_age_days,
        base=base,
        base_missing=missing,
        published=evidence,
        unpublished=published.problem,
        changed=git.changed_since(at.run, at.folder, evidence.revision) if evidence else (),
    )
    outcome, reasons = decide(situation)
    decision = InstanceDecision(
        rests_on={},
        name=at.name,
        outcome=outcome,
        reasons=reasons,
        notes=_notes(at),
        repository=repository,
        source=at.job.project_url,
        commit=commit.name,
        commit_time=commit.time,
        base=base,
        published=evidence,
        epoch=max(commit.time, base.created if base else 0),
    )
    at.documents.save(decision)
    for reason in reasons:
        log.info("%s: %s", outcome, reason.message)
    return decision


def start_clean(at: InstanceContext) -> None:
    """Remove what an earlier pipeline left."""
    shutil.rmtree(at.documents.folder, ignore_errors=True)
    at.documents.folder.mkdir(parents=True)


def read_containerfile(at: InstanceContext) -> Containerfile:
    """Return the Containerfile of the checkout's commit.

    Raises ConfigurationError if there is none, or it cannot be understood.
    """
    text = git.file_at(at.run, at.folder, FILE)
    if text is None:
        here = (at.folder / FILE).exists()
        raise ConfigurationError(
            f"the commit of {at.folder} has no {FILE}",
            hint=f"`git add {FILE}` and commit it"
            if here
            else "`immutable-base instance init DIR --base REF` writes one to begin with",
        )
    return parse_containerfile(text)


def base_reference(at: InstanceContext, file: Containerfile) -> Reference:
    """Return the base that the Containerfile and the configuration name.

    Raises ConfigurationError if they name none, or two, or one without tag and digest.
    """
    root, given = file.root, at.settings.base.reference
    if root.is_open and not given:
        raise ConfigurationError(
            f"{FILE}, line {root.first}: `FROM {root.image}` has an argument without a value, so "
            "the base is not known",
            hint="give the ARG a default, or set [base] reference in immutable-base-instance.toml",
        )
    wanted = find_reference(given, at.product.trust()) if given else None
    named = None if root.is_open else _complete(root.image, root.first)
    if wanted is not None and named is not None and wanted != named:
        raise ConfigurationError(
            f"two bases are named: {wanted} by the configuration, {named} by the {FILE}",
            hint="leave [base] reference out, or name the same image in both",
        )
    found = wanted or named
    if found is None:  # one of them is: see above
        raise ConfigurationError(f"the {FILE} names no base image")
    return found


def _complete(text: str, line: int) -> Reference:
    if "/" not in text:
        raise ConfigurationError(
            f"{FILE}, line {line}: '{text}' does not say which registry",
            hint="write FROM registry/path:tag or registry/path@sha256:...",
        )
    found = find_reference(text, None)
    if found.tag is None and found.digest is None:
        raise ConfigurationError(
            f"{FILE}, line {line}: '{text}' has neither tag nor digest",
            hint=f"write {text}:{DEFAULT_TAG}, or another tag that its project publishes",
        )
    return found


def verified_base(at: InstanceContext, reference: Reference) -> tuple[BaseEvidence | None, str]:
    """Return the verified base, or why it has no image; a digest that is gone is an error."""
    verifier = at.base_verifier()
    try:
        # Where a digest is named, a tag beside it is for people: it moves on.
        verified = verifier.verify_reference(
            reference.repository,
            tag=None if reference.digest else reference.tag,
            digest=reference.digest,
        )
    except NoSuchImageError as error:
        if reference.digest:
            raise NoSuchImageError(
                f"the base {reference.repository}@{reference.digest} is gone",
                details=error.message,
                hint=f"name a digest that the registry has, or the tag alone, in {FILE}",
            ) from error
        return None, error.message
    return _base_evidence(at, reference, verified), ""


def _base_evidence(
    at: InstanceContext, reference: Reference, verified: VerifiedImage
) -> BaseEvidence:
    labels = skopeo.published_labels(at.run, verified.pinned, at.tls.environment) or {}
    return BaseEvidence(
        reference=str(reference),
        repository=verified.repository,
        digest=verified.digest,
        variant=labels.get(f"{OCI}.title", ""),
        created=skopeo.seconds(verified.proof.created),
        signer=verified.signer.identity,
        issuer=verified.signer.issuer,
        signed_at=verified.proof.signature.signed_at,
        log_index=verified.log_index,
    )


def _published(at: InstanceContext, repository: str) -> _LastImage:
    """Return the image that the tags of the last publication name, verified as ours."""
    moving = [tag for tag in at.settings.publish.tags if "{" not in tag]
    if not moving:
        return _LastImage(
            evidence=None,
            problem="publish.tags has no tag that moves, such as `latest`: what was published last "
            "is not known",
        )
    try:
        verified = at.verifier().verify_reference(repository, tag=moving[0])
    except NoSuchImageError:
        return _LastImage(evidence=None)
    except VerificationError as error:
        return _LastImage(evidence=None, problem=str(error))
    return _LastImage(evidence=_published_evidence(at, verified))


def _published_evidence(at: InstanceContext, verified: VerifiedImage) -> PublishedEvidence:
    labels = skopeo.published_labels(at.run, verified.pinned, at.tls.environment) or {}
    names = tag_names(
        at.settings.publish.tags,
        epoch=skopeo.seconds(verified.proof.created),
        kernel=labels.get(KERNEL, "") or "unknown",
        digest=verified.digest,
    )
    document = json.dumps(verified.proof.sboms[0].document)
    write_atomically(at.documents.published_sbom, document)
    return PublishedEvidence(
        digest=verified.digest,
        base_digest=labels.get(f"{OCI}.base.digest", ""),
        revision=labels.get(f"{OCI}.revision", ""),
        signed_at=verified.proof.signature.signed_at,
        tags={
            name: skopeo.manifest_digest(
                at.run, f"{verified.repository}:{name}", at.tls.environment
            )
            for name in names
        },
        sbom_sha256=hashlib.sha256(document.encode()).hexdigest(),
    )


def _notes(at: InstanceContext) -> tuple[str, ...]:
    """Return what a person at a checkout should know."""
    changed = git.uncommitted(at.run, at.folder)
    if not changed:
        return ()
    return (f"not committed, so not built: {', '.join(changed[:10])}",)
