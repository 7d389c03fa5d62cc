"""Make tonight's plan: everything remote is read once, then decided in memory."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from immutable_base.config.load import did_you_mean
from immutable_base.config.schema import Module, Settings
from immutable_base.context import Context
from immutable_base.download import Remote, open_remote, prune
from immutable_base.errors import ConfigurationError, HostError, ImmutableBaseError, foreign_data
from immutable_base.model.plan import (
    BasePlan,
    KernelPlan,
    Package,
    Plan,
    RepositoryPlan,
    VariantPlan,
    Verdict,
)
from immutable_base.plan.base_image import Base, read_base
from immutable_base.plan.compat import Ledger, load_ledger
from immutable_base.plan.stream import StreamPlanner
from immutable_base.plan.zfs_meta import linux_maximum
from immutable_base.repository.metadata import (
    Metadata,
    Outcome,
    Source,
    fetch_all,
    fetch_file,
    source_of,
)
from immutable_base.solver.pool import Universe, UnreadableRepositoryError

log = logging.getLogger(__name__)

CACHE_SECONDS = 14 * 86400.0
"""Metadata that no plan has used for so long is removed."""
BASES_AT_ONCE = 2
"""Images are large: more at once only share the same line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Night:
    """What was read from outside."""

    bases: dict[str, Base | ImmutableBaseError]
    """By stream."""
    outcomes: dict[Source, Outcome]
    ledger: Ledger


def make_plan(context: Context, *, variants: tuple[str, ...] = ()) -> Plan:
    """Return the plan for the named variants, for all when none is named.

    A variant that cannot be planned has the verdict `fail` and the reason; the others go on.
    Raises ConfigurationError for an unknown variant, HostError if this host lacks something.
    """
    names = _chosen(context.settings, variants)
    prune(context.workspace / "cache" / "metadata", CACHE_SECONDS)
    ledger = load_ledger(context.workspace)
    with open_remote(context) as remote:
        night = _read(context, remote, names, ledger)
        streams = dict.fromkeys(context.settings.variants[name].stream for name in names)
        planned: dict[str, VariantPlan] = {}
        repositories: set[RepositoryPlan] = set()
        for stream in streams:
            mine = [name for name in names if context.settings.variants[name].stream == stream]
            found, used = _plan_stream(context, remote, night, stream, mine)
            planned |= found
            repositories |= used
    return Plan(
        repositories=tuple(sorted(repositories, key=lambda item: (item.id, item.url))),
        variants=tuple(planned[name] for name in names),
    )


def _chosen(settings: Settings, variants: tuple[str, ...]) -> tuple[str, ...]:
    for name in variants:
        if name not in settings.variants:
            raise ConfigurationError(
                f"there is no variant '{name}'{did_you_mean(name, settings.variants)}",
                hint=f"the configuration has: {', '.join(settings.variants)}",
            )
    return tuple(name for name in settings.variants if not variants or name in variants)


def _read(context: Context, remote: Remote, names: tuple[str, ...], ledger: Ledger) -> _Night:
    """Ask the registry and the repositories at the same time."""
    settings = context.settings
    streams = dict.fromkeys(settings.variants[name].stream for name in names)
    sources = dict.fromkeys(source for name in names for source in _sources(settings, name))
    references = {stream: settings.streams[stream].base for stream in streams}
    with ThreadPoolExecutor(BASES_AT_ONCE) as pool:
        # Each reference once: it may move in between, and streams that share it share the image.
        reading = {name: pool.submit(_base, context, name) for name in set(references.values())}
        outcomes = fetch_all(context, remote, list(sources))
        bases = {stream: reading[name].result() for stream, name in references.items()}
    return _Night(bases=bases, outcomes=outcomes, ledger=ledger)


def _sources(settings: Settings, name: str) -> list[Source]:
    variant = settings.variants[name]
    release = settings.streams[variant.stream].release
    return [source_of(settings, item, release) for item in settings.repositories_of(variant)]


def _in_order(settings: Settings, names: list[str]) -> list[Source]:
    """Return what some variants of one stream need, in the order of the configuration.

    Of equal versions the first repository wins: no other variant may change which one that is.
    """
    wanted = {source for name in names for source in _sources(settings, name)}
    order = {name: number for number, name in enumerate(settings.repositories)}
    return sorted(wanted, key=lambda source: order[source.id])


