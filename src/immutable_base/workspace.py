"""Where a run works: one folder, one run at a time, whole files only."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from immutable_base.errors import HostError
from immutable_base.state import STARTED_BY

RUN_FOLDER = "tonight"
"""In a workspace: packages, logs, images on their way out, documents."""


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Return a file's digest in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Yield a file beside `path` that takes its place when the block ends well, else is removed.

    Not `durable`: it need not survive a power cut, because whoever reads it compares its checksum.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        partial = Path(file.name)
        try:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            partial.chmod(0o644)
            partial.rename(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a whole file or nothing: beside the target, flushed, then renamed."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def take(lock: IO[str], *, wait: bool = False) -> None:
    """Hold an open file alone until it is closed, if need be by the end of the process.

    Raises BlockingIOError if another has it, unless we are to `wait`.
    """
    fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@contextmanager
def exclusive(
    folder: Path, *, command: str = "command", option: str = "--workspace"
) -> Iterator[None]:
    """Hold a folder alone; the kernel lets go of the lock when the process ends, however.

    `command` and `option` name, for people, what works in such a folder and how to choose another.
    Raises HostError if another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            take(lock)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise HostError(
                f"another {command} (process {holder}) works in {folder}",
                hint=f"wait for it to end, or give this one a folder of its own with {option}",
            ) from error
        lock.truncate(0)
        lock.write(os.environ.get(STARTED_BY) or str(os.getpid()))
        lock.flush()
        yield


def require_space(folder: Path, gib: int) -> None:
    """Raise HostError unless the file system of `folder` has `gib` GiB free."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < gib << 30:
        raise HostError(
            f"{folder} has {free / (1 << 30):.1f} GiB free, a run needs {gib} GiB",
            hint="free some space, or work on another disk with --workspace",
        )
