"""Ask every remote thing of a configuration, as a night would, and build nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from immutable_base.errors import (
    HostError,
    ImmutableBaseError,
    RemoteError,
    VerificationError,
    foreign_data,
)
from immutable_base.keys.check import check_key, require_signed
from immutable_base.model.online import OnlineFinding, OnlineReport
from immutable_base.model.plan import Package
from immutable_base.online.findings import (
    Offered,
    base_finding,
    fault,
    key_finding,
    repository_finding,
    skipped_finding,
    unpinned_finding,
    variant_finding,
)
from immutable_base.online.services import Services, ask_services
from immutable_base.plan.base_image import Base
from immutable_base.plan.make import make_plan
from immutable_base.plan.remote import PlanInputs, Remote, composes_of, read_remote
from immutable_base.plan.sources import keys_of, skipped_repositories, sources_of
from immutable_base.repository.metadata import Metadata, Source, read_repomd
from immutable_base.solver.pool import PackagePool

AT_ONCE = 8
"""Keys that are looked at, while the registry and Sigstore are asked."""
UNREAD = "where it is, the base image says, which could not be read"


def probe(inputs: PlanInputs, services: Services, names: Sequence[str]) -> OnlineReport:
    """Return what all that is remote answers, and what would become of these variants.

    Raises HostError if this host lacks something; whatever else is wrong is a finding.
    """
    settings = inputs.settings
    used = {key for name in names for key in keys_of(settings, name)}
    wanted = [key for key in settings.keys if key in used]
    chosen = settings.model_copy(update={"variants": {n: settings.variants[n] for n in names}})
    # All at the same time: an address that is silent is given up after half a minute.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.submit(ask_services, inputs.metadata.keys.downloader, services)
        checking = [pool.submit(check_key, inputs.metadata, chosen, name) for name in wanted]
        remote = read_remote(inputs, names)
        reports = [one.result() for one in checking]
    found = [
        *map(key_finding, reports),
        *(base_finding(settings, it, base, inputs.now) for it, base in remote.bases.items()),
        *_repositories(inputs, remote, names),
    ]
    plan = make_plan(inputs, names, remote)
    return OnlineReport(findings=(*found, *map(variant_finding, plan.variants), *answers.result()))


def _repositories(
    inputs: PlanInputs, remote: Remote, names: Sequence[str]
) -> Iterator[OnlineFinding]:
    settings = inputs.settings
    moments: dict[Source, float] = {}
    skipped: dict[tuple[str, str], None] = {}
    for stream, base in remote.bases.items():
        mine = [name for name in names if settings.variants[name].stream == stream]
        sources = sources_of(settings, mine, composes_of(remote.bases).get(stream, ""))
        # Of this stream alone: another may use the same repository at another place.
        here = _done_without(inputs, remote, stream, mine)
        skipped |= dict.fromkeys(here.items())
        # As in a plan: a clock that is behind the base image's own time is wrong.
        now = max(inputs.now, base.plan.created) if isinstance(base, Base) else inputs.now
        for source in sources:
            if source.id not in here:
                moments[source] = max(now, moments.get(source, now))
    for source, now in moments.items():
        yield _repository(inputs, source, remote, now)
    for name, reason in skipped:
        yield skipped_finding(name, reason)


def _done_without(
    inputs: PlanInputs, remote: Remote, stream: str, names: Sequence[str]
) -> dict[str, str]:
    """Return the repositories that variants of a stream would do without, each with the reason."""
    settings, compose = inputs.settings, composes_of(remote.bases).get(stream, "")
    found = skipped_repositories(settings, stream, names, compose, remote.metadata)
    if isinstance(remote.bases[stream], Base):
        return {item.id: item.reason for item in found}
    # That it lacks a label is nothing to say of an image that nobody has read.
    placed = {source.id for source in sources_of(settings, names, compose)}
    return {item.id: item.reason if item.id in placed else UNREAD for item in found}


def _repository(inputs: PlanInputs, source: Source, remote: Remote, now: float) -> OnlineFinding:
    """Ask for what a repository offers; `now` is in seconds since 1970."""
    settings, metadata = inputs.settings, remote.metadata[source]
    repository = settings.repositories[source.id]
    keys = dict.fromkeys(key for key in (repository.key, repository.metadata_key) if key)
    unpinned = [key for key in keys if not settings.keys[key].is_pinned]
    try:
        if unpinned:
            return _unpinned(inputs, source, unpinned)
        if not isinstance(metadata, Metadata):
            raise metadata
        return repository_finding(settings, metadata, _offered(inputs, metadata), now)
    except HostError:
        raise
    except ImmutableBaseError as error:
        return fault("repository", source.id, error)


def _unpinned(inputs: PlanInputs, source: Source, keys: Sequence[str]) -> OnlineFinding:
    """Ask whether a repository is there, of which nothing can be believed."""
    try:
        with foreign_data("its metadata"):
            read_repomd(*inputs.metadata.fetch_repomd(source, None))
    except RemoteError as error:
        if not inputs.settings.repositories[source.id].optional:
            raise
        return skipped_finding(source.id, error.message)
    return unpinned_finding(source.id, source, keys)


def _offered(inputs: PlanInputs, metadata: Metadata) -> Offered:
    """Read a repository's packages, and fetch the smallest of them: is it signed by its key?

    Raises VerificationError if it is not.
    """
    packages: list[Package] = []
    unproven = ""
    with foreign_data("its metadata"):
        pool = PackagePool([metadata], (), lambda _name: None)
        for number in pool.ids([metadata.source.id]):
            try:
                packages.append(pool.package(pool.solvable(number)))
            except VerificationError as error:
                unproven = unproven or error.message
    smallest = min(packages, key=lambda package: (package.size, package.nevra), default=None)
    if smallest is not None:
        require_signed(inputs.metadata, metadata.key, smallest)
    return Offered(
        checksums=Counter(package.required.algorithm for package in packages),
        unproven=unproven,
        sample=smallest.nevra if smallest else "",
    )
