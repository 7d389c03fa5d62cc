"""The Debian root from which the stand-in bases are made."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from immutable_base.errors import CommandError
from immutable_base.process import Command, Runner, run
from immutable_base_lab.debian.archive import KEYRING, STABLE, Archive, Deb, Mirrors
from immutable_base_lab.debian.catalogue import DROPPED, Catalogue

PAUSES = (5.0, 15.0, 30.0)
"""Seconds until a mirror that failed is asked again: one that is being brought up to date, say."""
STATUS = re.compile(r"^(?P<name>\S+) (?P<version>\S+)$", re.MULTILINE)


def bootstrap(
    mirrors: Mirrors,
    catalogue: Catalogue,
    folder: Path,
    *,
    variant: str = "minbase",
    runner: Runner = run,
) -> None:
    """Make a minimal root with a bootc base's programs in `folder/root`.

    `variant` is mmdebstrap's. Raises CommandError if several attempts failed.
    """
    sources = "".join(
        f"deb [signed-by={KEYRING}] {mirrors.of(suite)} {suite} main\n" for suite in STABLE
    )
    dropped = [f"--dpkgopt=path-exclude=/{pattern}" for pattern in DROPPED]
    command = Command(
        argv=(
            "mmdebstrap", "--mode=root", f"--variant={variant}", "--quiet", *dropped,
            f"--include={','.join(catalogue.base)}", "--skip=check/empty",
            STABLE[0], str(folder / "root"), "-",
        ),
        timeout=1800,
        stdin=sources.encode(),
        hint="mmdebstrap must be able to reach the mirror that apt uses on this machine",
    )  # fmt: skip
    for pause in (*PAUSES, None):
        try:
            runner(command)
        except CommandError:
            if pause is None:
                raise
            shutil.rmtree(folder / "root", ignore_errors=True)
            time.sleep(pause)
        else:
            return


def installed(root: Path, archive: Archive) -> list[Deb]:
    """Return the packages of a root as the archive describes them.

    Raises CommandError.
    """
    return list(_known(_listed(root), archive))


def forget_outdated(folder: Path, archive: Archive) -> bool:
    """Remove the root in `folder/root` if the archive has newer packages; tell whether it did.

    What is added later comes from the archive of its day, and requires exact versions of what is in
    the root. Raises CommandError.
    """
    root = folder / "root"
    if not root.exists():
        return False
    newest = ((archive.newest(name, STABLE), version) for name, version in _listed(root))
    if all(deb is None or deb.version == version for deb, version in newest):
        return False
    shutil.rmtree(folder)
    return True


def _listed(root: Path) -> list[tuple[str, str]]:
    """Return name and version of each package of a root."""
    listed = run(
        Command(
            argv=("dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show",
                  "--showformat=${Package} ${Version}\n"),
            timeout=60,
        )
    ).text  # fmt: skip
    return STATUS.findall(listed)


def _known(packages: Iterable[tuple[str, str]], archive: Archive) -> Iterable[Deb]:
    for name, version in packages:
        deb = archive.exact(name, version) or archive.newest(name, STABLE)
        if deb is not None:
            yield deb


# Inside a root: a file system of its own, gone with the program.
TEMPORARY = "/tmp"  # noqa: S108  see above
# Positional parameters: root, pairs of a folder and where it appears, `--`, the program.
_ENTER = """
set -e
root=$1
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
while [ "$1" != -- ]; do
    mkdir -p "$root/$2"
    mount --bind "$1" "$root/$2"
    shift 2
done
shift
exec chroot "$root" "$@"
"""


def enter(
    root: Path,
    *argv: str,
    timeout: float = 900,
    binds: Mapping[str, Path] | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program inside a root, with its own mounts and processes; return what it printed.

    `binds`: where a folder of ours appears (below /tmp) and the folder. Nothing stays mounted and
    no process stays behind, however it ends. Raises CommandError.
    """
    pairs = [path for inside, ours in (binds or {}).items() for path in (str(ours), inside)]
    command = Command(
        argv=(
            "unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation=private",
            "sh", "-c", _ENTER, "sh", str(root), *pairs, "--", *argv,
        ),
        timeout=timeout,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": TEMPORARY,
            "PYTHONDONTWRITEBYTECODE": "1",
            **(env or {}),
        },
    )  # fmt: skip
    return run(command).text
