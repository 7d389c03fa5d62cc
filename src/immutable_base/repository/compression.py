"""Give libsolv metadata that it can read: the wheel on PyPI was built without xz and zstd."""

from __future__ import annotations

import bz2
import importlib
import lzma
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from immutable_base.errors import VerificationError

READ_BY_LIBSOLV = frozenset({".xml", ".gz"})
SUFFIXES = READ_BY_LIBSOLV | {".xz", ".bz2", ".zst"}
"""Of metadata that can be read."""
CHUNK = 1 << 20


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """Yield the file itself, or an unpacked copy that is removed at the end.

    Raises VerificationError if it is not packed in the way that its name says.
    """
    if path.suffix in READ_BY_LIBSOLV:
        yield path
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".unpacked-", suffix=".xml") as copy:
        with path.open("rb") as packed:
            _unpack(packed, path.suffix, copy)
        copy.flush()
        yield Path(copy.name)


def _unpack(packed: IO[bytes], suffix: str, target: IO[bytes]) -> None:
    wrong: tuple[type[Exception], ...] = (OSError, EOFError, lzma.LZMAError)
    plain: IO[bytes]
    match suffix:
        case ".xz":
            plain = lzma.open(packed)  # noqa: SIM115  the file beneath is the caller's
        case ".bz2":
            plain = bz2.open(packed)  # noqa: SIM115  likewise
        case ".zst":
            # Fedora packs so since release 41. Python itself can from 3.14 on.
            zstandard = importlib.import_module("zstandard")
            plain = zstandard.ZstdDecompressor().stream_reader(packed)
            wrong = (*wrong, zstandard.ZstdError)
        case _:
            raise VerificationError(f"metadata packed as `{suffix}` cannot be read")
    try:
        shutil.copyfileobj(plain, target, CHUNK)
    except wrong as error:
        raise VerificationError(f"the metadata is no {suffix} file", details=str(error)) from error
