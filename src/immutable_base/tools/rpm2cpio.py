"""rpm2cpio and cpio: read one file out of an RPM package without installing it."""

from __future__ import annotations

from pathlib import Path

from immutable_base.errors import CommandError
from immutable_base.process import Command, Runner

TIMEOUT = 300.0


def read_member(run: Runner, package: Path, member: str) -> bytes:
    """Return the content of one file of a package; `member` is absolute.

    Raises CommandError if the package has no such file, or if it is no package.
    """
    archive = run(Command(argv=("rpm2cpio", str(package)), timeout=TIMEOUT)).stdout
    # Archives name members `./usr/...` or, with other versions of rpm, `/usr/...`.
    argv = ("cpio", "--extract", "--to-stdout", "--quiet", f".{member}", member)
    content = run(Command(argv=argv, timeout=TIMEOUT, stdin=archive)).stdout
    if not content:
        raise CommandError(f"{package.name} has no file {member}")
    return content
