"""The lab's cache: folders that are made once, whole, and used until an input changes.

A cached folder has a key beside its content. The key is a digest of everything that decides the
content, so a changed input makes the folder again. It is made under another name and renamed at
the end: a killed `lab up` leaves nothing that looks finished.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

KEY_FILE = ".piece-key"


def key_of(*inputs: object) -> str:
    """Return the key of inputs: values of JSON, and sets, whose order differs in every process."""
    text = json.dumps(inputs, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> object:
    return sorted(value, key=str) if isinstance(value, set | frozenset) else str(value)


def is_made(path: Path, key: str) -> bool:
    """Tell whether the folder is there and was made from these inputs."""
    marker = path / KEY_FILE
    return marker.is_file() and marker.read_text() == key


def ensure(path: Path, key: str, make: Callable[[Path], None]) -> bool:
    """Make a folder with `make(folder)` unless it is there; tell whether it had to be made."""
    if is_made(path, key):
        return False
    half_made = path.with_name(path.name + ".half")
    for leftover in (half_made, path):
        if leftover.exists():
            shutil.rmtree(leftover)
    half_made.mkdir(parents=True)
    make(half_made)
    (half_made / KEY_FILE).write_text(key)
    half_made.rename(path)
    return True
