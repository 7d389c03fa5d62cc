"""One transaction on one set of installed packages, solved as dnf would, but exactly repeatable.

No weak dependencies, nothing removed that was not named, nothing downgraded in silence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from immutable_base.errors import PlanError
from immutable_base.solver.pool import ALL, Universe, dependency_keys
from immutable_base.tools import libsolv

log = logging.getLogger(__name__)


class UnsolvableError(PlanError):
    """No set of packages satisfies the request; `details` holds libsolv's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A solved transaction."""

    new: tuple[int, ...]
    """Ids of packages that come in, upgrades included, sorted by name."""
    requested: tuple[int, ...]
    """Those of `new` that were asked for."""
    removed: tuple[int, ...]
    """Ids of what was installed and no longer is: upgraded, obsoleted or erased."""
    state: tuple[int, ...]
    """Ids of what is installed afterwards."""


def solve(universe: Universe, state: tuple[int, ...], question: Question) -> Answer:
    """Return what the transaction changes.

    Raises UnsolvableError with libsolv's explanation if there is no solution.
    """
    with _installed(universe, state) as copies:
        answer, problems, missing_files = _ask(universe, state, copies, question)
        # Lists of files are large and hardly ever needed: only when a required path is in none of
        # the short lists that primary.xml carries.
        if answer is None and missing_files and universe.load_filelists():
            log.info("%s needs %s: reading all lists of files", question.title, missing_files)
            answer, problems, _ = _ask(universe, state, copies, question)
    if answer is None:
        raise UnsolvableError(
            f"the packages of {question.title} cannot be installed together",
            details="\n".join(problems),
        )
    return answer


@contextmanager
def _installed(universe: Universe, state: tuple[int, ...]) -> Iterator[dict[int, int]]:
    """Make the state the installed packages; yield the id of each copy's original."""
    keys = dependency_keys().values()
    marker = libsolv.library().SOLVABLE_FILEMARKER
    repo = universe.pool.add_repo("@System")
    copies = {}
    for number in state:
        original, copy = universe.solvable(number), repo.add_solvable()
        copy.nameid, copy.evrid, copy.archid = original.nameid, original.evrid, original.archid
        for key in keys:
            for dep in original.lookup_idarray(key, ALL):
                if dep != marker:
                    copy.add_deparray(key, dep, ALL)
        copies[copy.id] = number
    universe.pool.installed = repo
    universe.forget_seen()
    try:
        yield copies
    finally:
        universe.pool.installed = None
        repo.free(True)  # noqa: FBT003  libsolv's signature
        universe.forget_seen()


def _ask(
    universe: Universe, state: tuple[int, ...], copies: dict[int, int], question: Question
) -> tuple[Answer | None, list[str], list[str]]:
    excluded = {
        item.id for name in question.exclude for item in universe.named(name, question.repositories)
    }
    available = set(universe.ids(question.repositories)) - excluded
    universe.see([*available, *question.install, *copies])
    solver = _solver(universe)
    jobs = _jobs(universe, state, copies, question)
    problems = solver.solve(jobs)
    if problems:
        return None, *_explain(universe, problems)
    return _answer(universe, state, copies, question, solver.transaction()), [], []


def _solver(universe: Universe) -> libsolv.Solver:
    flags = libsolv.library().Solver
    solver = universe.pool.Solver()
    for flag in (
        flags.SOLVER_FLAG_IGNORE_RECOMMENDED,
        # As dnf does: the newest of what the policy allows, from any vendor, and obsoletes count
        # for what is installed only.
        flags.SOLVER_FLAG_ALLOW_VENDORCHANGE,
        flags.SOLVER_FLAG_BEST_OBEY_POLICY,
        flags.SOLVER_FLAG_YUM_OBSOLETES,
    ):
        solver.set_flag(flag, 1)
    return solver


def _jobs(
    universe: Universe, state: tuple[int, ...], copies: dict[int, int], question: Question
) -> list[object]:
    pool, kind = universe.pool, libsolv.library().Job
    installed = {universe.solvable(number).name for number in state}
    jobs = [
        pool.Job(kind.SOLVER_ERASE | kind.SOLVER_SOLVABLE, copy)
        for copy, number in copies.items()
        if universe.solvable(number).name in question.erase
    ]
    jobs += [pool.Job(kind.SOLVER_INSTALL | kind.SOLVER_SOLVABLE, n) for n in question.install]
    for name in question.names:
        if name in installed - question.erase:
            continue
        found = universe.providing(name)
        exact = any(item.name == name for item in found)
        how = kind.SOLVER_SOLVABLE_NAME if exact else kind.SOLVER_SOLVABLE_PROVIDES
        # `best` as dnf has it: rather no solution than an older package in silence.
        best = 0 if any(item.id in copies for item in found) else kind.SOLVER_FORCEBEST
        jobs.append(pool.Job(kind.SOLVER_INSTALL | how | best, pool.str2id(name)))
    return jobs


def _answer(
    universe: Universe,
    state: tuple[int, ...],
    copies: dict[int, int],
    question: Question,
    transaction: libsolv.Transaction,
) -> Answer:
    new = sorted(transaction.newsolvables(), key=lambda item: (item.name, item.evr, item.arch))
    removed = {copies[step.id] for step in transaction.steps() if step.id in copies}
    _refuse_downgrades(universe, question, new, removed)
    numbers = tuple(item.id for item in new)
    wanted = set(question.install)
    for name in question.names:
        providers = universe.providing(name)
        named = {item.id for item in providers if item.name == name}
        wanted |= named or {item.id for item in providers}
    return Answer(
        new=numbers,
        requested=tuple(number for number in numbers if number in wanted),
        removed=tuple(sorted(removed)),
        state=tuple(number for number in state if number not in removed) + numbers,
    )


def _refuse_downgrades(
    universe: Universe, question: Question, new: list[libsolv.Solvable], removed: set[int]
) -> None:
    gone = {}
    for number in removed:
        solvable = universe.solvable(number)
        gone[solvable.name] = solvable
    for item in new:
        old = gone.get(item.name)
        if old is not None and item.name not in question.erase and item.evrcmp(old) < 0:
            raise UnsolvableError(
                f"{question.title} would downgrade {item.name} from {old.evr} to {item.evr}"
            )


def _explain(universe: Universe, problems: list[libsolv.Problem]) -> tuple[list[str], list[str]]:
    """Return libsolv's sentences, and the paths that nothing provides."""
    sentences: list[str] = []
    paths: list[str] = []
    nothing = libsolv.library().Solver.SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP
    for problem in problems:
        for rule in problem.findallproblemrules():
            for info in rule.allinfos():
                sentences.append(info.problemstr())
                if info.type == nothing:
                    paths.append(universe.pool.dep2str(info.dep_id))
    unique = list(dict.fromkeys(sentences))
    return unique, sorted({path for path in paths if path.startswith("/")})
