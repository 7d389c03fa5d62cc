"""What may go from a repository, and why everything else stays; pure.

A manifest stays unless everything that could need it is known not to. Its age is the day on which
it was signed by the transparency log's word, or the day in the name of a tag, whichever is later;
never the tag's alone, which whoever may push can give it, and never what the image says of itself:
reproducible images carry old dates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from immutable_base.model.prune import (
    ManifestKind,
    PruneAction,
    PruneItem,
    RepositoryPrune,
)
from immutable_base.prune.snapshot import Snapshot
from immutable_base.prune.tags import day_of

KINDS = {
    ".sig": ManifestKind.SIGNATURE,
    ".att": ManifestKind.ATTESTATION,
    ".sbom": ManifestKind.SBOM,
    "": ManifestKind.REFERRERS,
}
"""What stands beside an image, by the ending of its tag."""
IMAGES = frozenset({ManifestKind.IMAGE, ManifestKind.INDEX})
UNTAGGED = (
    "no tag names it: a registry that collects what is untagged, such as GitLab.com's, takes it"
)

UNPROVEN = "how old it is cannot be proven: there is no signature that holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How much stays."""

    templates: tuple[str, ...]
    """`publish.tags`."""
    today: date
    nights: int
    """The newest days that tags name."""
    days: int
    """How far a host may want to roll back."""

    @property
    def window(self) -> date:
        """The first day of the rollback window."""
        return self.today - timedelta(days=self.days)


def undecided(snapshot: Snapshot, rules: Rules) -> tuple[str, ...]:
    """Return the images whose time of signing decides: no tag, or only old ones with a day."""
    old = {
        tag
        for tag in snapshot.tags
        if (day := day_of(tag, rules.templates)) is not None and day < rules.window
    }
    return tuple(sorted(d for d in _images(snapshot) if old.issuperset(snapshot.tags_of(d))))


def decide(
    snapshot: Snapshot,
    rules: Rules,
    *,
    bases: Mapping[str, Iterable[str]],
    signed: Mapping[str, date],
) -> RepositoryPrune:
    """Return what may go from a repository.

    `bases` are digests that instances are built on, and by whom; `signed` says when images were
    signed, as far as that was proven.
    """
    reasons = _roots(snapshot, rules, bases, signed)
    dated = _stay_by_day(snapshot, rules, signed)
    removable = {
        tag
        for tag in snapshot.tags
        if day_of(tag, rules.templates) is not None and tag not in dated
    }
    for tag, why in dated.items():
        reasons.setdefault(snapshot.tags[tag], []).append(f"the tag {tag}: {why}")
    for digest in _images(snapshot):
        if digest not in reasons and digest not in signed and snapshot.tags_of(digest):
            reasons[digest] = [UNPROVEN]
    _keep_what_belongs(snapshot, reasons)
    items = [
        _item(snapshot, rules, digest, reasons.get(digest, []), removable)
        for digest in sorted(snapshot.manifests)
    ]
    return RepositoryPrune(repository=snapshot.repository, exists=True, items=tuple(items))


def _images(snapshot: Snapshot) -> list[str]:
    """Return what is an image or an index, and neither stands beside one nor refers to one."""
    return [digest for digest in snapshot.manifests if kind_of(snapshot, digest) in IMAGES]


def kind_of(snapshot: Snapshot, digest: str) -> ManifestKind:
    """Return what a manifest is, by its tags and its content."""
    manifest = snapshot.manifests[digest]
    places = [place for place in map(snapshot.place_of, snapshot.tags_of(digest)) if place]
    if not manifest.is_known or (places and manifest.has_files):
        # Whoever may push can give an image the tag of a signature.
        return ManifestKind.UNKNOWN
    if places:
        kinds = {KINDS.get(ending, ManifestKind.UNKNOWN) for _, ending in places}
        return kinds.pop() if len(kinds) == 1 else ManifestKind.UNKNOWN
    if manifest.subject is not None:
        return ManifestKind.REFERRER
    return ManifestKind.INDEX if manifest.is_index else ManifestKind.IMAGE


