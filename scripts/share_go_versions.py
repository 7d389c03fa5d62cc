"""Give every Go module that two or more programs of the lab use one version: the highest of theirs.

scripts/share_go_versions.py    after a pin was raised; it asks the registry of Go modules

The same package in the same version is compiled once for all programs. A module whose raised
version asks for still others raises these too, so it goes round until nothing changes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from immutable_base_lab.programs.go_build import MODULES
from immutable_base_lab.programs.go_pins import GO_PROGRAMS
from immutable_base_lab.programs.go_shared import read_requirements, to_raise

GO = Path(sys.executable).with_name("go")
ROUNDS = 10


def main() -> int:
    """Raise, tidy, and look again."""
    for _ in range(ROUNDS):
        texts = {it.name: (MODULES / it.name / "go.mod").read_text() for it in GO_PROGRAMS}
        raised = to_raise({name: read_requirements(text) for name, text in texts.items()})
        if not raised:
            return 0
        for program, versions in raised.items():
            print(f"{program}: {len(versions)} modules are older than another program's")
            wanted = [f"-require={module}@{version}" for module, version in versions.items()]
            go(program, "mod", "edit", *wanted)
            # -e: the tests of a dependency, which nobody runs here, may need what cannot be had.
            go(program, "mod", "tidy", "-e")
    print(f"still different after {ROUNDS} rounds: {raised}", file=sys.stderr)
    return 1


def go(program: str, *arguments: str) -> None:
    """Run the pinned toolchain in a program's module."""
    # Never another toolchain than the pinned one, whatever a go.mod asks for.
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    subprocess.run([GO, *arguments], cwd=MODULES / program, env=env, check=True)


if __name__ == "__main__":
    sys.exit(main())
