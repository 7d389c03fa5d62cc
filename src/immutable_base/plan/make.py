"""Make a plan: everything remote is read once, then decided in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base.download import prune
from immutable_base.errors import HostError, ImmutableBaseError, foreign_data
from immutable_base.model.plan import KeyPlan, Plan, RepositoryPlan, SkippedRepository, VariantPlan
from immutable_base.plan import verdicts
from immutable_base.plan.base_image import Base
from immutable_base.plan.freshness import staleness
from immutable_base.plan.modules import Maximum
from immutable_base.plan.remote import PlanInputs, Remote, read_remote
from immutable_base.plan.sources import (
    is_skipped,
    skipped_repositories,
    sources_of,
    unpinned_keys,
)
from immutable_base.plan.stream import StreamFacts, StreamPlanner
from immutable_base.plan.support import judge_support, today_of
from immutable_base.plan.zfs_meta import linux_maximum
from immutable_base.repository.metadata import Metadata, Source
from immutable_base.solver.pool import PackagePool, UnreadableRepositoryError

CACHE_SECONDS = 14 * 86400.0
"""Metadata that no plan has used for so long is removed."""


def make_plan(inputs: PlanInputs, variants: Iterable[str], known: Remote | None = None) -> Plan:
    """Return the plan for these variants, in the configuration's order.

    `known` is what was read from outside already. A variant that cannot be planned has the verdict
    `fail` and the reason; the others go on. One that needs a key which is not pinned is held, and
    nothing is fetched for it.
    Raises HostError if this host lacks something.
    """
    settings, wanted = inputs.settings, set(variants)
    names = [name for name in settings.variants if name in wanted]
    prune(inputs.metadata.cache, CACHE_SECONDS)
    planned = {
        name: verdicts.held_for_keys(settings, name, unpinned)
        for name in names
        if (unpinned := unpinned_keys(settings, name))
    }
    ready = [name for name in names if name not in planned]
    remote = known or read_remote(inputs, ready)
    repositories: set[RepositoryPlan] = set()
    keys: dict[str, KeyPlan] = {}
    skipped: list[SkippedRepository] = []
    for stream in dict.fromkeys(settings.variants[name].stream for name in ready):
        mine = [name for name in ready if settings.variants[name].stream == stream]
        result = _plan_stream(inputs, remote, stream, mine)
        planned |= result.variants
        repositories |= result.repositories
        keys = result.keys | keys
        skipped += result.skipped
    return Plan(
        repositories=tuple(sorted(repositories, key=lambda item: (item.id, item.url))),
        keys=tuple(keys[name] for name in sorted(keys)),
        skipped=tuple(skipped),
        variants=tuple(_with_signers(inputs, planned[name]) for name in names),
    )


def _with_signers(inputs: PlanInputs, variant: VariantPlan) -> VariantPlan:
    """Add who signs the modules, and who has to sign what its hosts take next."""
    demanded = inputs.hosts_accept.get(variant.name, "")
    signer = inputs.module_signer if variant.modules else None
    return variant.model_copy(update={"module_signer": signer, "hosts_accept": demanded})


@dataclass(frozen=True, slots=True, kw_only=True)
class _StreamPlan:
    variants: dict[str, VariantPlan]
    repositories: set[RepositoryPlan] = field(default_factory=set)
    keys: dict[str, KeyPlan] = field(default_factory=dict)
    """Of the packages of `repositories`, by their names."""
    skipped: tuple[SkippedRepository, ...] = ()


def _plan_stream(
    inputs: PlanInputs, remote: Remote, stream: str, names: Sequence[str]
) -> _StreamPlan:
    """Plan the variants of one stream; its metadata is let go of before the next one's is read."""
    settings, base = inputs.settings, remote.bases[stream]
    if isinstance(base, ImmutableBaseError):
        return _StreamPlan(variants={n: verdicts.failed(settings, n, base, None) for n in names})
    support = judge_support(
        base.plan, stream, today_of(base.plan, inputs.now),
        allowed=settings.streams[stream].allow_unsupported,
    )  # fmt: skip
    if support.held:
        return _StreamPlan(
            variants={n: verdicts.held(settings, n, base, support.held, ()) for n in names}
        )
    found = _plan_variants(inputs, remote, stream, names, base)
    warned = {
        name: plan.model_copy(update={"warnings": (*support.warnings, *plan.warnings)})
        for name, plan in found.variants.items()
    }
    return replace(found, variants=warned)