def _roots(
    snapshot: Snapshot,
    rules: Rules,
    bases: Mapping[str, Iterable[str]],
    signed: Mapping[str, date],
) -> dict[str, list[str]]:
    """Return what stays for its own sake, days in tags apart."""
    reasons: dict[str, list[str]] = {}
    for tag, digest in snapshot.tags.items():
        if snapshot.place_of(tag) is None and day_of(tag, rules.templates) is None:
            reasons.setdefault(digest, []).append(f"the tag {tag} names it")
    has_images = bool(_images(snapshot))
    # An index that nobody signed may be anybody's.
    indexes = (it for it in snapshot.manifests.values() if it.digest in signed)
    children = {child for index in indexes for child in index.children}
    for digest in snapshot.manifests:
        here = reasons.setdefault(digest, [])
        kind = kind_of(snapshot, digest)
        if kind is ManifestKind.UNKNOWN:
            here.append("it is not known what it is")
        if not has_images:
            here.append("there is no image here: this may be where another repository is signed")
        here += [f"{name} is built on it" for name in sorted(bases.get(digest, ()))]
        if kind in IMAGES and not snapshot.tags_of(digest):
            here += _untagged(digest, rules, signed, listed=digest in children)
            here += [UNTAGGED] if here else []
    return {digest: found for digest, found in reasons.items() if found}


def _untagged(digest: str, rules: Rules, signed: Mapping[str, date], *, listed: bool) -> list[str]:
    """Return why an image without a tag stays: an earlier one of its day, or one without an age.

    What an index lists shares the fate of that index, unless it was signed by itself.
    """
    day = signed.get(digest)
    if day is None:
        return [] if listed else [UNPROVEN]
    return [f"signed {day}, within the rollback window"] if day >= rules.window else []


def _stay_by_day(snapshot: Snapshot, rules: Rules, signed: Mapping[str, date]) -> dict[str, str]:
    """Return the tags with a day that stay for the sake of it, and why."""
    days = {tag: day for tag in snapshot.tags if (day := day_of(tag, rules.templates)) is not None}
    past = sorted({day for day in days.values() if day <= rules.today}, reverse=True)
    newest = set(past[: rules.nights])
    ages = {tag: max(day, signed.get(snapshot.tags[tag], day)) for tag, day in days.items()}
    # What was current when the window began is what a host of that day rolls back to.
    current = max((age for age in ages.values() if age < rules.window), default=None)
    found = {}
    for tag, day in days.items():
        if day > rules.today:
            found[tag] = "its day is yet to come"
        elif day in newest:
            found[tag] = f"one of the last {rules.nights} nights"
        elif ages[tag] >= rules.window:
            found[tag] = f"within the rollback window of {rules.days} days"
        elif ages[tag] == current:
            found[tag] = "it was the newest when the rollback window began"
    return found


def _keep_what_belongs(snapshot: Snapshot, reasons: dict[str, list[str]]) -> None:
    """Add to what stays all that it needs, and all that is about it."""
    queue = list(reasons)
    done: set[tuple[str, str]] = set()
    while queue:
        digest = queue.pop()
        for other, why in _belonging(snapshot, digest):
            if (other, why) in done or other not in snapshot.manifests:
                continue
            done.add((other, why))
            if other not in reasons:
                queue.append(other)
            reasons.setdefault(other, []).append(why)


def _belonging(snapshot: Snapshot, digest: str) -> list[tuple[str, str]]:
    manifest = snapshot.manifests.get(digest)
    found = [(other, f"it refers to {digest}") for other in snapshot.referrers.get(digest, ())]
    found += [(it, f"it stands beside {digest}") for it in snapshot.standing_beside(digest)]
    if manifest is not None:
        found += [(child, f"{digest} lists it") for child in manifest.children]
        found += [(manifest.subject, f"{digest} refers to it")] if manifest.subject else []
    return found


def _item(
    snapshot: Snapshot, rules: Rules, digest: str, reasons: list[str], removable: set[str]
) -> PruneItem:
    tags, kind = snapshot.tags_of(digest), kind_of(snapshot, digest)
    removed = tuple(tag for tag in tags if tag in removable)
    action = PruneAction.KEEP if reasons else PruneAction.DELETE
    said = tuple(dict.fromkeys(reasons))
    if not reasons:
        said, removed = (_why_it_may_go(snapshot, rules, digest, kind),), ()
    elif removed == tags:
        # Without a tag it might be collected, so the tag stays for the sake of what it names.
        removed = ()
    if removed:
        action = PruneAction.UNTAG
    return PruneItem(
        digest=digest, kind=kind, action=action, tags=tags, removed_tags=removed, reasons=said
    )


def _why_it_may_go(snapshot: Snapshot, rules: Rules, digest: str, kind: ManifestKind) -> str:
    places = [place for place in map(snapshot.place_of, snapshot.tags_of(digest)) if place]
    if places:
        fate = "is gone" if places[0][0] in snapshot.gone else "goes"
        return f"{places[0][0]}, beside which it stands, {fate}"
    if kind is ManifestKind.REFERRER:
        return "what it refers to is gone or goes"
    return f"older than the last {rules.nights} nights and the rollback window of {rules.days} days"
