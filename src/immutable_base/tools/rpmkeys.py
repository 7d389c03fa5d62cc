"""rpmkeys: signatures of package files, with one key and no trust of the machine's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from immutable_base.process import ANY_STATUS, Command, Result, Runner

TIMEOUT = 1800.0
BATCH = 200
"""Files per call; far below the kernel's limit for arguments."""


def unsigned(run: Runner, armored: str, files: Sequence[Path], folder: Path) -> dict[Path, str]:
    """Return those of `files` that are not signed by exactly this key, with rpm's message.

    `folder` is empty and receives a key database of its own. Raises CommandError if the key cannot
    be used at all.
    """
    key = folder / "key.asc"
    key.write_text(armored)
    options = ("rpmkeys", "--define", f"_dbpath {folder / 'db'}")
    run(Command(argv=(*options, "--import", str(key)), timeout=TIMEOUT))
    found: dict[Path, str] = {}
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        if _check(run, options, batch).status != 0:
            # Which one it was is asked one at a time.
            results = {path: _check(run, options, (path,)) for path in batch}
            found |= {path: r.text for path, r in results.items() if r.status != 0}
    return found


def _check(run: Runner, options: tuple[str, ...], files: Sequence[Path]) -> Result:
    # rpm(8): `all` demands a valid signature and a valid digest; the default is content with less.
    demand = ("--define", "_pkgverify_level all", "--checksig", "--verbose")
    argv = (*options, *demand, *map(str, files))
    return run(Command(argv=argv, timeout=TIMEOUT, ok=ANY_STATUS))
