"""A disk with an image on it, as a host has it: a deployment of ostree's in an ext4 file system."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import CheckError, CommandError
from immutable_base.image.program import MountedImage
from immutable_base.process import Command, Runner
from immutable_base.tools import bwrap, ostree

SYSROOT, LAYOUT = "/run/sysroot", "/run/image"
"""Where the image's own programs see the new root and the image."""
POLICY = (
    '{"default":[{"type":"reject"}],"transports":{"oci":{"":[{"type":"insecureAcceptAnything"}]}}}'
)
"""Of the installation alone: the layout's bytes were compared with the documents before."""
FREE_MIB = 2048
"""Space that the machine finds on its disk beside the image."""
_FIELD = re.compile(r"^(?P<key>\S+)[ \t]+(?P<value>.*)$", re.MULTILINE)
_VERSION = re.compile(r"^version (?P<number>[0-9]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BootEntry:
    """What a boot loader would start. Source: the UAPI Group's Boot Loader Specification."""

    kernel: str
    """Path below the file system of /boot."""
    initramfs: str
    arguments: str


def install(
    image: MountedImage, layout: Path, sysroot: Path, *, origin: str, arguments: Sequence[str]
) -> BootEntry:
    """Deploy an image from its layout into an empty folder; return what is to be started.

    `origin`: where the host will look for updates, as ostree writes image references. Raises
    CheckError if the image cannot be installed.
    """
    if not ostree.has_container(image.root):
        raise CheckError(
            f"the image has no /{ostree.CONTAINER}: no host could be installed or upgraded with it",
            hint="bootc and rpm-ostree bring it along",
        )
    sysroot.mkdir(parents=True)
    policy = sysroot.with_name("policy.json")
    policy.write_text(POLICY)
    surroundings = bwrap.SharedFiles(
        readable={layout: LAYOUT, policy: "/etc/containers/policy.json"},
        writable={sysroot: SYSROOT},
        network=False,
    )
    source = f"ostree-unverified-image:oci:{LAYOUT}"
    deploy = ostree.deploy_command(SYSROOT, source=source, origin=origin, arguments=arguments)
    for command in (*ostree.init_commands(SYSROOT), deploy):
        try:
            bwrap.run_in_root(image.run, image.root, command, surroundings=surroundings)
        except CommandError as error:
            raise CheckError(
                "the image cannot be installed", details=error.details or error.message
            ) from error
    return newest_entry(sysroot / "boot/loader/entries")


def newest_entry(folder: Path) -> BootEntry:
    """Return the entry that a boot loader starts by itself: the one of the highest version.

    Raises CheckError if there is none that can be started.
    """
    return entries(path.read_text() for path in folder.glob("*.conf"))[0]


def entries(texts: Iterable[str]) -> tuple[BootEntry, ...]:
    """Return the entries that a boot loader offers, the one that it starts by itself first.

    Raises CheckError if there is none, or one that cannot be started.
    """
    found = tuple(parse_entry(text) for text in sorted(texts, key=_version, reverse=True))
    if not found:
        raise CheckError("the installed image has no boot entry: does it have a kernel?")
    return found


def parse_entry(text: str) -> BootEntry:
    """Read a boot entry. Raises CheckError if a part is missing."""
    fields = {found["key"]: found["value"].strip() for found in _FIELD.finditer(text)}
    missing = [key for key in ("linux", "initrd", "options") if not fields.get(key)]
    if missing:
        raise CheckError(f"the boot entry of the installed image has no {' and no '.join(missing)}")
    return BootEntry(
        kernel=fields["linux"], initramfs=fields["initrd"], arguments=fields["options"]
    )


def _version(text: str) -> int:
    found = _VERSION.search(text)
    return int(found["number"]) if found else 0


def make_file_system(run: Runner, folder: Path, disk: Path, *, free_mib: int = FREE_MIB) -> None:
    """Write a disk image that holds a folder, and remove the folder. Raises CommandError."""
    used = run(Command(argv=("du", "--summarize", "--block-size=1M", str(folder)), timeout=300))
    size = int(used.text.split()[0]) * 11 // 10 + free_mib
    with disk.open("wb") as file:
        file.truncate(size << 20)
    argv = ("mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", str(folder), str(disk))
    run(Command(argv=argv, timeout=900))
    remove_sysroot(run, folder)


def remove_sysroot(run: Runner, folder: Path) -> None:
    """Remove a sysroot, whose deployments ostree has made immutable where the disk can."""
    if folder.exists():
        deployments = [str(path) for path in folder.glob("ostree/deploy/*/deploy/*.[0-9]*")]
        flags = Command(argv=("chattr", "-i", *deployments), timeout=60, ok=frozenset({0, 1}))
        if deployments:
            run(flags)
        shutil.rmtree(folder)


def read_boot(run: Runner, disk: Path, folder: Path) -> tuple[BootEntry, ...]:
    """Copy /boot out of a disk image into a folder, without mounting it; return its entries.

    After an upgrade that is the new deployment, then the one to roll back to. Raises CommandError,
    CheckError. Source: debugfs(8).
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(Command(argv=("debugfs", "-R", f"rdump /boot {folder}", str(disk)), timeout=120))
    return entries(path.read_text() for path in folder.glob("boot/loader/entries/*.conf"))
