"""Files of our own below one folder, through file descriptors: no link is ever followed.

Whoever may write into a folder on the way could otherwise have root write somewhere else. So each
part of a path is opened by itself, must belong to us, and nobody else may write to it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import HostError, RemoteError

TEMPORARY = ".new"
"""Name of a file until it is whole; one that a killed process has left is replaced."""
WAIT = 0.1
"""Seconds between two attempts to get the lock."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """An open folder that belongs to us."""

    descriptor: int
    path: Path
    """For words only."""

    @contextmanager
    def below(self, name: str, *, make: bool = False) -> Iterator[Folder]:
        """Yield a folder in this one; raises HostError, also if there is none."""
        with _telling(self.path / name):
            made = make and self._make(name)
            descriptor = os.open(name, _FOLDER, dir_fd=self.descriptor)
            if made:  # Whatever the umask is: a web server may serve it.
                os.fchmod(descriptor, 0o755)
        with _closing(descriptor, self.path / name) as found:
            yield found

    def names(self) -> list[str]:
        """Return what lies here, sorted."""
        with _telling(self.path):
            return sorted(os.listdir(self.descriptor))  # noqa: PTH208  pathlib knows no descriptors

    def is_folder(self, name: str) -> bool:
        """Tell whether a folder of this name lies here; raises HostError if it is a link."""
        with _telling(self.path / name):
            mode = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            raise _planted(self.path / name)
        return stat.S_ISDIR(mode)

    def read(self, name: str, largest: int, *, secret: bool = False) -> bytes | None:
        """Return a file of ours, None if there is none.

        A `secret` one must not be readable by anybody else. Raises HostError.
        """
        with _telling(self.path / name):
            try:
                descriptor = os.open(name, _FILE, dir_fd=self.descriptor)
            except FileNotFoundError:
                return None
            with os.fdopen(descriptor, "rb") as file:
                _require_ours(os.fstat(descriptor), self.path / name, secret=secret)
                content = file.read(largest + 1)
        if len(content) > largest:
            raise HostError(f"{self.path / name} is larger than {largest} bytes")
        return content

    def write(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Let a whole file take its place, or change nothing; raises HostError."""
        with _telling(self.path / name):
            self._remove(TEMPORARY)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(TEMPORARY, flags, 0o600, dir_fd=self.descriptor)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fchmod(descriptor, mode)
                    os.fsync(descriptor)
                os.rename(TEMPORARY, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
            except BaseException:
                self._remove(TEMPORARY)
                raise
            os.fsync(self.descriptor)

    def remove(self, name: str) -> None:
        """Remove a file or a link, if it is there; raises HostError."""
        with _telling(self.path / name):
            self._remove(name)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder; raises HostError."""
        with _telling(self.path / name):
            os.rmdir(name, dir_fd=self.descriptor)

    def _make(self, name: str) -> bool:
        """Make a folder; tell whether there was none."""
        try:
            os.mkdir(name, 0o755, dir_fd=self.descriptor)
        except FileExistsError:
            return False
        return True

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)

    @contextmanager
    def alone(self, remaining: Callable[[], float]) -> Iterator[None]:
        """Hold the folder alone; the kernel lets go of the lock when the process ends.

        Waits as long as `remaining` does not raise RemoteError, then raises HostError.
        """
        with _telling(self.path / "lock"):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open("lock", flags, 0o600, dir_fd=self.descriptor)
        try:
            while not _locked(descriptor):
                time.sleep(min(WAIT, _left(remaining, self.path)))
            yield
        finally:
            os.close(descriptor)


@contextmanager
def open_folder(path: Path) -> Iterator[Folder]:
    """Yield a folder of ours by its path, whose parents are the administrator's; made if missing.

    Raises HostError.
    """
    with _telling(path):
        made = not path.exists()
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(path, _FOLDER)
        if made:  # Whatever the umask is: who serves a folder in it has to get there.
            os.fchmod(descriptor, 0o755)
    with _closing(descriptor, path) as found:
        yield found


@contextmanager
def _closing(descriptor: int, path: Path) -> Iterator[Folder]:
    try:
        _require_ours(os.fstat(descriptor), path)
        yield Folder(descriptor=descriptor, path=path)
    finally:
        os.close(descriptor)


def _left(remaining: Callable[[], float], path: Path) -> float:
    try:
        return remaining()
    except RemoteError as error:
        raise HostError(
            f"another admission works in {path}, and has not ended in time",
            hint="wait for it: `systemctl status immutable-base-admission`",
        ) from error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _require_ours(status: os.stat_result, path: Path, *, secret: bool = False) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind not in {stat.S_IFDIR, stat.S_IFREG}:
        raise HostError(f"{path} is neither a file nor a folder")
    if status.st_uid != os.geteuid():
        raise HostError(
            f"{path} belongs to the user {status.st_uid}, not to {os.geteuid()}, who admits",
            hint="find out who has put it there before you remove it",
        )
    if status.st_mode & (0o077 if secret else 0o022):
        what = "read" if secret else "write to"
        raise HostError(
            f"{path} is not ours alone: others may {what} it ({status.st_mode & 0o777:04o})",
            hint="find out who could have used it; a key that others could read has to be replaced",
        )


def _planted(path: Path) -> HostError:
    return HostError(
        f"{path} is a link, or something else than it should be: nothing goes through it",
        hint="only this program writes there: find out who has put it there, then remove it",
    )


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Make an error of this host out of what the file system refuses."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise _planted(path) from error
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise HostError(
            f"{path}: {error.strerror}",
            hint="free some space there; nothing was admitted"
            if full
            else "is it writable for this user (root on a host)? nothing was admitted",
        ) from error
