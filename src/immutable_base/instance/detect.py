"""`detect-changes`: verify the base, look at what is published, and decide."""

from __future__ import annotations

import logging
import shutil

from immutable_base.errors import VerificationError
from immutable_base.instance.advisories import other_notes, reasons_to_build
from immutable_base.instance.base import FoundBase, base_reference, find_base, read_containerfile
from immutable_base.instance.ci_job import OLDER_BASE
from immutable_base.instance.context import InstanceContext
from immutable_base.instance.published import PublishedImage, find_published
from immutable_base.instance.rules import Situation, day, decide
from immutable_base.instance.updates import Updates, ask_updates
from immutable_base.model.instance import InstanceDecision
from immutable_base.model.reference import Reference
from immutable_base.tools import git

log = logging.getLogger(__name__)


def detect_changes(
    at: InstanceContext, *, forced: bool = False, older_base: bool = False
) -> InstanceDecision:
    """Decide, and write the decision; what an earlier one left is removed.

    The base is verified before anything else is asked. `older_base` accepts one that was signed
    before that of the published image. Raises VerificationError in the kind that
    says what is wrong with the base, ConfigurationError for a repository or configuration that
    cannot be built from, RemoteError if nothing can be known.
    """
    start_clean(at)
    repository = at.repository
    commit = git.head(at.run, at.folder)
    reference = base_reference(at, read_containerfile(at))
    base = find_base(at, reference)
    published = find_published(at, repository)
    if not (older_base or at.job.older_base):
        _refuse_older_base(reference, base, published)
    updates = ask_updates(at, base, published)
    evidence = published.evidence
    outcome, reasons = decide(_situation(at, base, published, updates, forced=forced))
    decision = InstanceDecision(
        rests_on={},
        name=at.name,
        outcome=outcome,
        reasons=reasons,
        notes=(*_notes(at), *updates.notes, *other_notes(updates.open, at.settings.rebuild)),
        repository=repository,
        source=at.job.project_url,
        commit=commit.name,
        commit_time=commit.time,
        base=base.evidence,
        published=evidence,
        advisories=updates.open if updates.complete else None,
        epoch=max(commit.time, base.evidence.created if base.evidence else 0),
    )
    at.documents.save(decision)
    for reason in reasons:
        log.info("%s: %s", outcome, reason.message)
    return decision


def _situation(
    at: InstanceContext,
    base: FoundBase,
    published: PublishedImage,
    updates: Updates,
    *,
    forced: bool,
) -> Situation:
    evidence = published.evidence
    return Situation(
        source=at.job.source,
        forced=forced or at.job.forced,
        now=at.clock(),
        maximum_age_days=at.settings.rebuild.maximum_age_days,
        base_maximum_age_days=at.settings.base.maximum_age_days,
        base=base.evidence,
        base_missing=base.missing,
        published=evidence,
        unpublished=published.problem,
        changed=git.changed_since(at.run, at.folder, evidence.revision) if evidence else (),
        advisories=reasons_to_build(updates.open, at.settings.rebuild),
        unasked=updates.unasked,
    )


def start_clean(at: InstanceContext) -> None:
    """Remove what an earlier pipeline left."""
    shutil.rmtree(at.documents.folder, ignore_errors=True)
    at.documents.folder.mkdir(parents=True)


def _refuse_older_base(reference: Reference, base: FoundBase, published: PublishedImage) -> None:
    """Refuse a tag that was moved back to a base which was signed before the published image's.

    A signature does not say that something is the newest: whoever can write to the registry can
    offer an old base, with its holes. A digest, or another tag, is the Containerfile's own choice.
    """
    now, before = base.evidence, published.evidence
    if now is None or before is None or before.base_signed_at is None or reference.digest:
        return
    same_tag = before.base_name == f"{reference.repository}:{reference.tag}"
    if same_tag and now.digest != before.base_digest and now.signed_at < before.base_signed_at:
        raise VerificationError(
            f"{reference} names an older base than the published image was built on",
            details=f"now {now.digest}, signed {day(now.signed_at)}\n"
            f"before {before.base_digest}, signed {day(before.base_signed_at)}",
            hint="was the tag moved back by those who publish it? then accept it once: "
            f"--older-base, or start a pipeline with {OLDER_BASE}=true",
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