def _plan_variants(
    inputs: PlanInputs, remote: Remote, stream: str, names: Sequence[str], base: Base
) -> _StreamPlan:
    settings = inputs.settings
    sources = sources_of(settings, names, base.plan.compose)
    _refuse_stale(inputs, remote, sources, max(inputs.now, base.plan.created))
    skipped = skipped_repositories(settings, stream, names, base.plan.compose, remote.metadata)
    pool, usable = _fill_pool(inputs, remote, sources, base)
    facts = StreamFacts(
        base=base,
        pool=pool,
        ledger=remote.ledger,
        maximum=_linux_maximum(inputs),
        published=remote.published,
        skipped=skipped,
    )
    planner = StreamPlanner(settings, stream, facts)
    planned = {}
    for name in names:
        error = _obstacle(settings, remote, name, base)
        found = (
            verdicts.failed(settings, name, error, base)
            if error
            else _plan_variant(settings, planner, name, base)
        )
        archived = _archived(remote, sources_of(settings, [name], base.plan.compose))
        planned[name] = found.model_copy(update={"warnings": (*archived, *found.warnings)})
    return _StreamPlan(
        variants=planned,
        repositories={_repository(metadata, pool) for metadata in usable.values()},
        keys=_keys(settings, usable.values()),
        skipped=skipped,
    )


def _refuse_stale(
    inputs: PlanInputs, remote: Remote, sources: Iterable[Source], now: float
) -> None:
    """Make metadata that is older than its repository may be the error that it is."""
    for source in sources:
        found = remote.metadata[source]
        if isinstance(found, Metadata):
            stale = staleness(found, inputs.settings.repositories[source.id], now)
            remote.metadata[source] = stale or found


def _archived(remote: Remote, sources: Iterable[Source]) -> tuple[str, ...]:
    """Return which repositories were read from their archives."""
    found = [(source, remote.metadata[source]) for source in sources]
    return tuple(
        f"repository '{source.id}' has left {source.url}: {metadata.url} is used, which gets no "
        "updates any more"
        for source, metadata in found
        if isinstance(metadata, Metadata) and metadata.archived
    )


def _obstacle(
    settings: Settings, remote: Remote, name: str, base: Base
) -> ImmutableBaseError | None:
    """Return the worst of what is wrong with the repositories that a variant needs."""
    results = [
        remote.metadata[source]
        for source in sources_of(settings, [name], base.plan.compose)
        if not is_skipped(settings, source, remote.metadata[source])
    ]
    errors = [result for result in results if isinstance(result, ImmutableBaseError)]
    return max(errors, key=lambda error: error.exit_code, default=None)


def _fill_pool(
    inputs: PlanInputs, remote: Remote, wanted: Iterable[Source], base: Base
) -> tuple[PackagePool, dict[str, Metadata]]:
    """Return the packages of every repository that can be used, and those repositories by id.

    What libsolv cannot read becomes the result of its repository, and is left out.
    """
    while True:
        usable = {s.id: m for s in wanted if isinstance(m := remote.metadata[s], Metadata)}
        filelists = partial(_filelists, inputs, usable)
        try:
            return PackagePool(usable.values(), base.packages, filelists), usable
        except UnreadableRepositoryError as error:
            remote.metadata[usable[error.repository].source] = error


def _plan_variant(settings: Settings, planner: StreamPlanner, name: str, base: Base) -> VariantPlan:
    try:
        with foreign_data(f"the metadata of what {name} needs"):
            return planner.plan(name)
    except HostError:
        raise
    except ImmutableBaseError as error:
        return verdicts.failed(settings, name, error, base)


def _linux_maximum(inputs: PlanInputs) -> Maximum:
    cache = inputs.cache / "module-meta"
    return partial(linux_maximum, inputs.storage.run, inputs.metadata.keys.downloader, cache)


def _filelists(inputs: PlanInputs, usable: Mapping[str, Metadata], name: str) -> Path | None:
    metadata = usable.get(name)
    if metadata is None or "filelists" not in metadata.files:
        return None
    return inputs.metadata.fetch_file(metadata.source, metadata.files, "filelists")


def _keys(settings: Settings, used: Iterable[Metadata]) -> dict[str, KeyPlan]:
    """Return the keys of some repositories' packages by name, each as it was fetched first."""
    keys: dict[str, KeyPlan] = {}
    for metadata in used:
        # By the repository's own name for it: two names may have one pin, and are fetched once.
        name = settings.repositories[metadata.source.id].key
        plan = KeyPlan(
            name=name,
            fingerprint=metadata.key.fingerprint,
            file_sha256=settings.keys[name].sha256,
            armored=metadata.key.armored,
        )
        keys.setdefault(name, plan)
    return keys


def _repository(metadata: Metadata, pool: PackagePool) -> RepositoryPlan:
    return RepositoryPlan(
        id=metadata.source.id,
        url=metadata.url,
        archived=metadata.archived,
        revision=metadata.revision,
        timestamp=metadata.timestamp,
        repomd_sha256=metadata.repomd_sha256,
        metadata_signed_by=metadata.signed_by,
        packages=pool.size_of(metadata.source.id),
    )
