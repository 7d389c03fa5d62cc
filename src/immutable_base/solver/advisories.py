"""Security advisories of a repository: its updateinfo.xml, read by libsolv."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from immutable_base.repository import compression
from immutable_base.solver.pool import UnreadableRepositoryError
from immutable_base.tools import libsolv

SECURITY = "security"
"""Type of an update. Source: createrepo_c, `cr_UpdateRecord`; dnf's `--security` asks for it."""
PATCH = "patch:"
"""Begins libsolv's name of an advisory."""
CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")
"""Source: CVE numbering, syntax since 2014."""
WITH_TITLES = frozenset({"cve", "bugzilla"})
"""Types of references that name CVEs: in their id, or (Fedora) in the title of a bug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPackage:
    """A package that an advisory names."""

    name: str
    arch: str
    evr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """A security advisory."""

    id: str
    severity: str
    cves: tuple[str, ...]
    packages: tuple[NamedPackage, ...]


def read_advisories(repository: str, path: Path) -> tuple[Advisory, ...]:
    """Return a repository's security advisories; other updates are left out.

    `path` is verified. Raises UnreadableRepositoryError if libsolv cannot read it.
    """
    pool = libsolv.new_pool()  # Owns the repo: it must live as long.
    repo = pool.add_repo(repository)
    with compression.readable(path) as plain:
        file = libsolv.open_file(str(plain))
        fine = file is not None and repo.add_updateinfoxml(file)
        if file is not None:
            file.close()
    if not fine:
        raise UnreadableRepositoryError(repository, pool.errstr)
    return tuple(_advisory(item) for item in repo.solvables if _is_about_security(item))


def _is_about_security(item: libsolv.Solvable) -> bool:
    kind = item.lookup_str(libsolv.library().SOLVABLE_PATCHCATEGORY)
    return item.name.startswith(PATCH) and kind == SECURITY


def _advisory(item: libsolv.Solvable) -> Advisory:
    solv = libsolv.library()
    return Advisory(
        id=item.name.removeprefix(PATCH),
        severity=item.lookup_str(solv.UPDATE_SEVERITY) or "",
        cves=tuple(sorted({name for text in _references(item) for name in CVE.findall(text)})),
        packages=tuple(dict.fromkeys(_packages(item))),
    )


def _references(item: libsolv.Solvable) -> Iterator[str]:
    solv = libsolv.library()
    for place in _records(item, solv.UPDATE_REFERENCE, solv.UPDATE_REFERENCE_TYPE):
        if (place.lookup_str(solv.UPDATE_REFERENCE_TYPE) or "").lower() in WITH_TITLES:
            yield place.lookup_str(solv.UPDATE_REFERENCE_ID) or ""
            yield place.lookup_str(solv.UPDATE_REFERENCE_TITLE) or ""


def _packages(item: libsolv.Solvable) -> Iterator[NamedPackage]:
    solv = libsolv.library()
    for place in _records(item, solv.UPDATE_COLLECTION, solv.UPDATE_COLLECTION_NAME):
        name = place.lookup_str(solv.UPDATE_COLLECTION_NAME)
        arch = place.lookup_str(solv.UPDATE_COLLECTION_ARCH)
        evr = place.lookup_str(solv.UPDATE_COLLECTION_EVR)
        if name and arch and evr:
            yield NamedPackage(name=name, arch=arch, evr=evr)


def _records(item: libsolv.Solvable, array: int, key: int) -> Iterator[libsolv.Position]:
    """Yield every record of an array, found by one key that each of them has."""
    found = item.Dataiterator(key)
    found.prepend_keyname(array)
    for hit in found:
        yield hit.parentpos()
