"""libsolv's binary form of verified metadata: read in a tenth of the time of the XML.

A file is named by the checksum of the primary metadata that it was made from, and carries the
SHA-256 of itself: what is damaged, or made by another libsolv, is made again.
"""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

from immutable_base.tools import libsolv
from immutable_base.workspace import file_digest, whole_file


def load_cached(repo: libsolv.Repo, primary: Path) -> bool:
    """Fill a repository from the cache; False when there is nothing usable."""
    path = _path(primary)
    mark = path.with_suffix(".sha256")
    if not (path.is_file() and mark.is_file()) or mark.read_bytes() != _mark(path):
        return False
    file = libsolv.open_file(str(path))
    if file is None:
        return False
    for used in (path, mark):
        os.utime(used)
    try:
        return repo.add_solv(file)
    finally:
        file.close()


def store(repo: libsolv.Repo, primary: Path) -> None:
    """Write a repository, as it was read from its primary metadata, into the cache."""
    path = _path(primary)
    with whole_file(path, durable=False) as partial:
        file = libsolv.library().xfopen_fd(None, os.dup(partial.fileno()), "w")
        repo.write(file)
        file.close()
        with whole_file(path.with_suffix(".sha256"), durable=False) as mark:
            mark.write(_mark(Path(partial.name)))


def _path(primary: Path) -> Path:
    return primary.with_name(f"{primary.name.partition('.')[0]}-{metadata.version('solv')}.solv")


def _mark(path: Path) -> bytes:
    return file_digest(path).encode()
