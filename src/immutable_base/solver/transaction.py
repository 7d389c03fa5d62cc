"""One transaction on one set of installed packages, solved as dnf would, but exactly repeatable.

No weak dependencies, nothing removed that was not named, nothing downgraded in silence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from immutable_base.errors import PlanError
from immutable_base.solver.pool import ALL, PackagePool, dependency_keys
from immutable_base.tools import libsolv

log = logging.getLogger(__name__)


class UnsolvableError(PlanError):
    """No set of packages satisfies the request; `details` holds libsolv's explanation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """An installed package that is newer than any repository offers it."""

    name: str
    installed: str
    """`[epoch:]version-release`, as `offered`."""
    offered: str
    """What the request would need instead."""
    repository: str
    """The repository that offers it."""


class InstalledNewerError(UnsolvableError):
    """The request could be satisfied if `skews`, and nothing else, were downgraded."""

    def __init__(self, message: str, skews: tuple[Skew, ...], *, details: str | None) -> None:
        super().__init__(message, details=details)
        self.skews = skews


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRequest:
    """What to change on top of what is installed."""

    title: str
    """Names the transaction in errors."""
    repositories: tuple[str, ...]
    """The ids of those that may be used; promised packages only if `install` has them."""
    install: tuple[int, ...] = ()
    """Exactly these packages, by id."""
    names: tuple[str, ...] = ()
    """The newest package of each name; a name that is installed already is left alone."""
    erase: frozenset[str] = frozenset()
    """Names of installed packages to remove first."""
    exclude: frozenset[str] = frozenset()
    """Names that must not come in."""
    hidden: frozenset[int] = frozenset()
    """Ids of packages that must not come in, whatever else has their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a request changes, solved."""

    new: tuple[int, ...]
    """Ids of packages that come in, upgrades included, sorted by name."""
    requested: tuple[int, ...]
    """Those of `new` that were asked for."""
    removed: tuple[int, ...]
    """Ids of what was installed and no longer is: upgraded, obsoleted or erased."""
    state: tuple[int, ...]
    """Ids of what is installed afterwards."""


def solve(pool: PackagePool, state: tuple[int, ...], request: TransactionRequest) -> Transaction:
    """Return what the request changes, where `state` is installed.

    Raises UnsolvableError with libsolv's explanation if there is no solution, InstalledNewerError
    if there would be one with what is offered in place of what is installed and newer.
    """
    with _installed(pool, state) as copies:
        solving = _Solving(pool, state, copies, request)
        solution = solving.solve()
        # Lists of files are large and hardly ever needed: only when a required path is in none of
        # the short lists that primary.xml carries.
        if isinstance(solution, _Problems) and solution.missing_files and pool.load_filelists():
            log.info(
                "%s needs %s: reading all lists of files", request.title, solution.missing_files
            )
            solution = solving.solve()
        if isinstance(solution, _Problems):
            raise _refusal(
                f"the packages of {request.title} cannot be installed together",
                solving.skews(),
                "\n".join(solution.sentences),
            )
    return solution


def _refusal(message: str, skews: tuple[Skew, ...], details: str | None = None) -> UnsolvableError:
    if skews:
        return InstalledNewerError(message, skews, details=details)
    return UnsolvableError(message, details=details)


@contextmanager
def _installed(pool: PackagePool, state: tuple[int, ...]) -> Iterator[dict[int, int]]:
    """Make the state the installed packages; yield the id of each copy's original."""
    keys = dependency_keys().values()
    marker = libsolv.library().SOLVABLE_FILEMARKER
    repo = pool.pool.add_repo("@System")
    copies = {}
    for number in state:
        original, copy = pool.solvable(number), repo.add_solvable()
        copy.nameid, copy.evrid, copy.archid = original.nameid, original.evrid, original.archid
        for key in keys:
            for dep in original.lookup_idarray(key, ALL):
                if dep != marker:
                    copy.add_deparray(key, dep, ALL)
        copies[copy.id] = number
    pool.pool.installed = repo
    pool.reset_considered()
    try:
        yield copies
    finally:
        pool.pool.installed = None
        repo.free(True)  # noqa: FBT003  libsolv's signature
        pool.reset_considered()


@dataclass(frozen=True, slots=True)
class _Problems:
    """Why there is no solution."""

    sentences: tuple[str, ...]
    """libsolv's own."""
    missing_files: tuple[str, ...]
    """Paths that nothing provides."""


