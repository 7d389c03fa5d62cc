"""Plan what may go, carry out exactly that, and see that everything else is still there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from immutable_base.errors import NoSuchImageError, RemoteError, VerificationError
from immutable_base.model.prune import (
    PruneAction,
    PruneItem,
    PrunePlan,
    PruneReport,
    RepositoryPrune,
)
from immutable_base.prune.candidates import decide_candidates
from immutable_base.prune.decide import IMAGES, Rules, decide, undecided
from immutable_base.prune.instances import bases_in, require_known
from immutable_base.prune.repository import PrunableRepository
from immutable_base.prune.snapshot import take_snapshot
from immutable_base.prune.tags import fixed_tags
from immutable_base.verify import Verifier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What is done so far."""

    deleted: list[str] = field(default_factory=list)
    untagged: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def told(self) -> list[str]:
        """Return a line for each thing that is gone."""
        return [f"deleted before: {name}" for name in (*self.untagged, *self.deleted)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be pruned, and what is asked about it."""

    repositories: tuple[str, ...]
    """Those that are pruned."""
    published: tuple[str, ...]
    """All that we publish to; instances may be built on what is in any of them."""
    instances: tuple[str, ...]
    rules: Rules
    candidates: str = ""
    """That of images on their way between machines, if it is among those that are pruned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Who prunes: how repositories are read and written, and who says when an image was signed."""

    open_repository: Callable[[str], PrunableRepository]
    verifier: Verifier

    def plan(self, request: Request) -> PrunePlan:
        """Return what may go, and why everything else stays. Nothing is written.

        Raises NoSuchImageError if there is no repository at all, ConfigurationError if an instance
        does not say what it is built on, RemoteError if anything is not known for sure.
        """
        bases: dict[str, set[str]] = {}
        for name in request.instances:
            for digest, users in bases_in(self.open_repository(name)).items():
                bases.setdefault(digest, set()).update(users)
        known = require_known(bases, map(self.open_repository, request.published)) if bases else ()
        used = {item.digest: item.used_by for item in known}
        planned = [self._decide(name, request, used) for name in request.repositories]
        if not any(item.exists for item in planned):
            raise NoSuchImageError(
                "the registry has none of the repositories: " + ", ".join(request.repositories),
                hint="is registry.destination right, and may this login read there?",
            )
        return PrunePlan(
            as_of=request.rules.today.isoformat(),
            nights=request.rules.nights,
            days=request.rules.days,
            instances=request.instances,
            bases=known,
            repositories=tuple(planned),
        )

    def _decide(
        self, name: str, request: Request, bases: Mapping[str, Iterable[str]]
    ) -> RepositoryPrune:
        log.info("reading %s", name)
        rules, of_candidates = request.rules, name == request.candidates
        fixed = () if of_candidates else fixed_tags(rules.templates)
        snapshot = take_snapshot(self.open_repository(name), fixed)
        if snapshot is None:
            return RepositoryPrune(repository=name, exists=False, items=())
        if of_candidates:
            return decide_candidates(snapshot, rules, bases=bases)
        signed = {}
        for digest in undecided(snapshot, rules):
            day = self._signed_on(name, digest)
            if day is not None:
                signed[digest] = day
        return decide(snapshot, rules, bases=bases, signed=signed)

    def _signed_on(self, name: str, digest: str) -> date | None:
        """Return the day on which an image was signed, None if that is not proven.

        Of images that older versions published there is no provenance; their signature has a day.
        """
        try:
            proof = replace(self.verifier, complete=False).verify(name, digest).proof
        except VerificationError as error:
            log.info("not known when it was signed: %s", error.message)
            return None
        return datetime.fromtimestamp(proof.signature.signed_at, UTC).date()

    def carry_out(self, plan: PrunePlan, templates: tuple[str, ...]) -> PruneReport:
        """Delete what a plan names and nothing else, then read everything that was to stay.

        Images go before what stands beside them: whatever interrupts it, no image that is left is
        without its signature. Raises RemoteError with what is deleted already, VerificationError if
        something that was to stay is not there.
        """
        done = _Done()
        try:
            for item in plan.repositories:
                self._take_away(item, done)
        except RemoteError as error:
            raise RemoteError(
                error.message,
                details="\n".join(filter(None, [error.details, *done.told()])),
                hint=error.hint,
            ) from error
        seen, moved = 0, list[str]()
        for item in plan.repositories:
            if item.exists:
                seen += self._look_again(item, templates, done, moved)
        return PruneReport(
            plan=plan,
            deleted=tuple(done.deleted),
            untagged=tuple(done.untagged),
            left=tuple(done.left),
            moved=tuple(moved),
            seen=seen,
        )

    def _take_away(self, plan: RepositoryPrune, done: _Done) -> None:
        repository = self.open_repository(plan.repository)
        for item in plan.items:
            for tag in item.removed_tags:
                others = [name for name in item.tags if name not in item.removed_tags]
                gone = repository.delete_tag(tag, item.digest, others)
                (done.untagged if gone else done.left).append(f"{plan.repository}:{tag}")
        going = [item for item in plan.items if item.action is PruneAction.DELETE]
        for item in sorted(going, key=lambda item: item.kind not in IMAGES):
            log.info("deleting %s@%s", plan.repository, item.digest)
            repository.delete(item.digest)
            done.deleted.append(f"{plan.repository}@{item.digest}")

    def _look_again(
        self, plan: RepositoryPrune, templates: tuple[str, ...], done: _Done, moved: list[str]
    ) -> int:
        """Return how many manifests that were to stay are there; raises if one is not."""
        kept = [item for item in plan.items if item.action is not PruneAction.DELETE]
        repository = self.open_repository(plan.repository)
        snapshot = take_snapshot(repository, fixed_tags(templates)) if kept else None
        lost = [item.digest for item in kept if repository.manifest(item.digest) is None]
        tags = snapshot.tags if snapshot else {}
        for item in kept:
            wanted = set(item.tags) - set(item.removed_tags)
            lost += sorted(wanted - set(tags))
            moved += [
                f"{plan.repository}:{tag}"
                for tag in sorted(wanted & set(tags))
                if tags[tag] != item.digest
            ]
        if lost:
            raise VerificationError(
                f"{len(lost)} things that were to stay in {plan.repository} are not there",
                details="\n".join([*lost, *done.told()]),
                hint="what else deletes here? See the registry's log, and publish these again",
            )
        return len(kept)


def require_same(given: PrunePlan, now: PrunePlan) -> None:
    """Refuse a plan that the registry has left behind.

    Raises RemoteError that names what differs.
    """
    if given == now:
        return
    before, after = _rows(given), _rows(now)
    differing = sorted(
        key for key in before.keys() | after.keys() if before.get(key) != after.get(key)
    )
    raise RemoteError(
        "the registry has changed since this plan was made: nothing was deleted",
        details="\n".join(differing[:20]) or "what instances are built on",
        hint="make the plan again, and look at it",
    )


def _rows(plan: PrunePlan) -> dict[str, PruneItem]:
    return {f"{it.repository}@{row.digest}": row for it in plan.repositories for row in it.items}
