"""Ask every remote thing of a configuration, as a night would, and build nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from immutable_base.errors import (
    HostError,
    ImmutableBaseError,
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
from immutable_base.plan.sources import all_sources, keys_of, skipped_repositories, sources_of
from immutable_base.repository.metadata import Metadata, Source, read_repomd
from immutable_base.solver.pool import PackagePool

KEYS_AT_ONCE = 4


def probe(inputs: PlanInputs, services: Services, names: Sequence[str]) -> OnlineReport:
    """Return what all that is remote answers, and what would become of these variants.

    Raises HostError if this host lacks something; whatever else is wrong is a finding.
    """
    settings = inputs.settings
    used = {key for name in names for key in keys_of(settings, name)}
    wanted = [key for key in settings.keys if key in used]
    chosen = settings.model_copy(update={"variants": {n: settings.variants[n] for n in names}})
    with ThreadPoolExecutor(KEYS_AT_ONCE) as pool:
        reports = list(pool.map(partial(check_key, inputs.metadata, chosen), wanted))
    remote = read_remote(inputs, names)
    found = [
        *map(key_finding, reports),
        *(base_finding(settings, it, base, inputs.now) for it, base in remote.bases.items()),
        *_repositories(inputs, remote, names),
    ]
    plan = make_plan(inputs, names, remote)
    return OnlineReport(
        findings=(
            *found,
            *map(variant_finding, plan.variants),
            *ask_services(inputs.metadata.keys.downloader, services),
        )
    )


def _repositories(
    inputs: PlanInputs, remote: Remote, names: Sequence[str]
) -> Iterator[OnlineFinding]:
    settings = inputs.settings
    # As the plan does: a clock that is behind a base image's own time is wrong.
    made = [base.plan.created for base in remote.bases.values() if isinstance(base, Base)]
    inputs = replace(inputs, now=max([inputs.now, *made]))
    composes = composes_of(remote.bases)
    skipped: dict[str, str] = {}
    without: set[Source] = set()
    for stream in remote.bases:
        mine = [name for name in names if settings.variants[name].stream == stream]
        compose = composes.get(stream, "")
        for item in skipped_repositories(settings, stream, mine, compose, remote.metadata):
            skipped[item.id] = item.reason
            # Another stream may use it in another release, and have it.
            without |= {it for it in sources_of(settings, mine, compose) if it.id == item.id}
    for source in all_sources(settings, names, composes):
        if source not in without:
            yield _repository(inputs, source, remote)
    for name, reason in skipped.items():
        yield skipped_finding(name, reason)


def _repository(inputs: PlanInputs, source: Source, remote: Remote) -> OnlineFinding:
    settings, metadata = inputs.settings, remote.metadata[source]
    repository = settings.repositories[source.id]
    keys = dict.fromkeys(key for key in (repository.key, repository.metadata_key) if key)
    unpinned = [key for key in keys if not settings.keys[key].is_pinned]
    try:
        if unpinned:
            with foreign_data("its metadata"):
                read_repomd(*inputs.metadata.fetch_repomd(source, None))
            return unpinned_finding(source.id, source, unpinned)
        if not isinstance(metadata, Metadata):
            raise metadata
        return repository_finding(settings, metadata, _offered(inputs, metadata), inputs.now)
    except HostError:
        raise
    except ImmutableBaseError as error:
        return fault("repository", source.id, error)


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
