"""What may go from the repository of candidates; pure.

No host asks for a candidate and nobody signs one, so its age is the day in the tag that the build
gave it. What that rule does not fit stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from immutable_base.model.prune import PruneAction, PruneItem, RepositoryPrune
from immutable_base.model.reference import CANDIDATE_TAG, fill_tag
from immutable_base.prune.decide import IMAGES, UNTAGGED, Rules, kind_of
from immutable_base.prune.snapshot import Snapshot
from immutable_base.prune.tags import day_of


def decide_candidates(
    snapshot: Snapshot, rules: Rules, *, bases: Mapping[str, Iterable[str]]
) -> RepositoryPrune:
    """Return which candidates may go: those of none of the last nights on which any was left.

    `bases` are digests that instances are built on, and by whom: nothing of theirs goes.
    """
    days = {
        tag: day for tag, named in snapshot.tags.items() if (day := _day(tag, named)) is not None
    }
    past = sorted({day for day in days.values() if day <= rules.today})
    since = past[-rules.nights :][0] if past else rules.today
    recent = {tag for tag, day in days.items() if day >= since}
    items = [
        _item(snapshot, rules, digest, days.keys(), recent, tuple(bases.get(digest, ())))
        for digest in sorted(snapshot.manifests)
    ]
    return RepositoryPrune(repository=snapshot.repository, exists=True, items=tuple(items))


def _day(tag: str, digest: str) -> date | None:
    """Return the day of a candidate's own tag, None if it is not the one of what it names."""
    day = day_of(tag, (CANDIDATE_TAG,))
    if day is None:
        return None
    own = fill_tag(CANDIDATE_TAG, date=f"{day:%Y%m%d}", kernel="", digest=digest)
    return day if tag == own else None


def _item(
    snapshot: Snapshot,
    rules: Rules,
    digest: str,
    own: Iterable[str],
    recent: Iterable[str],
    users: tuple[str, ...],
) -> PruneItem:
    tags = snapshot.tags_of(digest)
    new = [tag for tag in tags if tag in recent]
    reasons = [
        *(f"{user} is built on it" for user in sorted(users)),
        *_strange(snapshot, digest, [tag for tag in tags if tag not in own]),
        *(f"the tag {tag}: one of the last {rules.nights} nights with candidates" for tag in new),
    ]
    old = tuple(tag for tag in tags if tag in own and tag not in recent)
    action = PruneAction.KEEP
    if not reasons:
        action, old = PruneAction.DELETE, ()
        reasons = [f"a candidate, older than the last {rules.nights} nights with candidates"]
    elif new and old:
        action = PruneAction.UNTAG
    return PruneItem(
        digest=digest,
        kind=kind_of(snapshot, digest),
        action=action,
        tags=tags,
        removed_tags=old if action is PruneAction.UNTAG else (),
        reasons=tuple(reasons),
    )


def _strange(snapshot: Snapshot, digest: str, foreign: list[str]) -> list[str]:
    """Return what a candidate never is or has."""
    found = [f"the tag {tag} names it, which no build gives" for tag in foreign]
    if kind_of(snapshot, digest) not in IMAGES:
        found.append("it is no image")
    elif not snapshot.tags_of(digest):
        found.append(UNTAGGED)
    if snapshot.standing_beside(digest) or snapshot.referrers.get(digest):
        found.append("something stands beside it: a candidate has no signature")
    return found
