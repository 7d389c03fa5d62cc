"""bubblewrap: a program of an image, run in the image's own root, with our pipe directly on it.

No relay stands between the program and us, so what it wrote is what we read. `buildah run` has one:
with chroot isolation it exits with the program's status before its relay has passed everything on
(chroot/run_common.go, seen in 1.28 to 1.44), and output is lost at random with status 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from immutable_base.process import Command, Result, Runner

TIMEOUT = 600.0
"""Seconds; `dnf check` and `bootc container lint` take the longest."""
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder or file of ours, and where the program sees it."""

    source: Path
    target: str
    writable: bool = False

    @property
    def words(self) -> tuple[str, str, str]:
        """Bubblewrap's option."""
        return "--bind" if self.writable else "--ro-bind", str(self.source), self.target


def run_in_root(
    run: Runner,
    root: Path,
    argv: Sequence[str],
    *,
    ok: frozenset[int] = frozenset({0}),
    binds: Sequence[Bind] = (),
) -> Result:
    """Run a program in a mounted root and return what it wrote; it may write there.

    It has namespaces of its own for processes, mounts, IPC, host name and network (loopback only),
    an empty /run and /tmp, a /dev without disks, and ends when we end. Raises CommandError if its
    exit status is not in `ok`. Source of the options: bwrap(1).
    """
    environment = [word for item in _ENVIRONMENT.items() for word in ("--setenv", *item)]
    sandbox = (
        "bwrap", "--die-with-parent", "--new-session", "--bind", str(root), "/",
        "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run", "--tmpfs", "/tmp",  # noqa: S108  the sandbox's own
        *(word for bind in binds for word in bind.words),
        "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--chdir", "/",
        "--clearenv", *environment, "--",
    )  # fmt: skip
    return run(Command(argv=(*sandbox, *argv), timeout=TIMEOUT, ok=ok))
