"""Everything that a stream's variants may install, in one libsolv pool."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

from immutable_base.errors import VerificationError
from immutable_base.image.rpmdb import Installed, Relation
from immutable_base.model.evr import Evr, MalformedVersionError, Nevra
from immutable_base.model.plan import LOCAL, Package
from immutable_base.repository import compression
from immutable_base.repository.metadata import Metadata
from immutable_base.solver import cache
from immutable_base.solver.checksum import checksum_of
from immutable_base.tools import libsolv

log = logging.getLogger(__name__)

ARCHITECTURES = frozenset({"x86_64", "noarch"})
ROOM = 10_000
"""Packages that may come after the first `consider`: copies of the installed, and promised ones."""
ALL = 0
"""libsolv's marker for every dependency of a kind, before and after the file marker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """A package that does not exist yet: what its builder will make."""

    nevra: Nevra
    provides: tuple[Relation, ...]
    requires: tuple[Relation, ...]


class Listed(NamedTuple):
    """A package of a repository, as its list names it."""

    id: int
    name: str
    version: str
    """Without epoch and release."""


FileLists = Callable[[str], Path | None]
"""Returns a repository's verified filelists by its id, None where it has none."""


class UnreadableRepositoryError(VerificationError):
    """The metadata of one repository is as its repomd.xml describes it, and yet no metadata."""

    def __init__(self, repository: str, details: str | None) -> None:
        super().__init__(
            f"the metadata of repository '{repository}' cannot be read", details=details
        )
        self.repository = repository


