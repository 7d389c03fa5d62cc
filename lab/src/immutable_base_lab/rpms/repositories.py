"""The lab's package repositories: Debian's live archive as an EL and a Fedora system see it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from immutable_base.process import LineSink
from immutable_base.workspace import write_atomically
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import KEY_NAME, SigningKey, signing_key
from immutable_base_lab.debian import catalogue, kernels, root
from immutable_base_lab.debian.archive import (
    STABLE,
    Archive,
    Deb,
    download,
    machine_mirrors,
    open_archive,
)
from immutable_base_lab.debian.kernels import Choice, Kernel
from immutable_base_lab.rpms import closure, convert, jobs, kernel_rpms, module_families
from immutable_base_lab.rpms.convert import DebianPackages
from immutable_base_lab.rpms.jobs import Job, Workshop
from immutable_base_lab.rpms.kernel_rpms import Cut
from immutable_base_lab.rpms.signed_repository import make_repository

FEDORA = {"baseos": "fedora", "appstream": "fedora", "epel": "fedora"}
"""EL's repositories, to the one in which Fedora has the same packages."""


def make_repositories(paths: LabPaths, report: LineSink) -> None:
    """Make every repository below `rpms/` and the root of the bases, unless they are there.

    Finished repositories stay as they are while the archive moves on, so that runs can be compared;
    a new state folder gets the archive of its day. Raises HostError, RemoteError,
    VerificationError and CommandError.
    """
    with signing_key(paths.rpm_key) as key:
        publish_key(paths, key)
        # Not of what only bases say of themselves: a new release number needs no new packages.
        content = catalogue.load().model_dump(exclude={"streams"})
        finished = cache.key_of(jobs.FORMAT, key.fingerprint, content)
        cache.ensure(
            paths.package_record, finished, lambda folder: _make_all(paths, folder, key, report)
        )


def publish_key(paths: LabPaths, key: SigningKey) -> None:
    """Put the public key where clients of the repositories find it, and its fingerprint."""
    for folder in (paths.trust, paths.rpms):
        write_atomically(folder / KEY_NAME, key.public.read_bytes())
    write_atomically(paths.key_fingerprint, f"{key.fingerprint}\n")


def _make_all(paths: LabPaths, folder: Path, key: SigningKey, report: LineSink) -> None:
    content = catalogue.load()
    mirrors = machine_mirrors()
    report("reading Debian's indexes")
    archive = open_archive(mirrors, content.archive_suites(), paths.indexes)
    report("choosing kernels")
    choice = choose_kernels(archive, content.kernel_series, paths.debs)
    report(describe(choice))
    report("bootstrapping the root of the bases")
    root.forget_outdated(paths.debian_root, archive)
    cache.ensure(
        paths.debian_root,
        cache.key_of(content.base, STABLE, catalogue.DROPPED),
        lambda half: root.bootstrap(mirrors, content, half),
    )
    base = root.installed(paths.debian_tree, archive)
    packages = DebianPackages(base, content)
    workshop = Workshop(paths=paths, catalogue=content, packages=packages, key=key)
    work = plan_jobs(workshop, archive, choice, base)
    report(f"converting {len(work)} packages")
    for name, files in jobs.run_all(work, report).items():
        report(f"repository {name}: {len(files)} packages")
        make_repository(paths.rpms / name, files, key)
    _write_record(folder, choice, base, workshop)


def choose_kernels(archive: Archive, series: str, debs: Path) -> Choice:
    """Choose the lab's kernels from what the archive has today."""

    def builds(kernel: Kernel) -> bool:
        common = kernel.headers[0]
        file = download([common], debs)[common.file_name]
        return kernels.resize_arguments(file) == kernels.ARGUMENTS_OF_NVIDIA_550

    return kernels.choose(kernels.found(archive), series, builds)


def describe(choice: Choice) -> str:
    """Return one line on which kernel plays which part."""
    down = choice.down.release if choice.down else "none left in the archive"
    newest = ", ".join(kernel.release for kernel in choice.fedora)
    return (
        f"kernels: image {choice.image.release}, up {choice.up.release}, down {down}, "
        f"between {', '.join(each.release for each in choice.between) or 'none'}, Fedora {newest}"
    )


def plan_jobs(workshop: Workshop, archive: Archive, choice: Choice, base: list[Deb]) -> list[Job]:
    """Return every conversion, the long ones first."""
    placed = {deb.name: (deb, "baseos") for deb in base}
    wanted = dict(workshop.catalogue.repositories)
    compilers = {kernel_rpms.compiler(kernel) for kernel in (*choice.el, *choice.fedora)}
    wanted["appstream"] = (*wanted["appstream"], *sorted(compilers - {"gcc"}))
    for repository, names in (*wanted.items(), *module_families.needed()):
        for deb in closure.extend(workshop.packages, archive, names):
            placed[deb.name] = (deb, repository)
    plain = [
        jobs.plain_job(workshop, deb, (repository, *_fedora(repository)))
        for deb, repository in placed.values()
    ]
    return [*_kernel_jobs(workshop, choice), *module_families.jobs(workshop, archive), *plain]


def _fedora(repository: str) -> Iterable[str]:
    return (FEDORA[repository],) if repository in FEDORA else ()


def _kernel_jobs(workshop: Workshop, choice: Choice) -> list[Job]:
    found = [kernel_job(workshop, kernel, "baseos", "appstream") for kernel in choice.el]
    for kernel, home in zip(choice.fedora, ("fedora-updates", "fedora"), strict=False):
        found.append(kernel_job(workshop, kernel, home, home))
    return found


def kernel_job(
    workshop: Workshop, kernel: Kernel, home: str, devel_home: str, *, cut: Cut | None = None
) -> Job:
    """Describe the making of a kernel's packages, and which repositories get them."""
    image = (kernel.image, *kernel.parts)
    debs = (*image, *kernel.headers)

    def make_folder(folder: Path) -> None:
        files = workshop.download(debs)
        inputs = kernel_rpms.Files(
            image=tuple(files[deb.file_name] for deb in image),
            headers=tuple(files[deb.file_name] for deb in kernel.headers),
        )
        kernel_rpms.build(kernel, inputs, folder, workshop.key, cut=cut)

    def make() -> list[Path]:
        digests = [deb.fields["sha256"] for deb in debs]
        if cut is None:
            return workshop.cached(f"kernel-{kernel.release}", digests, make_folder)
        inputs = (digests, cut.suffix, cut.kept)
        return workshop.cached(f"kernel-{kernel.release}.{cut.suffix}", inputs, make_folder)

    def place(rpm: Path) -> tuple[str, ...]:
        return (devel_home if rpm.name.startswith("kernel-devel") else home,)

    return Job(name=f"kernel {kernel.release}", place=place, make=make)


def _write_record(folder: Path, choice: Choice, base: list[Deb], workshop: Workshop) -> None:
    document = {
        "el_kernel": choice.image.image.version,
        "fedora_kernel": choice.fedora[0].image.version,
        "base_packages": [convert.rpm_file_name(deb, workshop.catalogue) for deb in base],
        "kernels": {
            "image": choice.image.release,
            "up": choice.up.release,
            "down": choice.down.release if choice.down else None,
            "between": [kernel.release for kernel in choice.between],
            "fedora": [kernel.release for kernel in choice.fedora],
        },
    }
    (folder / "made.json").write_text(json.dumps(document, indent=2) + "\n")
