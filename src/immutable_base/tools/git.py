"""git: which commit a checkout is at, what is in it, and what changed since another one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import CommandError, ConfigurationError
from immutable_base.process import ANY_STATUS, Command, Result, Runner
from immutable_base.tools.limits import QUICK

COMMIT = 40
"""Hexadecimal digits of a commit; 64 in repositories that use SHA-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit."""

    name: str
    """Its whole object name, in hexadecimal digits."""
    time: int
    """Seconds since 1970, of the committer."""


def head(run: Runner, folder: Path) -> Commit:
    """Return the commit that a checkout is at.

    Raises ConfigurationError if the folder is not in a repository, or has no commit.
    """
    result = _git(run, folder, "show", "--no-patch", "--format=%H %ct", "HEAD")
    words = result.text.split()
    if result.status != 0 or len(words) != 2:
        raise ConfigurationError(
            f"{folder} is not the checkout of a commit",
            details=result.stderr_tail,
            hint="`git init`, `git add --all` and `git commit` make it one",
        )
    return Commit(name=words[0], time=int(words[1]))


def file_at(run: Runner, folder: Path, name: str) -> str | None:
    """Return the text of a file as the checkout's commit has it, None if it has none."""
    result = _git(run, folder, "show", f"HEAD:./{name}")
    return result.stdout.decode("utf-8", "replace") if result.status == 0 else None


def uncommitted(run: Runner, folder: Path) -> tuple[str, ...]:
    """Return the files that are tracked and not as the commit has them."""
    result = _ok(run, folder, "status", "--porcelain", "--untracked-files=no", "-z", ".")
    return tuple(sorted(item[3:] for item in result.text.split("\0") if len(item) > 3))


def changed_since(run: Runner, folder: Path, commit: str) -> tuple[str, ...] | None:
    """Return the names of the files that differ from an earlier commit, None if it is not here."""
    if not (commit.isascii() and commit.isalnum() and len(commit) >= COMMIT):
        return None
    if _git(run, folder, "cat-file", "-e", f"{commit}^{{commit}}").status != 0:
        return None
    result = _ok(run, folder, "diff", "--name-only", "-z", commit, "HEAD", "--", ".")
    return tuple(sorted(filter(None, result.text.split("\0"))))


def write_tree(run: Runner, folder: Path, target: Path) -> None:
    """Write the files of the checkout's commit to a new folder; nothing else is in it.

    Raises CommandError if one cannot be written.
    """
    target.mkdir(parents=True)
    index = target.with_name(f"{target.name}.index")
    env = {"GIT_INDEX_FILE": str(index)}
    try:
        top = _top(folder)
        inside = folder.relative_to(top)
        _ok(run, top, "read-tree", f"HEAD:{'' if inside == Path() else inside}", env=env)
        _ok(run, top, "checkout-index", "--all", f"--prefix={target}/", env=env)
    finally:
        index.unlink(missing_ok=True)


def _ok(run: Runner, folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Result:
    result = _git(run, folder, *arguments, env=env)
    if result.status != 0:
        raise CommandError(f"`git {arguments[0]}` failed in {folder}", details=result.stderr_tail)
    return result


def _git(run: Runner, folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Result:
    # A checkout may belong to whoever fetched it, a runner's helper for one.
    argv = ("git", "-c", f"safe.directory={_top(folder)}", *arguments)
    return run(Command(argv=argv, timeout=QUICK, cwd=folder, env=env or {}, ok=ANY_STATUS))


def _top(folder: Path) -> Path:
    """Return the folder that has the repository; the same one if there is none."""
    found = (it for it in (folder, *folder.parents) if (it / ".git").exists())
    return next(found, folder)
