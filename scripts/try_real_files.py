"""Try files of the real servers that somebody has fetched: are they as the configuration says?

scripts/try_real_files.py FOLDER

Every file below FOLDER with `KEY` in its name is looked at as a key file, every repomd.xml as
metadata. For each key of immutable-base.toml it says in which of them the pinned one is. It ends
with 1 if a pinned key is refused in a file that holds it, or a repomd.xml cannot be read, and with
2 if there is no such file at all: then nothing was tried. The tests make files of the same shapes
themselves, so nobody needs these.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from immutable_base.config.key import Key
from immutable_base.config.load import load_settings
from immutable_base.errors import ImmutableBaseError
from immutable_base.process import run
from immutable_base.repository.keys import judge
from immutable_base.repository.metadata import Source, read_repomd
from immutable_base.tools import gpg

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str]) -> int:
    """Try every file; return the exit code."""
    folder = Path(arguments[0]) if len(arguments) == 1 else None
    files = sorted(folder.rglob("*")) if folder else []
    keys = [path for path in files if path.is_file() and "KEY" in path.name]
    metadata = [path for path in files if path.name == "repomd.xml"]
    if not keys and not metadata:
        print(f"nothing was tried: no key file and no repomd.xml in {folder}", file=sys.stderr)
        return 2
    listed = {path: listed_in(path) for path in keys}
    pins = load_settings(ROOT / "immutable-base.toml").keys
    fine = [line for name, key in pins.items() for line in _tried(name, key, listed)]
    fine += [_read(path) for path in metadata]
    return 0 if all(fine) else 1


def listed_in(path: Path) -> gpg.KeyFile:
    """Return what gpg can read of a key file, and say it."""
    with tempfile.TemporaryDirectory() as home:
        found = gpg.read_keys(run, path.read_bytes(), Path(home))
    names = ", ".join(key.fingerprint for key in found.keys) or "none that gpg can read"
    print(f"{path.name}: {found.certificates} certificate(s): {names}")
    return found


def _tried(name: str, key: Key, listed: dict[Path, gpg.KeyFile]) -> Iterator[bool]:
    holding = [
        path
        for path, file in listed.items()
        if key.fingerprint in {item.fingerprint for item in file.keys}
    ]
    if not holding:
        print(f"key `{name}`: {'in none of them' if key.is_pinned else 'not pinned'}")
    for path in holding:
        try:
            judge(run, name, key, path.read_bytes())
        except ImmutableBaseError as error:
            print(f"key `{name}`: {path.name} is REFUSED: {error}")
            yield False
        else:
            print(f"key `{name}`: {path.name} holds the pinned one")
            yield True


def _read(path: Path) -> bool:
    try:
        index = read_repomd(
            Source(id=path.parent.name, url="https://x.invalid/"), path.read_bytes()
        )
    except ImmutableBaseError as error:
        print(f"{path}: REFUSED: {error}")
        return False
    kinds = ", ".join(f"{kind} by {it.checksum.algorithm}" for kind, it in index.files.items())
    print(f"{path}: {kinds}")
    return bool(index.files)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
