"""The catalogue's changes, applied to an unpacked package."""

from __future__ import annotations

import shutil
from pathlib import Path

from immutable_base.errors import ConfigurationError
from immutable_base_lab.core.files import remove
from immutable_base_lab.debian.catalogue import Change


def apply(change: Change, tree: Path) -> None:
    """Leave out, move, copy, link and add files of a tree.

    Raises ConfigurationError if the package no longer has a file that the catalogue names.
    """
    for path in change.removed:
        remove(tree / path)
    for old, new in change.moved.items():
        _move(tree, old, new)
    for path, origin in change.copies.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(_existing(tree, origin), tree / path)
    for path, target in change.links.items():
        link = tree / path
        link.parent.mkdir(parents=True, exist_ok=True)
        remove(link)
        link.symlink_to(target)
    for path, content in change.files.items():
        added = tree / path
        added.parent.mkdir(parents=True, exist_ok=True)
        added.write_text(content)


def _existing(tree: Path, path: str) -> Path:
    if not (tree / path).exists():
        raise ConfigurationError(
            f"the Debian package no longer has /{path}",
            hint="look at the package and correct lab/src/immutable_base_lab/debian/catalogue.toml",
        )
    return tree / path


def _move(tree: Path, old: str, new: str) -> None:
    target = tree / new
    target.parent.mkdir(parents=True, exist_ok=True)
    _existing(tree, old).rename(target)
    if target.suffix == ".service":
        # The alias was the name that the unit now has, and a unit cannot be its own alias.
        lines = target.read_text().splitlines(keepends=True)
        target.write_text("".join(line for line in lines if not line.startswith("Alias=")))
