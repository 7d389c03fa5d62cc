"""Empty files on which buildah mounts the machine's own while a step runs."""

from __future__ import annotations

import os
from pathlib import Path

INJECTED = ("etc/hostname", "etc/hosts", "etc/resolv.conf")


def injected_names(root: Path) -> frozenset[str]:
    """Return those of them that an image has, as paths below its root."""
    return frozenset(name for name in INJECTED if os.path.lexists(root / name))


def remove_injected(root: Path, before: frozenset[str]) -> list[str]:
    """Remove the empty files on which buildah mounted the machine's own during a step.

    On a host they would count as its configuration; bootc's lint `buildah-injected` warns of them.
    """
    removed = []
    for name in INJECTED:
        path = root / name
        if name not in before and path.is_file() and path.stat().st_size == 0:
            path.unlink()
            removed.append(name)
    return removed