def _base(context: Context, reference: str) -> Base | ImmutableBaseError:
    try:
        with foreign_data(f"the base image {reference}"):
            return read_base(context, reference)
    except HostError:
        raise
    except ImmutableBaseError as error:
        return error


def _plan_stream(
    context: Context, remote: Remote, night: _Night, stream: str, names: list[str]
) -> tuple[dict[str, VariantPlan], set[RepositoryPlan]]:
    """Plan the variants of one stream; its metadata is let go of before the next one's is read."""
    base = night.bases[stream]
    wanted = _in_order(context.settings, names)
    if isinstance(base, ImmutableBaseError):
        return {name: _failed(context, name, base, None) for name in names}, set()
    universe, usable = _fill_pool(context, remote, night, wanted, base)
    planner = StreamPlanner(
        context.settings,
        stream,
        base,
        universe,
        night.ledger,
        lambda module, package: _maximum(context, remote, module, package),
    )
    planned = {}
    for name in names:
        missing = [night.outcomes[source] for source in _sources(context.settings, name)]
        errors = [outcome for outcome in missing if isinstance(outcome, ImmutableBaseError)]
        planned[name] = (
            _failed(context, name, _worst(errors), base)
            if errors
            else _plan_variant(context, planner, name, base)
        )
    return planned, {_repository(metadata, universe) for metadata in usable}


def _fill_pool(
    context: Context, remote: Remote, night: _Night, wanted: list[Source], base: Base
) -> tuple[Universe, list[Metadata]]:
    """Return the packages of every repository that can be used, and those repositories.

    What libsolv cannot read becomes the outcome of its repository, and is left out.
    """
    while True:
        usable = [m for source in wanted if isinstance(m := night.outcomes[source], Metadata)]
        filelists = partial(_filelists, context, remote, usable)
        try:
            return Universe(usable, base.packages, filelists), usable
        except UnreadableRepositoryError as error:
            source = next(source for source in wanted if source.id == error.repository)
            night.outcomes[source] = error


def _plan_variant(context: Context, planner: StreamPlanner, name: str, base: Base) -> VariantPlan:
    try:
        with foreign_data(f"the metadata of what {name} needs"):
            return planner.plan(name)
    except HostError:
        raise
    except ImmutableBaseError as error:
        return _failed(context, name, error, base)


def _maximum(context: Context, remote: Remote, module: Module, package: Package) -> str:
    return linux_maximum(context, remote, module, package)


def _filelists(context: Context, remote: Remote, usable: list[Metadata], name: str) -> Path | None:
    for metadata in usable:
        if metadata.source.id == name and "filelists" in metadata.files:
            return fetch_file(context, remote, metadata.source, metadata.files, "filelists")
    return None


def _worst(errors: list[ImmutableBaseError]) -> ImmutableBaseError:
    return max(errors, key=lambda error: error.exit_code)


def _failed(
    context: Context, name: str, error: ImmutableBaseError, base: Base | None
) -> VariantPlan:
    """Return the record of a variant that could not be planned, with the error's own words."""
    log.warning("%s cannot be planned: %s", name, error.message)
    stream = context.settings.variants[name].stream
    reference = context.settings.streams[stream].base
    details = (error.details or "").splitlines()
    hint = [f"hint: {error.hint}"] if error.hint else []
    return VariantPlan(
        name=name,
        stream=stream,
        verdict=Verdict.FAIL,
        base=base.plan if base else BasePlan(reference=reference, digest="", created=0),
        kernel=KernelPlan(
            image=base.kernel.release if base else "",
            image_evr=base.kernel.evr if base else "",
            chosen=None,
            chosen_evr=None,
            action=None,
            source=None,
            ceiling=None,
            rejected=(),
        ),
        modules=(),
        layers=(),
        packages=(),
        reasons=(error.message, *details, *hint),
        exit_code=error.exit_code,
    )


def _repository(metadata: Metadata, universe: Universe) -> RepositoryPlan:
    return RepositoryPlan(
        id=metadata.source.id,
        url=metadata.source.url,
        revision=metadata.revision,
        repomd_sha256=metadata.repomd_sha256,
        metadata_signed_by=metadata.signed_by,
        packages=universe.size_of(metadata.source.id),
    )
