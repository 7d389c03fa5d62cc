"""The lab's kernels: chosen from what Debian's archive has today."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from debian.debian_support import Version

from immutable_base.errors import HostError
from immutable_base.process import Command, run
from immutable_base_lab.debian.archive import Archive, Deb

IMAGE = re.compile(r"linux-image-(?P<release>\d[^~]*\+deb\d+(?:\.\d+)?-amd64)")
RESIZE = re.compile(r"\bpci_resize_resource\s*\((?P<parameters>[^;{]*)\)\s*;")
# NVIDIA 550 calls the function with three arguments; the stable backport added a fourth
# (nv-pci.c of 550.163.01; include/linux/pci.h of 6.12.95 and 6.12.107).
ARGUMENTS_OF_NVIDIA_550 = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One kernel of Debian, with its headers if they are still there."""

    release: str
    """What `uname -r` prints."""
    image: Deb
    parts: tuple[Deb, ...] = ()
    """Since Linux 7 Debian's linux-image is empty and depends on these, which hold the files."""
    headers: tuple[Deb, ...] = ()
    """linux-headers, linux-headers-common and linux-kbuild; empty if any of them is gone."""

    @property
    def version(self) -> Version:
        """Debian's version, which orders kernels."""
        return Version(self.image.version)

    @property
    def upstream(self) -> str:
        """The upstream version."""
        return str(self.version.upstream_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which kernel plays which part in the lab."""

    image: Kernel
    """Installed in the EL base; its kernel-devel is nowhere."""
    up: Kernel
    """The newest complete one."""
    down: Kernel | None
    """The newest complete one on which NVIDIA 550 builds; None if the archive has none left."""
    between: tuple[Kernel, ...]
    """Complete, newer than the image's, refused by NVIDIA 550."""
    fedora: tuple[Kernel, ...]
    """Complete ones for Fedora, newest first; the first is installed in the Fedora base."""

    @property
    def el(self) -> tuple[Kernel, ...]:
        """Every kernel of the EL repositories, newest first."""
        found = {each.release: each for each in (self.up, *self.between, self.image)}
        if self.down is not None:
            found[self.down.release] = self.down
        return tuple(sorted(found.values(), key=lambda each: each.version, reverse=True))


def found(archive: Archive) -> list[Kernel]:
    """Return every kernel of the plain amd64 flavour, newest first."""
    kernels = []
    for name in archive.names():
        match = IMAGE.fullmatch(name)
        image = archive.newest(name) if match else None
        if match and image is not None:
            release = match["release"]
            kernels.append(
                Kernel(
                    release=release,
                    image=image,
                    parts=_parts(archive, release, image),
                    headers=_headers(archive, release, image),
                )
            )
    return sorted(kernels, key=lambda each: each.version, reverse=True)


def _parts(archive: Archive, release: str, image: Deb) -> tuple[Deb, ...]:
    names = (f"linux-{part}-{release}" for part in ("base", "binary", "modules"))
    debs = [archive.exact(name, image.version) for name in names]
    return tuple(deb for deb in debs if deb is not None)


def _headers(archive: Archive, release: str, image: Deb) -> tuple[Deb, ...]:
    abi = release.removesuffix("-amd64")
    names = (f"linux-headers-{abi}-common", f"linux-headers-{release}", f"linux-kbuild-{abi}")
    debs = [archive.exact(name, image.version) for name in names]
    present = [deb for deb in debs if deb is not None]
    return tuple(present) if len(present) == len(names) else ()


def choose(kernels: Iterable[Kernel], series: str, builds: Callable[[Kernel], bool]) -> Choice:
    """Give each part of the lab its kernel; `builds` tells whether NVIDIA 550 builds on one.

    Raises HostError if the archive lacks a complete kernel, or one without headers, of the series.
    """
    ordered = sorted(kernels, key=lambda each: each.version, reverse=True)
    same = [each for each in ordered if each.upstream.startswith(f"{series}.")]
    complete = _one_per_upstream(each for each in same if each.headers)
    newer = [each for each in ordered if each.headers and each not in same]
    if not complete or not newer:
        raise HostError(
            f"Debian's archive has no complete kernel of {series} or none newer than that series",
            hint="let lab/src/immutable_base_lab/debian/catalogue.toml follow the archive",
        )
    up = complete[0]
    down = next((each for each in complete if builds(each)), None)
    image = _image(same, up, down)
    between = [each for each in complete if image.version < each.version < up.version]
    return Choice(
        image=image, up=up, down=down, between=tuple(between[:1]), fedora=tuple(newer[:2])
    )


def _one_per_upstream(kernels: Iterable[Kernel]) -> list[Kernel]:
    """Keep the newest build of each upstream version."""
    kept: dict[str, Kernel] = {}
    for kernel in kernels:
        kept.setdefault(kernel.upstream, kernel)
    return list(kept.values())


def _image(same: list[Kernel], up: Kernel, down: Kernel | None) -> Kernel:
    """Return the newest kernel without headers between `down` and `up`."""
    upstreams_with_headers = {each.upstream for each in same if each.headers}
    bare = [
        each for each in same
        if each.upstream not in upstreams_with_headers and each.version < up.version
        and (down is None or down.version < each.version)
    ]  # fmt: skip
    if not bare:
        raise HostError(
            f"Debian's archive has no kernel without headers older than {up.release}",
            hint="the stand-in base needs one whose kernel-devel has gone; try again another day",
        )
    return bare[0]


def resize_arguments(headers_common: Path) -> int:
    """Return how many parameters pci_resize_resource has in a linux-headers-*-common package.

    Raises HostError if the package does not declare the function.
    """
    content = run(
        Command(argv=("dpkg-deb", "--fsys-tarfile", str(headers_common)), timeout=120)
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            if member.name.endswith("/include/linux/pci.h"):
                handle = archive.extractfile(member)
                match = RESIZE.search(handle.read().decode() if handle else "")
                if match:
                    return match["parameters"].count(",") + 1
    raise HostError(f"{headers_common.name} does not declare pci_resize_resource")
