"""Our own project as other projects include from it: a git repository that stands for GitLab's."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from immutable_base.process import Command, Runner, run
from immutable_base.workspace import take
from immutable_base_lab.core.files import remove
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.services.issuer import DEFAULTS, GITLAB_HOST

FOLDERS = ("templates", "instance")
"""What other projects include."""
TAGS = ("v1", "1.0.0")
"""Refs by which they do: of the project, and of its component, whose `@1` is the newest 1.x.y."""
SECONDS = 60.0


def publish_templates(paths: LabPaths, checkout: Path, *, runner: Runner = run) -> None:
    """Make the project that others include, out of a checkout that has the templates."""
    if not all((checkout / name).is_dir() for name in FOLDERS):
        return
    paths.git.mkdir(parents=True, exist_ok=True)
    with _taking_turns(paths), tempfile.TemporaryDirectory(dir=paths.git) as scratch:
        work, bare = Path(scratch) / "work", Path(scratch) / "bare"
        for name in FOLDERS:
            shutil.copytree(checkout / name, work / name)
        author = ("-c", "user.name=immutable-base", "-c", "user.email=lab@example.com")
        commands = [
            ("init", "--quiet", "--initial-branch=main"),
            ("add", "--all"),
            (*author, "commit", "--quiet", "--message=templates"),
            *(("tag", name) for name in TAGS),
            ("clone", "--quiet", "--bare", str(work), str(bare)),
        ]
        for words in commands:
            runner(Command(argv=("git", *words), cwd=work, timeout=SECONDS))
        target = _place(paths)
        remove(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        bare.rename(target)


@contextlib.contextmanager
def _taking_turns(paths: LabPaths) -> Iterator[None]:
    """Wait for another pipeline of the lab that does the same."""
    with (paths.git / "lock").open("w") as lock:
        take(lock, wait=True)
        yield


def git_environment(paths: LabPaths) -> dict[str, str]:
    """Return what lets git find our project here when it is asked for it on GitLab's host.

    Source: git-config(1), GIT_CONFIG_COUNT and url.<base>.insteadOf.
    """
    group = _place(paths).parent
    found = {"GIT_CONFIG_COUNT": "2"}
    for number, host in enumerate((GITLAB_HOST, f"{GITLAB_HOST}:443")):
        found[f"GIT_CONFIG_KEY_{number}"] = f"url.file://{group}/.insteadOf"
        found[f"GIT_CONFIG_VALUE_{number}"] = f"https://{host}/{group.name}/"
    return found


def _place(paths: LabPaths) -> Path:
    return paths.git / f"{DEFAULTS['project']}.git"