class PackagePool:
    """The base image's packages, every repository's, and the promised ones; no decisions here."""

    def __init__(
        self, metadata: Iterable[Metadata], base: Sequence[Installed], filelists: FileLists
    ) -> None:
        """Read verified metadata. Raises UnreadableRepositoryError if libsolv cannot."""
        self.pool = libsolv.new_pool()
        self._filelists: FileLists | None = filelists
        self._urls: dict[str, str] = {LOCAL: ""}
        self._ids: dict[str, Sequence[int]] = {}
        self._named: dict[tuple[str, ...], list[libsolv.Solvable]] = {}
        self._listed: dict[str, tuple[Listed, ...]] = {}
        self._packages: dict[int, Package] = {}
        self._repos: dict[str, libsolv.Repo] = {}
        for item in metadata:
            self._read(item)
        required_files = self._index_files()
        self._repos[LOCAL] = self.pool.add_repo(LOCAL)
        self.base: tuple[int, ...] = self._add_base(base, required_files)
        """Ids of what the base image has installed."""
        self._considered: frozenset[int] | None = None
        """None before libsolv has indexed what there is: a query would end this process then."""
        self._end_of_room = self._make_room()

    def size_of(self, repository: str) -> int:
        """Return the number of packages in a repository's metadata."""
        return self._repos[repository].nsolvables

    def ids(self, repositories: Iterable[str]) -> list[int]:
        """Return the ids of every package of some repositories; one that was skipped has none."""
        return list(chain.from_iterable(self._ids.get(name, ()) for name in repositories))

    def listed(self, repository: str) -> tuple[Listed, ...]:
        """Return every package of a repository; one that was skipped has none."""
        if repository not in self._listed:
            found = (self.solvable(number) for number in self._ids.get(repository, ()))
            self._listed[repository] = tuple(
                Listed(item.id, item.name, item.evr.rpartition(":")[2].rpartition("-")[0])
                for item in found
            )
        return self._listed[repository]

    def consider(self, ids: Iterable[int]) -> None:
        """Make these the only packages that queries and the solver take into account."""
        wanted = frozenset(ids)
        if wanted != self._considered:
            if max(wanted, default=0) >= self._end_of_room:
                raise ValueError(f"more than {ROOM} packages were added to the pool")
            self.pool.set_considered_list(list(wanted))
            self.pool.createwhatprovides()
            self._considered = wanted

    def reset_considered(self) -> None:
        """Index again at the next `consider`: packages came or went."""
        self._considered = None

    def solvable(self, number: int) -> libsolv.Solvable:
        """Return a package by id."""
        return self.pool.id2solvable(number)

    def named(self, name: str, repositories: Sequence[str]) -> list[libsolv.Solvable]:
        """Return every package of exactly this name for our architecture, newest first."""
        asked = (name, *repositories)
        if asked not in self._named:
            self.consider(self.ids(repositories))
            found = [
                item
                for item in self.providing(name)
                if item.name == name and item.arch in ARCHITECTURES
            ]
            self._named[asked] = sorted(found, key=cmp_to_key(_newest_first))
        return self._named[asked]

    def providing(self, name: str) -> list[libsolv.Solvable]:
        """Return the considered packages that provide a name."""
        return list(self.pool.whatprovides(self.pool.Dep(name)))

    def provided(self, solvable: libsolv.Solvable, name: str) -> list[str]:
        """Return the versions with which a package provides a name exactly (`name = version`)."""
        prefix = f"{name} = "
        provides = solvable.lookup_deparray(libsolv.library().SOLVABLE_PROVIDES, ALL)
        texts = [dep.str() for dep in provides]
        return [text.removeprefix(prefix) for text in texts if text.startswith(prefix)]

    def promise(self, promised: Promised) -> libsolv.Solvable:
        """Add a package that will be built, so that others can depend on it."""
        name, evr = promised.nevra.name, str(promised.nevra.evr)
        solvable = self._repos[LOCAL].add_solvable()
        self._describe(
            solvable,
            (name, evr, promised.nevra.arch),
            {
                "provides": (
                    Relation(name=name, comparison="=", evr=evr),
                    *promised.provides,
                ),
                "requires": promised.requires,
            },
        )
        self.reset_considered()
        return solvable

    def package(self, solvable: libsolv.Solvable) -> Package:
        """Return a package as the plan records it.

        Raises VerificationError if its repository describes it by no checksum that holds, or by a
        version or place that cannot be one.
        """
        try:
            if solvable.id not in self._packages:
                self._packages[solvable.id] = self._package(solvable)
            return self._packages[solvable.id]
        except (ValueError, MalformedVersionError) as error:
            raise VerificationError(
                f"repository '{solvable.repo.name}' describes {solvable.name} in a way that "
                f"cannot be: {error}"
            ) from error

    def _package(self, solvable: libsolv.Solvable) -> Package:
        solv = libsolv.library()
        repository = solvable.repo.name
        evr = Evr.parse(solvable.evr)
        local = repository == LOCAL
        # xml:base of a package replaces the repository's own place.
        place = solvable.lookup_str(solv.SOLVABLE_MEDIABASE) or self._urls[repository]
        location = solvable.lookup_location()[0] or ""
        return Package(
            name=solvable.name,
            epoch=evr.epoch,
            version=evr.version,
            release=evr.release,
            arch=solvable.arch,
            repository=repository,
            url="" if local else urljoin(place, location),
            checksum=None if local else checksum_of(solvable),
            size=solvable.lookup_num(solv.SOLVABLE_DOWNLOADSIZE),
            build_time=solvable.lookup_num(solv.SOLVABLE_BUILDTIME),
        )

    def load_filelists(self) -> bool:
        """Read every repository's complete lists of files; False if that was done before.

        Raises what loading them raises, UnreadableRepositoryError if libsolv cannot read them;
        whoever needs them next gets the same error.
        """
        if self._filelists is None:
            return False
        paths = {name: self._filelists(name) for name in self._repos if name != LOCAL}
        flags = int(libsolv.library().Repo.REPO_EXTEND_SOLVABLES)
        for name, path in paths.items():
            if path is not None:
                self._add(name, path, "FL", flags)
        self._filelists = None
        self._index_files()
        self.reset_considered()
        return True

    def _make_room(self) -> int:
        """Let libsolv's map of considered packages have room for what comes later; return its end.

        `set_considered_list` of the Python module (0.7.39) makes the map once, with a bit for each
        package of that moment, and writes past its end for those that come later.
        """
        room = self.pool.add_repo("room")
        numbers = [room.add_solvable().id for _ in range(ROOM)]
        self.pool.set_considered_list([])
        room.free(True)  # noqa: FBT003  libsolv's signature
        return numbers[-1]

    def _read(self, metadata: Metadata) -> None:
        name = metadata.source.id
        repo = self._repos[name] = self.pool.add_repo(name)
        if not cache.load_cached(repo, metadata.primary):
            self._add(name, metadata.primary, None, 0)
            cache.store(repo, metadata.primary)
        # Nothing else was added meanwhile, so the ids follow each other. Packages of other
        # architectures are among them: libsolv installs none, as `setarch` says.
        first = next((item.id for item in repo.solvables), 0)
        self._ids[name] = range(first, first + repo.nsolvables)
        self._urls[name] = metadata.url
        log.debug("repository %s: %d packages", name, repo.nsolvables)

    def _add(self, name: str, path: Path, language: str | None, flags: int) -> None:
        """Read primary metadata, or (language `FL`) filelists, into a repository."""
        try:
            with compression.readable(path) as plain:
                file = libsolv.open_file(str(plain))
                fine = file is not None and self._repos[name].add_rpmmd(file, language, flags)
                if file is not None:
                    file.close()
        except VerificationError as error:
            raise UnreadableRepositoryError(name, error.details or error.message) from error
        if not fine:
            raise UnreadableRepositoryError(name, self.pool.errstr)

    def _index_files(self) -> frozenset[str]:
        """Make provides of the files that some package requires, and return those files."""
        return frozenset(map(self.pool.id2str, self.pool.addfileprovides_queue()))

    def _add_base(
        self, base: Sequence[Installed], required_files: frozenset[str]
    ) -> tuple[int, ...]:
        repo = self.pool.add_repo("base image")
        numbers = []
        for item in base:
            files = sorted(item.files & required_files)
            solvable = repo.add_solvable()
            self._describe(
                solvable,
                (item.name, item.evr, item.arch),
                {
                    "provides": item.provides
                    + tuple(Relation(name=file, comparison="", evr="") for file in files),
                    "requires": item.requires,
                    "conflicts": item.conflicts,
                    "obsoletes": item.obsoletes,
                },
            )
            numbers.append(solvable.id)
        return tuple(numbers)

    def _describe(
        self,
        solvable: libsolv.Solvable,
        nevra: tuple[str, str, str],
        relations: Mapping[str, Sequence[Relation]],
    ) -> None:
        solvable.name, solvable.evr, solvable.arch = nevra
        keys = dependency_keys()
        for kind, items in relations.items():
            for relation in items:
                solvable.add_deparray(keys[kind], self._dependency(relation), ALL)

    def _dependency(self, relation: Relation) -> int:
        solv, pool = libsolv.library(), self.pool
        if relation.name.startswith("("):
            rich = pool.parserpmrichdep(relation.name)
            return rich.id if rich is not None else pool.str2id(relation.name)
        name = pool.str2id(relation.name)
        if not relation.comparison:
            return name
        signs = {"<": solv.REL_LT, "=": solv.REL_EQ, ">": solv.REL_GT}
        flags = sum(int(signs[sign]) for sign in relation.comparison)
        return pool.rel2id(name, pool.str2id(relation.evr), flags)


def dependency_keys() -> dict[str, int]:
    """Return libsolv's keys of the dependencies that decide what can be installed."""
    solv = libsolv.library()
    return {
        "provides": solv.SOLVABLE_PROVIDES,
        "requires": solv.SOLVABLE_REQUIRES,
        "conflicts": solv.SOLVABLE_CONFLICTS,
        "obsoletes": solv.SOLVABLE_OBSOLETES,
    }


def _newest_first(left: libsolv.Solvable, right: libsolv.Solvable) -> int:
    """Compare by version, then by the order of the repositories in the configuration."""
    return right.evrcmp(left) or left.id - right.id
