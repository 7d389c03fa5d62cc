"""Debian archives that hold what a test wants."""

from __future__ import annotations

from immutable_base_lab.debian.archive import Archive, Deb


def archive_of_kernels(*kernels: tuple[str, str, bool]) -> Archive:
    """Return an archive with kernels: release, version, and whether the headers are there."""
    debs = []
    for release, version, complete in kernels:
        abi = release.removesuffix("-amd64")
        names = [f"linux-image-{release}"]
        if complete:
            names += [
                f"linux-headers-{release}",
                f"linux-headers-{abi}-common",
                f"linux-kbuild-{abi}",
            ]
        debs += [
            Deb(
                name=name,
                suite="trixie",
                base_uri="http://mirror.invalid",
                stanza=f"Package: {name}\nVersion: {version}\n",
            )
            for name in names
        ]
    return Archive(debs)
