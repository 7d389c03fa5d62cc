"""The package repositories of the tiny stream: a small part of what the full lab converts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from immutable_base.errors import HostError
from immutable_base.process import LineSink
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import SigningKey, signing_key
from immutable_base_lab.debian import kernels, root
from immutable_base_lab.debian.archive import STABLE, Archive, Deb, machine_mirrors, open_archive
from immutable_base_lab.debian.catalogue import DROPPED
from immutable_base_lab.debian.kernels import Kernel
from immutable_base_lab.rpms import closure, convert, jobs, kernel_rpms, repositories
from immutable_base_lab.rpms.convert import DebianPackages
from immutable_base_lab.rpms.jobs import Job, Workshop
from immutable_base_lab.rpms.kernel_rpms import Cut
from immutable_base_lab.rpms.signed_repository import make_repository
from immutable_base_lab.scenarios import escapement, metronome, pendulum, tiny_content
from immutable_base_lab.scenarios.tiny_content import DEVEL_REPOSITORY, REPOSITORY

FORMAT = 1
VARIANT = "essential"
"""Of mmdebstrap: without apt."""
SUFFIX = "tiny"
"""Ends the release of the cut kernel's packages: they are not those of the full lab."""


def make_repositories(paths: LabPaths, report: LineSink) -> None:
    """Make the repositories below `rpms/` and the root of the base, unless they are there.

    Raises HostError, RemoteError, VerificationError and CommandError.
    """
    content = tiny_content.load()
    with signing_key(paths.rpm_key) as key:
        repositories.publish_key(paths, key)
        finished = cache.key_of(
            FORMAT, jobs.FORMAT, key.fingerprint, content.model_dump(),
            content.catalogue().model_dump(), metronome.inputs(), metronome.REMOVED,
            pendulum.inputs(), escapement.inputs(),
        )  # fmt: skip
        cache.ensure(
            paths.tiny_record, finished, lambda folder: _make_all(paths, folder, key, report)
        )


def _make_all(paths: LabPaths, folder: Path, key: SigningKey, report: LineSink) -> None:
    catalogue = tiny_content.load().catalogue()
    mirrors = machine_mirrors()
    report("reading Debian's indexes")
    archive = open_archive(mirrors, catalogue.archive_suites(), paths.indexes)
    kernel = newest_complete(kernels.found(archive), catalogue.kernel_series)
    report(f"bootstrapping the root of the base; its kernel will be {kernel.release}")
    root.forget_outdated(paths.tiny_root, archive)
    cache.ensure(
        paths.tiny_root,
        cache.key_of(catalogue.base, STABLE, VARIANT, DROPPED),
        lambda half: root.bootstrap(mirrors, catalogue, half, variant=VARIANT),
    )
    base = root.installed(paths.tiny_root / "root", archive)
    packages = DebianPackages(base, catalogue)
    workshop = Workshop(paths=paths, catalogue=catalogue, packages=packages, key=key)
    work = plan_jobs(workshop, archive, kernel, base)
    report(f"converting {len(work)} packages")
    for name, files in jobs.run_all(work, report).items():
        updateinfo = escapement.UPDATEINFO if name == REPOSITORY else ""
        make_repository(paths.rpms / name, files, key, updateinfo=updateinfo)
    document = {
        "kernel": {"release": kernel.release, "evr": f"{_evr(kernel)}.{SUFFIX}"},
        "base_packages": [convert.rpm_file_name(deb, catalogue) for deb in base],
    }
    (folder / "made.json").write_text(json.dumps(document, indent=2) + "\n")


def newest_complete(found: Iterable[Kernel], series: str) -> Kernel:
    """Return the newest kernel of a series that has its headers.

    Raises HostError if the archive has none.
    """
    complete = [it for it in found if it.headers and it.upstream.startswith(f"{series}.")]
    if not complete:
        raise HostError(
            f"Debian's archive has no complete kernel of {series}",
            hint="let lab/src/immutable_base_lab/debian/catalogue.toml follow the archive",
        )
    return max(complete, key=lambda kernel: kernel.version)


def plan_jobs(workshop: Workshop, archive: Archive, kernel: Kernel, base: list[Deb]) -> list[Job]:
    """Return every conversion, the long one first."""
    wanted = workshop.catalogue.repositories[REPOSITORY]
    compiler = kernel_rpms.compiler(kernel)
    added = closure.extend(workshop.packages, archive, (*wanted, compiler))
    plain = [jobs.plain_job(workshop, deb, (REPOSITORY,)) for deb in (*base, *added)]
    cut = Cut(suffix=SUFFIX, kept=tiny_content.load().kernel)
    kernel_job = repositories.kernel_job(workshop, kernel, REPOSITORY, DEVEL_REPOSITORY, cut=cut)
    return [
        kernel_job,
        *metronome.jobs(workshop),
        pendulum.job(workshop),
        escapement.job(workshop),
        *plain,
    ]


def _evr(kernel: Kernel) -> str:
    return str(convert.evr(kernel.image.version))
