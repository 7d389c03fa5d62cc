"""Stand-in bootc bases: real dnf, rpm, systemd and ostree over Debian content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from immutable_base.process import LineSink
from immutable_base_lab.bases import release_packages, rootfs
from immutable_base_lab.bases.encapsulate import container_program, encapsulate
from immutable_base_lab.bases.labels import base_labels
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import SigningKey, signing_key
from immutable_base_lab.debian import catalogue
from immutable_base_lab.debian.catalogue import Distribution
from immutable_base_lab.programs import ostree

FORMAT = 7


def make_bases(paths: LabPaths, files_url: str, report: LineSink) -> None:
    """Make each stand-in base as an OCI folder, unless it is there.

    `files_url`: the address of `rpms/`, which goes into the base's .repo files. Needs the package
    repositories and the program ostree-ext-cli. Raises CommandError, HostError.
    """
    with signing_key(paths.rpm_key) as key:
        for name, stream in catalogue.load().streams.items():
            decides = cache.key_of(
                FORMAT, ostree.key(), key.fingerprint, stream.model_dump(), files_url,
                (paths.package_record / cache.KEY_FILE).read_text(),
            )  # fmt: skip
            cache.ensure(
                paths.bases / name,
                decides,
                _maker(paths, name, stream, files_url, key, report),
            )


def _maker(
    paths: LabPaths,
    name: str,
    stream: Distribution,
    files_url: str,
    key: SigningKey,
    report: LineSink,
) -> Callable[[Path], None]:
    def make_folder(folder: Path) -> None:
        tree = folder / "rootfs"
        report(f"base {stream.reference}: copying the root")
        rootfs.copy_root(paths.debian_tree, tree)
        own = folder / "rpms"
        own.mkdir()
        release_packages.release_rpm(stream, own, key)
        release_packages.repos_rpm(stream, files_url, own, key)
        release_packages.container_rpm(container_program(paths), own, key)
        report(f"base {stream.reference}: installing packages")
        epoch = rootfs.install(tree, _chosen(paths, name), own, key)
        report(f"base {stream.reference}: initramfs")
        rootfs.make_initramfs(tree, epoch)
        rootfs.shape(tree)
        report(f"base {stream.reference}: encapsulating")
        encapsulate(paths.debian_tree, paths.tools, folder, base_labels(stream, epoch), epoch)

    return make_folder


def _chosen(paths: LabPaths, name: str) -> list[Path]:
    """Return the RPMs of what the root holds, and of the base's kernel."""
    document = json.loads((paths.package_record / "made.json").read_text())
    home = paths.rpms
    chosen = [home / "baseos" / rpm for rpm in document["base_packages"]]
    where, version = (
        ("baseos", document["el_kernel"]) if name == "el10"
        else ("fedora-updates", document["fedora_kernel"])
    )  # fmt: skip
    return chosen + [home / where / f"{kernel}-{version}.x86_64.rpm" for kernel in rootfs.KERNEL]
