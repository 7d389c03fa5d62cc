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


def _notes(at: InstanceContext) -> tuple[str, ...]:
    """Return what a person at a checkout should know."""
    changed = git.uncommitted(at.run, at.folder)
    if not changed:
        return ()
    return (f"not committed, so not built: {', '.join(changed[:10])}",)
