"""Which Debian packages a repository needs so that everything in it can be installed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from immutable_base.errors import ConfigurationError
from immutable_base_lab.debian.archive import STABLE, Archive, Deb, DebianRelation
from immutable_base_lab.rpms.convert import DebianPackages


def extend(packages: DebianPackages, archive: Archive, names: Iterable[str]) -> list[Deb]:
    """Add packages and all that they depend on; return what was added.

    Raises ConfigurationError if a package does not exist.
    """
    added: list[Deb] = []
    waiting = deque(names)
    while waiting:
        name = waiting.popleft()
        if name in packages:
            continue
        deb = archive.newest(name, STABLE)
        if deb is None:
            raise ConfigurationError(
                f"Debian has no package {name}",
                hint="correct lab/src/immutable_base_lab/debian/catalogue.toml",
            )
        packages.add(deb)
        added.append(deb)
        waiting += missing(packages, archive, deb)
    return added


def missing(packages: DebianPackages, archive: Archive, deb: Deb) -> list[str]:
    """Return the packages that must be added for the dependencies of one package."""
    if packages.has_own_requires(deb):
        return []
    groups = deb.relations("pre-depends", "depends")
    open_groups = [
        group for group in groups if not packages.ignored(group) and packages.chosen(group) is None
    ]
    return [_pick(archive, group, deb) for group in open_groups]


def _pick(archive: Archive, group: tuple[DebianRelation, ...], deb: Deb) -> str:
    for relation in group:
        if archive.newest(relation.name, STABLE) is not None:
            return relation.name
    for relation in group:
        for provider in archive.providers(relation.name):
            if provider.suite in STABLE:
                return provider.name
    raise ConfigurationError(
        f"nothing in Debian satisfies {' | '.join(relation.name for relation in group)}, "
        f"which {deb.name} needs",
        hint="ignore or replace the dependency in lab/src/immutable_base_lab/debian/catalogue.toml",
    )
