"""Conversions: what is made into RPMs, each cached by the content of its inputs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from immutable_base.process import LineSink
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import SigningKey
from immutable_base_lab.debian import archive
from immutable_base_lab.debian.archive import Deb
from immutable_base_lab.debian.catalogue import Catalogue
from immutable_base_lab.rpms import convert, package, patch_tree
from immutable_base_lab.rpms.convert import DebianPackages

# Raise it when the conversion of the same input gives another output.
FORMAT = 3
WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where conversions find their inputs and leave their results."""

    paths: LabPaths
    catalogue: Catalogue
    packages: DebianPackages
    key: SigningKey

    def download(self, debs: Iterable[Deb]) -> dict[str, Path]:
        """Bring packages to this machine; return the file of each file name."""
        return archive.download(debs, self.paths.debs)

    def cached(self, name: str, inputs: object, make: Callable[[Path], None]) -> list[Path]:
        """Return the RPMs of one conversion, made unless they are there."""
        key = cache.key_of(FORMAT, self.key.fingerprint, inputs)
        folder = self.paths.converted / f"{name}-{key[:16]}"
        cache.ensure(folder, key, make)
        return sorted(folder.glob("*.rpm"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One conversion and the repositories that receive its RPMs."""

    name: str
    place: Callable[[Path], tuple[str, ...]]
    """Tells which repositories receive an RPM."""
    make: Callable[[], list[Path]]


def plain_job(workshop: Workshop, deb: Deb, repositories: tuple[str, ...]) -> Job:
    """Describe the plain conversion of one package."""

    def make_folder(folder: Path) -> None:
        source = workshop.download([deb]).values()
        tree = folder / "tree"
        convert.unpack(source, tree)
        mtime = package.newest_mtime(tree)
        patch_tree.apply(workshop.catalogue.change(deb.name), tree)
        config = convert.config_files(source)
        recipe = convert.recipe(deb, workshop.packages, workshop.catalogue, tree, config)
        package.build(replace(recipe, mtime=mtime), tree, folder, workshop.key)
        shutil.rmtree(tree, ignore_errors=True)

    def make() -> list[Path]:
        inputs = (
            deb.fields["sha256"],
            workshop.packages.requires(deb),
            workshop.packages.conflicts(deb),
            workshop.catalogue.change(deb.name).model_dump_json(),
            workshop.catalogue.rpm_name(deb.name),
        )
        return workshop.cached(deb.name, inputs, make_folder)

    return Job(name=deb.name, place=lambda _rpm: repositories, make=make)


def run_all(jobs: list[Job], report: LineSink) -> dict[str, list[Path]]:
    """Do the jobs, two at a time; return the RPMs of each repository."""
    repositories: dict[str, list[Path]] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        for number, (job, rpms) in enumerate(
            zip(jobs, pool.map(lambda job: job.make(), jobs), strict=True), start=1
        ):
            for rpm in rpms:
                for repository in job.place(rpm):
                    repositories.setdefault(repository, []).append(rpm)
            if number % 50 == 0 or number == len(jobs):
                report(f"packages converted: {number} of {len(jobs)} (last: {job.name})")
    return repositories
