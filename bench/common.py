"""Where benchmarks work, and how they start programs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from immutable_base.state import state_folder

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = (str(ROOT / ".benched" / "bin" / "python"), "-m", "immutable_base")
"""As users have it: `make bench` installs it so."""
CONFIG = Path(os.environ["IMMUTABLE_BASE_CONFIG"])
TINY = CONFIG.parent / "scenarios" / "tiny" / CONFIG.name
"""The configuration of the scenario `tiny`."""
SETTINGS = tomllib.loads(CONFIG.read_text())
STATE = state_folder()
WORK = STATE / "bench"
"""Removed at the end of a benchmark."""
REPEAT = 3
PROBE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclass(frozen=True)
class Row:
    """One line of the table: ours, what it is compared with, and what we aim at."""

    what: str
    ours: float
    theirs: float | None
    aim: str
    digits: int = 2
    unit: str = "s"

    def __str__(self) -> str:
        """Return the line in Markdown."""
        ours = f"{self.ours:.{self.digits}f} {self.unit}"
        if self.theirs is None:
            return f"| {self.what} | {ours} | - | - | {self.aim} |"
        theirs, ratio = f"{self.theirs:.{self.digits}f} {self.unit}", self.ours / self.theirs
        return f"| {self.what} | {ours} | {theirs} | {ratio:.2f} | {self.aim} |"


def timed(*argv: str, ok: tuple[int, ...] = (0,), env: dict[str, str] | None = None) -> float:
    """Run a program and return its seconds."""
    started = time.monotonic()
    done = subprocess.run(
        argv, capture_output=True, text=True, env={**os.environ, **(env or {})}, check=False
    )
    if done.returncode not in ok:
        raise SystemExit(
            f"{' '.join(argv)}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    return time.monotonic() - started


def product(*arguments: str, workspace: Path, config: Path = CONFIG) -> float:
    """Run the product and return its seconds."""
    return timed(*PRODUCT, *arguments, "--config", str(config), "--workspace", str(workspace))


def processor_seconds() -> float:
    """Return user and system time of everything that this process started and waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def memory_of(argv: tuple[str, ...]) -> float:
    """Return the MiB that a program had in memory at most.

    A small process starts it: until its `exec` a child has as much as its parent, and that counts.
    """
    done = subprocess.run(
        (sys.executable, "-c", PROBE, *argv), stdout=subprocess.PIPE, text=True, check=True
    )
    return int(done.stdout) / 1024
