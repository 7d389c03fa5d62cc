"""Small helpers around files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy_data(source: Path, target: Path) -> None:
    """Copy a folder of package data over a tree, with modes 0755 and 0644.

    Those of a checkout depend on somebody's umask, and would end up in packages and images.
    """
    shutil.copytree(source, target, dirs_exist_ok=True)
    for path in (source, *source.rglob("*")):
        mode = 0o755 if path.is_dir() else 0o644
        (target / path.relative_to(source)).chmod(mode)


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def point_to(link: Path, target: Path) -> None:
    """Make a symbolic link, or let an old one point elsewhere: there is one at every moment.

    Several processes may do so at once.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.readlink() == target:
        return
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
