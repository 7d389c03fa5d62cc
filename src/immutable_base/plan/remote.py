"""What a plan is made from: everything remote, read once and at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base.errors import HostError, ImmutableBaseError, foreign_data
from immutable_base.model.module_signer import ModuleSigner
from immutable_base.plan.base_image import Base, read_base
from immutable_base.plan.compat import Ledger, load_ledger
from immutable_base.plan.published import Published, read_published
from immutable_base.plan.sources import all_sources
from immutable_base.repository.metadata import MetadataFetcher, MetadataResult, Source
from immutable_base.tools.buildah import Storage

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
    now: float
    """Seconds since 1970."""
    module_signer: ModuleSigner | None = None
    """Who signs modules; None: nobody."""
    hosts_accept: Mapping[str, str] = field(default_factory=dict)
    """What the hosts of variants take that demand signatures; see `policy/accepted`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What was read from outside."""

    bases: dict[str, Base | ImmutableBaseError]
    """By stream."""
    metadata: dict[Source, MetadataResult]
    published: dict[str, Published]
    """By variant, of those that have modules."""
    ledger: Ledger


def read_remote(inputs: PlanInputs, names: Sequence[str]) -> Remote:
    """Ask the registries and the repositories for what these variants need.

    Raises HostError if this host lacks something; what else fails is a value.
    """
    settings = inputs.settings
    streams = dict.fromkeys(settings.variants[name].stream for name in names)
    references = {stream: settings.streams[stream].base for stream in streams}
    with ThreadPoolExecutor(BASES_AT_ONCE) as pool, ThreadPoolExecutor(BASES_AT_ONCE) as others:
        # Each reference once: it may move in between, and streams that share it share the image.
        reading = {name: pool.submit(_base, inputs, name) for name in set(references.values())}
        asking = {
            name: others.submit(_published, inputs, name) for name in _with_modules(settings, names)
        }

        def bases() -> dict[str, Base | ImmutableBaseError]:
            return {stream: reading[name].result() for stream, name in references.items()}

        # Where the compose of a base image is, only the image tells.
        metadata = inputs.metadata.fetch_all(
            all_sources(settings, names, {}),
            lambda: all_sources(settings, names, composes_of(bases())),
        )
        published = {name: asked.result() for name, asked in asking.items()}
        return Remote(bases=bases(), metadata=metadata, published=published, ledger=load_ledger())


def composes_of(bases: Mapping[str, Base | ImmutableBaseError]) -> dict[str, str]:
    """Return the compose of each stream's base image, empty where it names none."""
    return {name: base.plan.compose for name, base in bases.items() if isinstance(base, Base)}


def _with_modules(settings: Settings, names: Iterable[str]) -> list[str]:
    return [
        name
        for name in names
        if any(settings.layers[layer].module for layer in settings.variants[name].layers)
    ]


def _published(inputs: PlanInputs, name: str) -> Published:
    return read_published(inputs.storage.run, inputs.settings, name, inputs.environment)


def _base(inputs: PlanInputs, reference: str) -> Base | ImmutableBaseError:
    try:
        with foreign_data(f"the base image {reference}"):
            return read_base(inputs.storage, inputs.environment, inputs.cache / "base", reference)
    except HostError:
        raise
    except ImmutableBaseError as error:
        return error
