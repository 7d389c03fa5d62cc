"""Which repositories and keys variants use, and which repositories are done without: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from immutable_base.config.schema import Settings
from immutable_base.errors import ImmutableBaseError, RemoteError
from immutable_base.model.plan import SkippedRepository
from immutable_base.plan.base_image import COMPOSE_LABEL
from immutable_base.repository.metadata import MetadataResult, Source, source_of


def keys_of(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the keys of packages and metadata that a variant needs."""
    used = [
        settings.repositories[item] for item in settings.repositories_of(settings.variants[name])
    ]
    names = {key for item in used for key in (item.key, item.metadata_key) if key}
    return tuple(key for key in settings.keys if key in names)


def unpinned_keys(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the keys that a variant needs and that nobody has pinned yet."""
    return tuple(key for key in keys_of(settings, name) if not settings.keys[key].is_pinned)


def sources_of(settings: Settings, names: Sequence[str], compose: str) -> list[Source]:
    """Return what some variants of one stream use, in the order in which equal versions count.

    That is the order of the configuration, optional repositories after all others: no other variant
    may change which repository a package comes from. `compose` is the base image's; what needs one
    is left out where it has none.
    """
    found = (
        source_of(settings, repository, release, compose)
        for name in names
        for release in [settings.streams[settings.variants[name].stream].release]
        for repository in settings.repositories_of(settings.variants[name])
    )
    order = {name: number for number, name in enumerate(settings.repositories)}
    return sorted(
        {source for source in found if source is not None},
        key=lambda source: (settings.repositories[source.id].optional, order[source.id]),
    )


def all_sources(
    settings: Settings, names: Sequence[str], composes: Mapping[str, str]
) -> tuple[Source, ...]:
    """Return what variants of several streams use; `composes`: of the base image, by stream."""
    return tuple(
        dict.fromkeys(
            source
            for name in names
            for source in sources_of(
                settings, [name], composes.get(settings.variants[name].stream, "")
            )
        )
    )


def is_skipped(settings: Settings, source: Source, result: MetadataResult) -> bool:
    """Tell whether a repository is done without.

    It has to be optional, and not to be had. What is there and wrong is never skipped.
    """
    return settings.repositories[source.id].optional and isinstance(result, RemoteError)


def skipped_repositories(
    settings: Settings,
    stream: str,
    names: Sequence[str],
    compose: str,
    results: Mapping[Source, MetadataResult],
) -> tuple[SkippedRepository, ...]:
    """Return the repositories that these variants of a stream do without, and why."""
    used = {
        name for variant in names for name in settings.repositories_of(settings.variants[variant])
    }
    sources = {source.id: source for source in sources_of(settings, names, compose)}
    found = []
    for name in (name for name in settings.repositories if name in used):
        source = sources.get(name)
        if source is None:
            reason = f"the base image has no label {COMPOSE_LABEL}"
        elif is_skipped(settings, source, results[source]):
            reason = _words(results[source], source)
        else:
            continue
        found.append(SkippedRepository(id=name, stream=stream, reason=reason))
    return tuple(found)


def _words(result: MetadataResult, source: Source) -> str:
    message = result.message if isinstance(result, ImmutableBaseError) else ""
    known = f"repository '{source.id}': "
    return f"{message.removeprefix(known)} ({source.url})"
