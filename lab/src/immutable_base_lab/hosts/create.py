"""Making a host: an image from a registry, installed on a disk as `immutable-base boot` does it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immutable_base.boot import disk
from immutable_base.boot.boot_image import install_disk
from immutable_base.boot.machine import choose_accelerator
from immutable_base.errors import NoSuchImageError
from immutable_base.image.program import mounted_image
from immutable_base.model.reference import Reference
from immutable_base.process import LineSink, run
from immutable_base.tools import buildah, skopeo, ssh
from immutable_base.tools.qemu import BootFiles
from immutable_base.workspace import exclusive
from immutable_base_lab.core.files import remove
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.hosts.decide import require_name, require_new, require_short
from immutable_base_lab.hosts.folder import HostFolder, HostRecord, all_hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHost:
    """A host to make."""

    name: str
    image: str
    """Reference in a registry."""
    memory_mib: int
    cores: int


def create(paths: LabPaths, new: NewHost, env: Mapping[str, str], report: LineSink) -> HostFolder:
    """Make a host: its disk, its key and its record; whole, or nothing of it.

    `env` says which CAs to trust. To be called where mounts and processes end with the caller
    (process.run_contained). Raises ConfigurationError for a name that cannot be or is taken,
    NoSuchImageError, RemoteError, CheckError for an image that is no host, CommandError.
    """
    require_name(new.name)
    folder = HostFolder(path=paths.hosts / new.name)
    require_short(str(folder.console_socket))
    with exclusive(paths.hosts, option="--state"):
        require_new(new.name, all_hosts(paths))
        half = paths.hosts / ".half"
        _remove_half(half)
        half.mkdir()
        try:
            record = _install(new, half, env, report)
            ssh.kept_key(run, half / folder.key.name)
            HostFolder(path=half).write(record)
            half.rename(folder.path)
        finally:
            _remove_half(half)
    return folder


def _install(new: NewHost, half: Path, env: Mapping[str, str], report: LineSink) -> HostRecord:
    report(f"fetching {new.image}")
    if skopeo.manifest_digest(run, new.image, env) is None:
        raise NoSuchImageError(
            f"the registry has no image {new.image}",
            hint="`immutable-base run` publishes the lab's variants",
        )
    digest = skopeo.resolve(run, new.image, env).digest
    layout = half / "image"
    skopeo.fetch(run, Reference.parse(new.image).pinned(digest), layout, env)
    report("installing")
    files = install(layout, half, origin=new.image)
    # Each start reads them from the disk, as a boot loader does.
    for leftover in (layout, files.image, files.initramfs):
        remove(leftover)
    return HostRecord(
        image=new.image, digest=digest, memory_mib=new.memory_mib, cores=new.cores,
        accelerator=choose_accelerator(),
    )  # fmt: skip


def install(layout: Path, folder: Path, *, origin: str) -> BootFiles:
    """Install the image of a layout on a disk in a folder; return what starts it.

    `origin`: where the host will look for updates. Raises CheckError if it is no host's image.
    """
    storage = buildah.Storage(run, folder / "storage")
    try:
        with mounted_image(storage, buildah.pull_layout(storage, layout)) as image:
            root = HostFolder(path=folder).disk
            return install_disk(run, image, layout, root, origin=origin)
    finally:
        for leftover in (storage.root, storage.run_root, folder / "policy.json"):
            remove(leftover)


def _remove_half(half: Path) -> None:
    """Remove what a killed command has left; its mounts and processes have ended with it."""
    disk.remove_sysroot(run, half / "sysroot")
    shutil.rmtree(half, ignore_errors=True)


def remove_host(paths: LabPaths, folder: HostFolder) -> None:
    """Remove a host that is not running."""
    with exclusive(paths.hosts, option="--state"):
        folder.end_machines()
        shutil.rmtree(folder.path)
