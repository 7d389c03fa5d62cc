"""Whether an instance is built: one small pure function for each rule.

The rules that speak for a new image are independent of each other; all that hold are reasons. That
there is no base to build on comes before them, that nobody wants an image after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from immutable_base.instance.advisories import advisory_line
from immutable_base.model.advisory import OpenAdvisory
from immutable_base.model.instance import (
    BaseEvidence,
    DecisionRule,
    InstanceOutcome,
    PublishedEvidence,
    Reason,
)

DAY = 86400
SCHEDULED = frozenset({"schedule", ""})
"""Sources of pipelines that build only if something speaks for it; empty: outside GitLab."""
PUSHED = frozenset({"push", "merge_request_event", "external_pull_request_event"})
"""Sources that tell of a new commit. Source: GitLab, `CI_PIPELINE_SOURCE`."""
SHOWN = 20
"""Names of files that a reason has as its evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision is made from."""

    source: str
    """What started the pipeline, as GitLab calls it; empty outside GitLab."""
    forced: bool
    now: float
    """Seconds since 1970."""
    maximum_age_days: int
    base_maximum_age_days: int | None
    base: BaseEvidence | None
    base_missing: str = ""
    """Why there is no base."""
    published: PublishedEvidence | None
    unpublished: str = ""
    """Why nothing is published that counts; empty: nothing was ever."""
    changed: tuple[str, ...] | None = ()
    """Files that differ from the published image's commit; None: that commit is not here."""
    advisories: tuple[OpenAdvisory, ...] = ()
    """Those that are open in the published image, and that a new one can be expected to close."""
    unasked: tuple[str, ...] = ()
    """Why it is not known whether repositories offer updates with a security advisory."""


def decide(situation: Situation) -> tuple[InstanceOutcome, tuple[Reason, ...]]:
    """Return what is to be done, and every reason for it."""
    held = _base_on_hold(situation)
    if held is not None:
        return InstanceOutcome.WAIT, (held,)
    reasons = tuple(found for rule in RULES if (found := rule(situation)) is not None)
    if reasons:
        return InstanceOutcome.REBUILD, reasons
    return InstanceOutcome.UNCHANGED, (
        Reason(
            rule=DecisionRule.NOTHING,
            message="base, files, age and security updates give no reason to build the image again",
            evidence=_evidence(situation),
        ),
    )


def _base_on_hold(situation: Situation) -> Reason | None:
    """Wait for a base that has no image, or only one that is too old to build on."""
    base, limit = situation.base, situation.base_maximum_age_days
    if base is None:
        return Reason(
            rule=DecisionRule.BASE_ON_HOLD,
            message=f"there is no base image to build on: {situation.base_missing}",
        )
    if limit is None or situation.forced or situation.now - base.signed_at <= limit * DAY:
        return None
    return Reason(
        rule=DecisionRule.BASE_ON_HOLD,
        message=f"the base image was signed more than {limit} days ago: its nights are on hold, "
        "or found nothing new",
        evidence=(f"{base.reference} is {base.digest}, signed {day(base.signed_at)}",),
    )


def _push(situation: Situation) -> Reason | None:
    if situation.source not in PUSHED:
        return None
    return Reason(
        rule=DecisionRule.PUSH,
        message="a push always builds",
        evidence=(f"pipeline: {situation.source}",),
    )


def _forced(situation: Situation) -> Reason | None:
    if situation.forced:
        return Reason(
            rule=DecisionRule.FORCED, message="it was asked for: IMMUTABLE_BASE_FORCE or --force"
        )
    if situation.source in SCHEDULED | PUSHED:
        return None
    return Reason(
        rule=DecisionRule.FORCED,
        message="somebody or something started this pipeline, no schedule",
        evidence=(f"pipeline: {situation.source}",),
    )


def _never_published(situation: Situation) -> Reason | None:
    if situation.published is not None or situation.unpublished:
        return None
    return Reason(rule=DecisionRule.NEVER_PUBLISHED, message="nothing is published yet")


def _unfinished(situation: Situation) -> Reason | None:
    """The last run did not end in `published`: nothing that holds, or tags that disagree."""
    if situation.unpublished:
        return Reason(
            rule=DecisionRule.UNFINISHED,
            message="the last run did not end in a published image",
            evidence=tuple(situation.unpublished.splitlines()),
        )
    published = situation.published
    if published is None or set(published.tags.values()) <= {published.digest}:
        return None
    return Reason(
        rule=DecisionRule.UNFINISHED,
        message="the last run did not move every tag",
        evidence=tuple(f"{tag}: {named or 'none'}" for tag, named in published.tags.items()),
    )


def _base(situation: Situation) -> Reason | None:
    base, published = situation.base, situation.published
    if base is None or published is None or base.digest == published.base_digest:
        return None
    return Reason(
        rule=DecisionRule.BASE,
        message="there is a new base image",
        evidence=(
            f"published on {published.base_digest or 'an unknown base'}",
            f"now {base.digest}",
        ),
    )


def _files(situation: Situation) -> Reason | None:
    published, changed = situation.published, situation.changed
    if published is None or changed == ():
        return None
    if changed is None:
        return Reason(
            rule=DecisionRule.FILES,
            message="the commit of the published image is not in this clone, so what changed since "
            "is not known",
            evidence=(published.revision or "the image names none",),
        )
    more = (f"and {len(changed) - SHOWN} more",) if len(changed) > SHOWN else ()
    return Reason(
        rule=DecisionRule.FILES,
        message=f"files changed since {published.revision[:12]}",
        evidence=(*changed[:SHOWN], *more),
    )


def _age(situation: Situation) -> Reason | None:
    published, limit = situation.published, situation.maximum_age_days
    if published is None or situation.now - published.signed_at <= limit * DAY:
        return None
    return Reason(
        rule=DecisionRule.AGE,
        message=f"the published image was signed more than {limit} days ago",
        evidence=(f"{published.digest}, signed {day(published.signed_at)}",),
    )


def _advisory(situation: Situation) -> Reason | None:
    found = situation.advisories
    if not found:
        return None
    more = (f"and {len(found) - SHOWN} more",) if len(found) > SHOWN else ()
    return Reason(
        rule=DecisionRule.ADVISORY,
        message="an update with a security advisory is offered for what the published image has",
        evidence=(*map(advisory_line, found[:SHOWN]), *more),
    )


def _advisories_unknown(situation: Situation) -> Reason | None:
    """What is not known does not speak against a new image."""
    if not situation.unasked:
        return None
    return Reason(
        rule=DecisionRule.ADVISORIES_UNKNOWN,
        message="whether updates with a security advisory are offered is not known",
        evidence=situation.unasked,
    )


def _evidence(situation: Situation) -> tuple[str, ...]:
    published = situation.published
    if published is None:
        return ()
    return (
        f"published: {published.digest}, signed {day(published.signed_at)}",
        f"base: {published.base_digest}",
        f"commit: {published.revision}",
    )


def day(seconds: int) -> str:
    """Return a time as people read it, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


RULES: tuple[Callable[[Situation], Reason | None], ...] = (
    _push, _forced, _never_published, _unfinished, _base, _files, _age, _advisory,
    _advisories_unknown,
)  # fmt: skip
"""What speaks for a new image."""
