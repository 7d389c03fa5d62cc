"""Ask an instance's repositories for security advisories; verified as a plan does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.context import open_metadata
from immutable_base.errors import ConfigurationError, HostError, ImmutableBaseError, foreign_data
from immutable_base.instance.advisories import Versions, open_advisories
from immutable_base.instance.base import FoundBase
from immutable_base.instance.changes import UNREADABLE, rpm_packages
from immutable_base.instance.context import InstanceContext
from immutable_base.instance.published import PublishedImage
from immutable_base.instance.repositories import InstanceSources, instance_sources
from immutable_base.model.advisory import OpenAdvisory
from immutable_base.plan.diff import Key
from immutable_base.plan.freshness import staleness
from immutable_base.plan.sources import is_skipped
from immutable_base.repository.metadata import ADVISORIES, Metadata, MetadataFetcher, Source
from immutable_base.solver.advisories import Advisory, read_advisories
from immutable_base.solver.order import EvrOrder
from immutable_base.solver.pool import PackagePool

OFF = "repositories were not asked for security updates: rebuild.security_updates is `none`"
NO_VARIANT = (
    "the base is no variant and no stream of the product's configuration, so its repositories are "
    'not known; [rebuild] security_updates = "none" asks for none'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """What the repositories of an instance said."""

    complete: bool = False
    """Whether every one of them was asked."""
    open: tuple[OpenAdvisory, ...] = ()
    """Every advisory that is open in the published image."""
    unasked: tuple[str, ...] = ()
    """Why some could not be asked."""
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Answers:
    """What was fetched, by repository."""

    metadata: dict[str, Metadata] = field(default_factory=dict)
    advisories: dict[str, Path] = field(default_factory=dict)
    errors: list[ImmutableBaseError] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def ask_updates(at: InstanceContext, base: FoundBase, published: PublishedImage) -> Updates:
    """Return which security advisories are open in the published image.

    Nothing is asked without one. That a repository cannot be asked is an answer, too. Raises
    HostError or ConfigurationError if this host or a configuration is in the way.
    """
    if base.evidence is None or published.evidence is None:
        return Updates()
    if at.settings.rebuild.security_updates == "none":
        return Updates(notes=(OFF,))
    wanted = instance_sources(at.product, base.labels)
    if wanted is None:
        return Updates(unasked=(NO_VARIANT,))
    try:
        image, below = rpm_packages(published.sbom), rpm_packages(base.sbom)
    except UNREADABLE as error:
        return Updates(unasked=(f"the SBOM of the image or its base is not of our shape: {error}",))
    with open_metadata(
        at.product, at.config_path, at.workspace / "cache", at.run, at.tls
    ) as metadata:
        answers = _fetch(at, metadata, wanted)
    found = _read(answers, image, below)
    return Updates(
        complete=not answers.errors,
        open=found,
        unasked=tuple(_one_line(error) for error in answers.errors),
        notes=_notes(wanted, answers),
    )


def _fetch(at: InstanceContext, metadata: MetadataFetcher, wanted: InstanceSources) -> _Answers:
    answers = _Answers()
    for source, fetched in metadata.fetch_all(wanted.sources).items():
        result = fetched
        if isinstance(fetched, Metadata):
            # As in a plan: old metadata is wrong, however well it is signed.
            stale = staleness(fetched, at.product.repositories[source.id], at.clock())
            result = stale or fetched
        if isinstance(result, Metadata):
            _fetch_advisories(metadata, source, result, answers)
        elif is_skipped(at.product, source, result):
            answers.skipped.append(source.id)
        else:
            answers.errors.append(result)
    return answers


def _fetch_advisories(
    metadata: MetadataFetcher, source: Source, found: Metadata, answers: _Answers
) -> None:
    try:
        if ADVISORIES in found.files:
            path = metadata.fetch_file(found.source, found.files, ADVISORIES)
            answers.advisories[source.id] = path
        answers.metadata[source.id] = found
    except (ConfigurationError, HostError):
        raise
    except ImmutableBaseError as error:
        answers.errors.append(error)


def _read(answers: _Answers, image: Versions, base: Versions) -> tuple[OpenAdvisory, ...]:
    """Return what is open; what cannot be read becomes an error of the answers."""
    read: dict[str, tuple[Advisory, ...]] = {}
    for name, path in answers.advisories.items():
        try:
            with foreign_data(f"the advisories of repository '{name}'"):
                read[name] = read_advisories(name, path)
        except HostError:
            raise
        except ImmutableBaseError as error:
            answers.errors.append(error)
    named = {(it.name, it.arch) for found in read.values() for one in found for it in one.packages}
    keys = sorted(named & image.keys())
    if not keys:
        return ()
    try:
        offered = _offered(answers.metadata, keys)
    except HostError:
        raise
    except ImmutableBaseError as error:
        answers.errors.append(error)
        return ()
    order = EvrOrder()
    return tuple(
        item
        for name, found in read.items()
        for item in open_advisories(name, found, image, base, offered, order)
    )


def _offered(metadata: Mapping[str, Metadata], keys: Sequence[Key]) -> dict[Key, str]:
    """Return the newest version that any repository has of each package."""
    pool = PackagePool(metadata.values(), (), lambda _: None)
    found: dict[Key, str] = {}
    for name in dict.fromkeys(name for name, _ in keys):
        for item in pool.named(name, tuple(metadata)):
            found.setdefault((name, item.arch), item.evr)
    return found


def _notes(wanted: InstanceSources, answers: _Answers) -> tuple[str, ...]:
    silent = [name for name in answers.metadata if name not in answers.advisories]
    skipped = [*wanted.skipped, *answers.skipped]
    notes = []
    if silent:
        notes.append(f"these repositories publish no advisories: {', '.join(silent)}")
    if skipped:
        notes.append(f"optional repositories that were done without: {', '.join(skipped)}")
    return tuple(notes)


def _one_line(error: ImmutableBaseError) -> str:
    return "; ".join(filter(None, (error.message, *(error.details or "").splitlines()[:1])))
