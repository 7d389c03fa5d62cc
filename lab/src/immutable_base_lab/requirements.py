"""What the lab needs of the machine, checked in its first second."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from immutable_base.errors import HostError
from immutable_base.process import environment

GIB = 1 << 30
LATER_GIB = 5
"""Free space for an `up` that finds its programs."""

PROGRAMS = {
    "apt-get": "apt",
    "cpio": "cpio",
    "createrepo_c": "createrepo-c",
    "dpkg-deb": "dpkg",
    "gcc": "gcc",
    "gpg": "gnupg",
    "gpgv": "gpgv",
    "mariadbd": "mariadb-server-core",
    "mmdebstrap": "mmdebstrap",
    "rpmbuild": "rpm",
    "skopeo": "skopeo",
    "unshare": "util-linux",
    "zstd": "zstd",
}
"""Program to the Debian package that has it."""


def require_root() -> None:
    """Raise HostError unless we are root."""
    if os.geteuid() != 0:
        raise HostError(
            "the lab needs root: it makes root file systems, and mounts in them",
            hint="run the same command with `sudo -E`",
        )


def require_ready(state: Path, needed_gib: int) -> None:
    """Raise HostError that names everything missing, with the command that fixes it.

    `needed_gib` is the free space that the lab's folder needs.
    """
    require_root()
    path = environment({})["PATH"]
    missing = {name: it for name, it in PROGRAMS.items() if shutil.which(name, path=path) is None}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise HostError(
            f"programs are missing: {', '.join(missing)}", hint=f"apt-get install {packages}"
        )
    free = shutil.disk_usage(_existing(state)).free
    if free < needed_gib * GIB:
        raise HostError(
            f"{state} has {free / GIB:.1f} GiB free, and the lab needs {needed_gib} GiB",
            hint="free some space, or name another disk with `--state`",
        )


def _existing(path: Path) -> Path:
    return next(it for it in (path, *path.parents) if it.exists())
