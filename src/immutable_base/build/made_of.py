"""What an image is made of beside its plan, as one sum: two runs are compared where it is equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from immutable_base.policy.host_trust import HostTrust


def layer_sum(folders: Iterable[Path]) -> str:
    """Return the SHA-256 of a layer's files: names, kinds, executable bits and bytes, in order."""
    whole = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder.parent))
            whole.update(json.dumps([name, *_kind_and_sum(path)]).encode())
    return whole.hexdigest()


def image_sum(
    layers: Iterable[str], said: Mapping[str, str | None], trust: HostTrust | None
) -> str:
    """Return the SHA-256 of an image's layers, of what it says of itself, and whom hosts trust."""
    words = [*layers, sorted(said.items()), repr(trust)]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _kind_and_sum(path: Path) -> tuple[str, str]:
    if path.is_symlink():
        return "link", str(path.readlink())
    if path.is_dir():
        return "folder", ""
    executable = path.stat().st_mode & 0o100
    return "program" if executable else "file", hashlib.sha256(path.read_bytes()).hexdigest()
