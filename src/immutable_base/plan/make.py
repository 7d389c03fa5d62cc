"""Make a plan: everything remote is read once, then decided in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base.download import prune
from immutable_base.errors import HostError, ImmutableBaseError, foreign_data
from immutable_base.model.plan import KeyPlan, Plan, RepositoryPlan, VariantPlan
from immutable_base.plan.base_image import Base, read_base
from immutable_base.plan.compat import Ledger, load_ledger
from immutable_base.plan.modules import Maximum
from immutable_base.plan.stream import StreamPlanner
from immutable_base.plan.undecided import failed, held_for, unpinned_keys
from immutable_base.plan.zfs_meta import linux_maximum
from immutable_base.repository.metadata import (
    Metadata,
    MetadataFetcher,
    MetadataResult,
    Source,
    source_of,
)
from immutable_base.solver.pool import PackagePool, UnreadableRepositoryError
from immutable_base.tools.buildah import Storage

log = logging.getLogger(__name__)

CACHE_SECONDS = 14 * 86400.0
"""Metadata that no plan has used for so long is removed."""
BASES_AT_ONCE = 2
"""Images are large: more at once only compete for the same bandwidth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInputs:
    """What a plan is made from, and by what means."""

    settings: Settings
    metadata: MetadataFetcher
    storage: Storage
    environment: Mapping[str, str]
    """Tells programs which CAs to trust."""
    cache: Path
    """Folder of what is named by a checksum and may be reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remote:
    """What was read from outside."""

    bases: dict[str, Base | ImmutableBaseError]
    """By stream."""
    metadata: dict[Source, MetadataResult]
    ledger: Ledger


def make_plan(inputs: PlanInputs, variants: Iterable[str]) -> Plan:
    """Return the plan for these variants, in the configuration's order.

    A variant that cannot be planned has the verdict `fail` and the reason; the others go on. One
    that needs a key which is not pinned is held, and nothing is fetched for it.
    Raises HostError if this host lacks something.
    """
    settings, wanted = inputs.settings, set(variants)
    names = [name for name in settings.variants if name in wanted]
    prune(inputs.metadata.cache, CACHE_SECONDS)
    planned: dict[str, VariantPlan] = {
        name: held_for(settings, name, keys)
        for name in names
        if (keys := unpinned_keys(settings, name))
    }
    ready = [name for name in names if name not in planned]
    remote = _read(inputs, ready)
    repositories: dict[RepositoryPlan, KeyPlan] = {}
    for stream in dict.fromkeys(settings.variants[name].stream for name in ready):
        mine = [name for name in ready if settings.variants[name].stream == stream]
        found, used = _plan_stream(inputs, remote, stream, mine)
        planned |= found
        repositories |= used
    return Plan(
        repositories=tuple(sorted(repositories, key=lambda item: (item.id, item.url))),
        keys=tuple(sorted(set(repositories.values()), key=lambda item: item.name)),
        variants=tuple(planned[name] for name in names),
    )


def _read(inputs: PlanInputs, names: Sequence[str]) -> _Remote:
    """Ask the registry and the repositories at the same time."""
    settings = inputs.settings
    streams = dict.fromkeys(settings.variants[name].stream for name in names)
    sources = dict.fromkeys(source for name in names for source in _sources(settings, name))
    references = {stream: settings.streams[stream].base for stream in streams}
    with ThreadPoolExecutor(BASES_AT_ONCE) as pool:
        # Each reference once: it may move in between, and streams that share it share the image.
        reading = {name: pool.submit(_base, inputs, name) for name in set(references.values())}
        metadata = inputs.metadata.fetch_all(tuple(sources))
        bases = {stream: reading[name].result() for stream, name in references.items()}
    return _Remote(bases=bases, metadata=metadata, ledger=load_ledger())


def _sources(settings: Settings, name: str) -> list[Source]:
    variant = settings.variants[name]
    release = settings.streams[variant.stream].release
    return [source_of(settings, item, release) for item in settings.repositories_of(variant)]


def _in_order(settings: Settings, names: Sequence[str]) -> list[Source]:
    """Return what some variants of one stream need, in the order of the configuration.

    Of equal versions the first repository wins: no other variant may change which one that is.
    """
    wanted = {source for name in names for source in _sources(settings, name)}
    order = {name: number for number, name in enumerate(settings.repositories)}
    return sorted(wanted, key=lambda source: order[source.id])


def _base(inputs: PlanInputs, reference: str) -> Base | ImmutableBaseError:
    try:
        with foreign_data(f"the base image {reference}"):
            return read_base(inputs.storage, inputs.environment, inputs.cache / "base", reference)
    except HostError:
        raise
    except ImmutableBaseError as error:
        return error


def _plan_stream(
    inputs: PlanInputs, remote: _Remote, stream: str, names: Sequence[str]
) -> tuple[dict[str, VariantPlan], dict[RepositoryPlan, KeyPlan]]:
    """Plan the variants of one stream; its metadata is let go of before the next one's is read."""
    settings, base = inputs.settings, remote.bases[stream]
    if isinstance(base, ImmutableBaseError):
        return {name: _failed(settings, name, base, None) for name in names}, {}
    pool, usable = _fill_pool(inputs, remote, _in_order(settings, names), base)
    planner = StreamPlanner(settings, stream, base, pool, remote.ledger, _linux_maximum(inputs))
    planned = {}
    for name in names:
        results = [remote.metadata[source] for source in _sources(settings, name)]
        errors = [result for result in results if isinstance(result, ImmutableBaseError)]
        planned[name] = (
            _failed(settings, name, _worst(errors), base)
            if errors
            else _plan_variant(settings, planner, name, base)
        )
    return planned, {
        _repository(metadata, pool): _key(settings, metadata) for metadata in usable.values()
    }


def _fill_pool(
    inputs: PlanInputs, remote: _Remote, wanted: Iterable[Source], base: Base
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
        return _failed(settings, name, error, base)


def _linux_maximum(inputs: PlanInputs) -> Maximum:
    cache = inputs.cache / "module-meta"
    return partial(linux_maximum, inputs.storage.run, inputs.metadata.keys.downloader, cache)


def _filelists(inputs: PlanInputs, usable: Mapping[str, Metadata], name: str) -> Path | None:
    metadata = usable.get(name)
    if metadata is None or "filelists" not in metadata.files:
        return None
    return inputs.metadata.fetch_file(metadata.source, metadata.files, "filelists")


def _worst(errors: list[ImmutableBaseError]) -> ImmutableBaseError:
    return max(errors, key=lambda error: error.exit_code)


def _failed(
    settings: Settings, name: str, error: ImmutableBaseError, base: Base | None
) -> VariantPlan:
    log.warning("%s cannot be planned: %s", name, error.message)
    return failed(settings, name, error, base)


def _key(settings: Settings, metadata: Metadata) -> KeyPlan:
    # By the repository's own name for it: two names may have one pin, and are fetched once.
    name = settings.repositories[metadata.source.id].key
    return KeyPlan(
        name=name,
        fingerprint=metadata.key.fingerprint,
        file_sha256=settings.keys[name].sha256,
        armored=metadata.key.armored,
    )


def _repository(metadata: Metadata, pool: PackagePool) -> RepositoryPlan:
    return RepositoryPlan(
        id=metadata.source.id,
        url=metadata.source.url,
        revision=metadata.revision,
        repomd_sha256=metadata.repomd_sha256,
        metadata_signed_by=metadata.signed_by,
        packages=pool.size_of(metadata.source.id),
    )
