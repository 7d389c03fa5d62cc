"""Wait for what other processes do, without guessing how long it takes."""

import contextlib
import time
from pathlib import Path


def wait_until(condition, *, seconds=10.0):
    """Return what the condition returns as soon as that is true; fail if it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not so within {seconds} s")


def number_in(path: Path) -> int:
    """Return the number that a process writes into a file, as soon as the line is whole."""
    return int(
        wait_until(lambda: path.is_file() and path.read_text().endswith("\n") and path.read_text())
    )


def has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or waits only to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def processes_with(mark):
    """Return the live processes in whose command line a text stands; their pids are of this namespace."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().decode("utf-8", "replace"):
                found.append(int(path.parent.name))
    return [pid for pid in found if not has_ended(pid)]
