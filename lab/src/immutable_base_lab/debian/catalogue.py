"""What the lab takes from Debian, and its names in EL: the content of catalogue.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from immutable_base_lab.debian.archive import Suite

DROPPED = (
    "usr/share/doc/*", "usr/share/man/*", "usr/share/info/*", "usr/share/locale/*",
    "usr/share/lintian/*", "usr/share/bug/*", "usr/share/doc-base/*", "usr/share/menu/*",
    "usr/share/initramfs-tools/*", "etc/init.d/*", "etc/apt/*", "etc/kernel/*",
    "etc/cron.daily/apt-compat", "usr/lib/cni/*", "usr/lib/udev/hwdb.d/20-*.hwdb",
    "usr/libexec/gcc/*/*/lto1", "usr/bin/*-lto-dump-*", "usr/lib/binfmt.d/*",
)  # fmt: skip
"""What no image of the lab has, as patterns of dpkg's `path-exclude`: documentation (as with rpm's
`nodocs`), Debian's own bookkeeping, and what is large and never asked for: the network plugins that
podman no longer uses, the names of every maker of hardware, a second compiler, of LTO. Programs of
Python's that start by themselves (binfmt.d) are Debian's idea alone."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Change(_Strict):
    """What differs from the plain translation of one Debian package."""

    requires: tuple[str, ...] | None = None
    """Replaces the translated dependencies."""
    also_requires: tuple[str, ...] = ()
    """EL names, on top of the translated dependencies."""
    provides: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Paths that are left out."""
    links: Mapping[str, str] = {}
    """Symbolic links that Debian's alternatives would make: path to target."""
    moved: Mapping[str, str] = {}
    """Paths that EL names otherwise: old to new."""
    copies: Mapping[str, str] = {}
    """Configuration that Debian's scripts put in place: path to its origin."""
    files: Mapping[str, str] = {}
    """Small files that are added: path to content."""


class SuiteEntry(_Strict):
    """A suite and the components that are read."""

    name: str
    components: tuple[str, ...]


class Distribution(_Strict):
    """One distribution that the lab stands in for."""

    id: str
    version_id: str
    name: str
    release_package: str
    repos_package: str
    reference: str
    """Repository and tag in the registry."""
    repositories: Mapping[str, str]
    """Repository id to the name that people read."""


class Catalogue(_Strict):
    """The whole file."""

    suites: tuple[SuiteEntry, ...]
    zfs_series: str
    kernel_series: str
    ignored: frozenset[str]
    base: tuple[str, ...]
    names: Mapping[str, str]
    repositories: Mapping[str, tuple[str, ...]]
    """Repository id to the Debian packages whose closure it starts with."""
    changes: Mapping[str, Change]
    streams: Mapping[str, Distribution]

    def rpm_name(self, debian: str) -> str:
        """Return EL's name of a Debian package."""
        return self.names.get(debian, debian)

    def change(self, debian: str) -> Change:
        """Return what differs for a Debian package."""
        return self.changes.get(debian, Change())

    def archive_suites(self) -> tuple[Suite, ...]:
        """Return the suites to read."""
        return tuple(Suite(name=entry.name, components=entry.components) for entry in self.suites)


@lru_cache(maxsize=1)
def load() -> Catalogue:
    """Read the catalogue that is part of the package."""
    text = files("immutable_base_lab.debian").joinpath("catalogue.toml").read_text()
    return Catalogue.model_validate(tomllib.loads(text))
