"""Which package repositories an instance has: those of its base's variant or stream. Pure.

The base was made from the product's configuration, which is also where keys and ages of metadata
come from. What a Containerfile adds to /etc/yum.repos.d is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from immutable_base.config.schema import Settings
from immutable_base.plan.base_image import COMPOSE_LABEL, compose_id
from immutable_base.plan.labels import OCI, VARIANT
from immutable_base.repository.metadata import Source, source_of


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSources:
    """The repositories of an instance."""

    sources: tuple[Source, ...]
    skipped: tuple[str, ...]
    """Ids of those that need a compose which the base does not name."""


def instance_sources(settings: Settings, labels: Mapping[str, str]) -> InstanceSources | None:
    """Return the repositories that go with a base image's labels; None if they tell of none.

    The base is a variant of the configuration, an instance on one, or at least made from the base
    image of one of its streams.
    """
    found = _named(settings, labels)
    if found is None:
        return None
    release, names = found
    compose = compose_id(labels)
    sources = {name: source_of(settings, name, release, compose) for name in names}
    return InstanceSources(
        sources=tuple(it for it in sources.values() if it is not None),
        skipped=tuple(
            f"{name} (the base image has no label {COMPOSE_LABEL})"
            for name, source in sources.items()
            if source is None
        ),
    )


def _named(settings: Settings, labels: Mapping[str, str]) -> tuple[str, tuple[str, ...]] | None:
    for key in (f"{OCI}.title", VARIANT):
        variant = settings.variants.get(labels.get(key, ""))
        if variant is not None:
            release = settings.streams[variant.stream].release
            return release, settings.repositories_of(variant)
    for stream in settings.streams.values():
        if stream.base == labels.get(f"{OCI}.base.name"):
            return stream.release, stream.repositories
    return None
