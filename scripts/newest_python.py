"""Print the newest other Python here that `requires-python` allows; nothing if there is none.

Looks on PATH and among pyenv's versions. What was found goes to standard error.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 11)
"""`requires-python` of pyproject.toml; tests/repository compares the two."""
PROBE = "import ensurepip, sys, venv; print(*sys.version_info[:3], sys.version_info.releaselevel)"


def candidates() -> Iterator[Path]:
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


def main() -> int:
    """Print the newest."""
    found = {program: version_of(program) for program in dict.fromkeys(candidates())}
    usable = {p: v for p, v in found.items() if v is not None and v[:2] >= OLDEST}
    for program, version in sorted(usable.items(), key=lambda item: item[1]):
        print(f"found Python {'.'.join(map(str, version))}: {program}", file=sys.stderr)
    newest = max(usable, key=lambda program: usable[program], default=None)
    if newest is None or usable[newest][:2] <= sys.version_info[:2]:
        print(f"no Python newer than {sys.version.split()[0]} here", file=sys.stderr)
    else:
        print(newest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
