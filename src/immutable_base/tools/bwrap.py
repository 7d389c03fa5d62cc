"""bubblewrap: a program of an image, run in the image's own root, with our pipe directly on it.

No relay stands between the program and us, so what it wrote is what we read. `buildah run` has one:
with chroot isolation it exits with the program's status before its relay has passed everything on
(chroot/run_common.go, seen in 1.28 to 1.44), and output is lost at random with status 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.process import Command, Result, Runner

TIMEOUT = 600.0
"""Seconds; `dnf check` and `bootc container lint` take the longest."""
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFiles:
    """What a program gets of the machine: its network, and some files below /run."""

    environment: Mapping[str, str] = field(default_factory=dict)
    readable: Mapping[Path, str] = field(default_factory=dict)
    """File or folder of the machine to the path at which the program sees it."""
    writable: Mapping[Path, str] = field(default_factory=dict)
    network: bool = True


def run_in_root(
    run: Runner,
    root: Path,
    argv: Sequence[str],
    *,
    ok: frozenset[int] = frozenset({0}),
    surroundings: SharedFiles | None = None,
) -> Result:
    """Run a program in a mounted root and return what it wrote; it may write there.

    It has namespaces of its own for processes, mounts, IPC, host name and network (loopback only),
    an empty /run and /tmp, a /dev without disks, and ends when we end. With `surroundings` it has
    what they name, and the machine's network unless they say otherwise. Raises CommandError if its
    exit status is not in `ok`.
    Source of the options: bwrap(1).
    """
    given = surroundings or SharedFiles()
    variables = {**_ENVIRONMENT, **given.environment}
    environment = [word for item in variables.items() for word in ("--setenv", *item)]
    mounts = [
        word
        for option, paths in (("--ro-bind", given.readable), ("--bind", given.writable))
        for source, target in paths.items()
        for word in (option, str(source), target)
    ]
    network = () if surroundings and surroundings.network else ("--unshare-net",)
    sandbox = (
        "bwrap", "--die-with-parent", "--new-session", "--bind", str(root), "/",
        "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/run", "--tmpfs", "/tmp",  # noqa: S108  the sandbox's own
        *mounts, "--unshare-pid", *network, "--unshare-ipc", "--unshare-uts", "--chdir", "/",
        "--clearenv", *environment, "--",
    )  # fmt: skip
    return run(Command(argv=(*sandbox, *argv), timeout=TIMEOUT, ok=ok))