@dataclass(frozen=True, slots=True)
class _Solving:
    """One request on one state."""

    pool: PackagePool
    state: tuple[int, ...]
    copies: dict[int, int]
    """Id of each installed copy's original."""
    request: TransactionRequest

    def solve(self) -> Transaction | _Problems:
        self._consider()
        solver = self._solver()
        problems = solver.solve(self._jobs())
        return self._explain(problems) if problems else self._read(solver.transaction())

    def skews(self) -> tuple[Skew, ...]:
        """Return what alone stands in the way because it is newer than any repository has it.

        Nothing, if downgrades would not help, or one of them would be of what is offered as new as
        it is installed: then somebody requires an old version on purpose.
        """
        self._consider()
        solver = self._solver(libsolv.library().Solver.SOLVER_FLAG_ALLOW_DOWNGRADE)
        if solver.solve(self._jobs()):
            return ()
        solution = solver.transaction()
        return self._skews(self._downgrades(solution.newsolvables(), self._removed(solution)))

    def _available(self) -> set[int]:
        request = self.request
        excluded = {
            item.id
            for name in request.exclude
            for item in self.pool.named(name, request.repositories)
        }
        return set(self.pool.ids(request.repositories)).difference(excluded, request.hidden)

    def _consider(self) -> None:
        self.pool.consider(self._available().union(self.request.install, self.copies))

    def _solver(self, *more: int) -> libsolv.Solver:
        flags = libsolv.library().Solver
        solver = self.pool.pool.Solver()
        for flag in (
            *more,
            flags.SOLVER_FLAG_IGNORE_RECOMMENDED,
            # As dnf does: the newest of what the policy allows, from any vendor, and all packages
            # into which an installed one was split.
            flags.SOLVER_FLAG_ALLOW_VENDORCHANGE,
            flags.SOLVER_FLAG_BEST_OBEY_POLICY,
            flags.SOLVER_FLAG_YUM_OBSOLETES,
        ):
            solver.set_flag(flag, 1)
        return solver

    def _jobs(self) -> list[object]:
        pool, kind = self.pool.pool, libsolv.library().Job
        erase = self.request.erase
        installed = {self.pool.solvable(number).name for number in self.state}
        jobs = [
            pool.Job(kind.SOLVER_ERASE | kind.SOLVER_SOLVABLE, copy)
            for copy, number in self.copies.items()
            if self.pool.solvable(number).name in erase
        ]
        install = kind.SOLVER_INSTALL | kind.SOLVER_SOLVABLE
        jobs += [pool.Job(install, number) for number in self.request.install]
        for name in self.request.names:
            if name in installed - erase:
                continue
            found = self.pool.providing(name)
            exact = any(item.name == name for item in found)
            how = kind.SOLVER_SOLVABLE_NAME if exact else kind.SOLVER_SOLVABLE_PROVIDES
            # `best` as dnf has it: rather no solution than an older package in silence.
            best = 0 if any(item.id in self.copies for item in found) else kind.SOLVER_FORCEBEST
            jobs.append(pool.Job(kind.SOLVER_INSTALL | how | best, pool.str2id(name)))
        return jobs

    def _read(self, solution: libsolv.SolverTransaction) -> Transaction:
        new = sorted(solution.newsolvables(), key=lambda item: (item.name, item.evr, item.arch))
        removed = self._removed(solution)
        self._refuse_downgrades(new, removed)
        numbers = tuple(item.id for item in new)
        wanted = set(self.request.install)
        for name in self.request.names:
            providers = self.pool.providing(name)
            named = {item.id for item in providers if item.name == name}
            wanted |= named or {item.id for item in providers}
        return Transaction(
            new=numbers,
            requested=tuple(number for number in numbers if number in wanted),
            removed=tuple(sorted(removed)),
            state=tuple(number for number in self.state if number not in removed) + numbers,
        )

    def _removed(self, solution: libsolv.SolverTransaction) -> set[int]:
        return {self.copies[step.id] for step in solution.steps() if step.id in self.copies}

    def _refuse_downgrades(self, new: list[libsolv.Solvable], removed: set[int]) -> None:
        found = self._downgrades(new, removed)
        if found:
            old, item = found[0]
            raise _refusal(
                f"{self.request.title} would downgrade {item.name} from {old.evr} to {item.evr}",
                self._skews(found),
            )

    def _downgrades(
        self, new: Iterable[libsolv.Solvable], removed: set[int]
    ) -> list[tuple[libsolv.Solvable, libsolv.Solvable]]:
        """Return each package that would get older, as it is installed and as it comes in."""
        gone = {}
        for number in removed:
            solvable = self.pool.solvable(number)
            gone[solvable.name] = solvable
        return [
            (old, item)
            for item in new
            if (old := gone.get(item.name)) is not None
            and item.name not in self.request.erase
            and item.evrcmp(old) < 0
        ]

    def _skews(
        self, downgrades: list[tuple[libsolv.Solvable, libsolv.Solvable]]
    ) -> tuple[Skew, ...]:
        available = self._available()
        for old, item in downgrades:
            offered = self.pool.named(item.name, self.request.repositories)
            if any(it.evrcmp(old) >= 0 for it in offered if it.id in available):
                return ()
        found = [
            Skew(name=new.name, installed=old.evr, offered=new.evr, repository=new.repo.name)
            for old, new in downgrades
        ]
        return tuple(sorted(found, key=lambda skew: skew.name))

    def _explain(self, problems: list[libsolv.Problem]) -> _Problems:
        sentences: list[str] = []
        paths: set[str] = set()
        nothing = libsolv.library().Solver.SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP
        for problem in problems:
            for rule in problem.findallproblemrules():
                for info in rule.allinfos():
                    sentences.append(info.problemstr())
                    if info.type == nothing:
                        paths.add(self.pool.pool.dep2str(info.dep_id))
        files = sorted(path for path in paths if path.startswith("/"))
        return _Problems(tuple(dict.fromkeys(sentences)), tuple(files))
