"""The part of libsolv that we use, with types; nothing here knows about plans.

libsolv's Python module carries no types, so this is the one place where `Any` enters; the
protocols state what we rely on. The module is imported when it is first needed: `--help` must
not pay for it.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any, Protocol


class MetadataChecksum(Protocol):
    """A checksum as metadata states it."""

    def typestr(self) -> str:
        """Return the algorithm's name, e.g. `sha256`."""

    def hex(self) -> str:
        """Return the digest in lower-case hexadecimal digits."""


class Dep(Protocol):
    """A dependency: a name, or a name with a relation."""

    id: int

    def str(self) -> str:
        """Return it as rpm prints it."""


class Solvable(Protocol):
    """A package, installed or available."""

    id: int
    name: str
    nameid: int
    evr: str
    evrid: int
    arch: str
    archid: int
    repo: Repo

    def evrcmp(self, other: Solvable) -> int:
        """Return -1, 0 or 1 by rpm's order."""

    def lookup_idarray(self, key: int, marker: int) -> list[int]:
        """Return dependency ids; marker 0 means all."""

    def lookup_deparray(self, key: int, marker: int) -> list[Dep]:
        """Return dependencies; marker 0 means all."""

    def add_deparray(self, key: int, dep: int, marker: int) -> None:
        """Append one dependency."""

    def lookup_location(self) -> tuple[str | None, int]:
        """Return the file's place below the repository, and a medium number."""

    def lookup_checksum(self, key: int) -> MetadataChecksum | None:
        """Return a checksum."""

    def lookup_num(self, key: int, default: int = 0) -> int:
        """Return a number."""

    def lookup_str(self, key: int) -> str | None:
        """Return a text."""

    def Dataiterator(self, key: int) -> Iterator:  # noqa: N802  libsolv's own
        """Search its own data."""


class Position(Protocol):
    """A place inside a repository's own data."""

    def lookup_str(self, key: int) -> str | None:
        """Return a text."""

    def lookup_checksum(self, key: int) -> MetadataChecksum | None:
        """Return a checksum."""

    def lookup_num(self, key: int) -> int:
        """Return a number."""


class Match(Protocol):
    """One hit of an iterator."""

    def parentpos(self) -> Position:
        """Return the record that holds the hit."""


class Iterator(Protocol):
    """An iterator over a repository's own data."""

    def prepend_keyname(self, key: int) -> None:
        """Look inside the arrays of this name."""

    def __iter__(self) -> Iterator:
        """Return itself."""

    def __next__(self) -> Match:
        """Return the next hit."""


class Repo(Protocol):
    """A set of packages with one origin."""

    name: str
    solvables: Iterable[Solvable]
    nsolvables: int
    meta: Position

    def add_solvable(self) -> Solvable:
        """Append an empty package."""

    def add_rpmmd(self, file: File, language: str | None, flags: int = 0) -> bool:
        """Read primary.xml, or filelists.xml as an extension."""

    def add_updateinfoxml(self, file: File) -> bool:
        """Read updateinfo.xml: every advisory becomes a package `patch:ID`."""

    def add_solv(self, file: File) -> bool:
        """Read libsolv's own form."""

    def write(self, file: File) -> bool:
        """Write libsolv's own form."""

    def add_repomdxml(self, file: File) -> bool:
        """Read repomd.xml."""

    def Dataiterator_meta(self, key: int, match: str, flags: int) -> Iterator:  # noqa: N802  libsolv's own
        """Search the repository's own data."""

    def free(self, reuse_ids: bool) -> None:  # noqa: FBT001  libsolv's own
        """Remove the packages."""


class File(Protocol):
    """An open file of libsolv."""

    def close(self) -> None:
        """Close it."""


class RuleInfo(Protocol):
    """Why a rule exists."""

    type: int
    dep_id: int

    def problemstr(self) -> str:
        """Return libsolv's sentence."""


class Rule(Protocol):
    """A rule that cannot hold."""

    def allinfos(self) -> list[RuleInfo]:
        """Return every reason of the rule."""


class Problem(Protocol):
    """A contradiction among what was asked for."""

    def findallproblemrules(self, unfiltered: bool = ...) -> list[Rule]:  # noqa: FBT001  libsolv's own
        """Return the rules that contradict each other."""


class SolverTransaction(Protocol):
    """What a solution changes."""

    def newsolvables(self) -> list[Solvable]:
        """Return packages that come in."""

    def steps(self) -> list[Solvable]:
        """Return every package that changes."""


class Solver(Protocol):
    """Solves one set of jobs."""

    def set_flag(self, flag: int, value: int) -> int:
        """Change a policy."""

    def solve(self, jobs: Sequence[object]) -> list[Problem]:
        """Return the problems, none when there is a solution."""

    def transaction(self) -> SolverTransaction:
        """Return the solution."""


class Pool(Protocol):
    """All packages that a solver may use."""

    installed: Repo | None
    errstr: str
    """libsolv's own message about the last error."""

    def setdisttype(self, kind: int) -> int:
        """Choose rpm's rules."""

    def setarch(self, arch: str) -> None:
        """Choose the architecture."""

    def add_repo(self, name: str) -> Repo:
        """Return a new, empty repository."""

    def addfileprovides_queue(self) -> list[int]:
        """Turn files that something requires into provides; return their ids."""

    def createwhatprovides(self) -> None:
        """Index what the considered packages provide."""

    def set_considered_list(self, ids: list[int]) -> None:
        """Hide every other package."""

    def whatprovides(self, dep: Dep) -> list[Solvable]:
        """Return considered packages that provide a dependency."""

    def id2solvable(self, number: int) -> Solvable:
        """Return a package by number."""

    def id2str(self, number: int) -> str:
        """Return a plain name by number."""

    def dep2str(self, number: int) -> str:
        """Return a dependency as text."""

    def str2id(self, text: str) -> int:
        """Return the number of a name."""

    def rel2id(self, name: int, evr: int, flags: int) -> int:
        """Return the number of a relation."""

    def parserpmrichdep(self, text: str) -> Dep | None:
        """Parse `(a if b)`; None when it is malformed."""

    def Dep(self, text: str) -> Dep:  # noqa: N802  libsolv's own
        """Return a dependency by name."""

    def Job(self, how: int, what: int) -> object:  # noqa: N802  libsolv's own
        """Return a request."""

    def Solver(self) -> Solver:  # noqa: N802  libsolv's own
        """Return a new solver."""


@functools.cache
def _module() -> ModuleType:
    return importlib.import_module("solv")


def library() -> Any:  # noqa: ANN401  the library has no types
    """Return libsolv's Python module."""
    return _module()


def new_pool() -> Pool:
    """Return an empty pool with rpm's rules for x86_64."""
    solv = library()
    pool: Pool = solv.Pool()
    pool.setdisttype(solv.Pool.DISTTYPE_RPM)
    pool.setarch("x86_64")
    return pool


def open_file(path: str) -> File | None:
    """Open a file for libsolv, decompressed by its suffix; None when it cannot be opened."""
    opened: File | None = library().xfopen(path)
    return opened
