"""What a part of a benchmark costs: seconds, processor time, memory of its largest program."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common import Row, processor_seconds

LOOKS = 0.1
"""Seconds between two looks at what runs: the kernel keeps each program's highest figure."""
SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER. Source: prctl(2)."""
_PEAK = re.compile(r"^VmHWM:\s+(?P<kib>[0-9]+) kB$", re.MULTILINE)


@dataclass
class Cost:
    """What a block has cost, once it has ended."""

    seconds: float = 0
    processor: float = 0
    """Seconds of user and system time, of this process and of what it started."""
    mib: float = 0
    """What the largest program that was started had in memory at most."""

    def rows(self, what: str, aim: str = "-") -> list[Row]:
        """Return a line for each figure; the aim is for the first."""
        return [
            Row(what, self.seconds, None, aim, digits=1),
            Row(f"{what}: processor time", self.processor, None, "-", digits=1),
            Row(f"{what}: memory of its largest program", self.mib, None, "-", 0, "MiB"),
        ]


@contextlib.contextmanager
def spending() -> Iterator[Cost]:
    """Measure a block. What it starts must have ended with it.

    bubblewrap ends before the program that it has started, so that nobody would wait for that one,
    and its time would count nowhere: it becomes our child, and is waited for here.
    """
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    cost, ended = Cost(), threading.Event()
    watch = threading.Thread(target=_watch, args=(cost, ended), daemon=True)
    _await_orphans()
    before, started = _processor(), time.monotonic()
    watch.start()
    try:
        yield cost
    finally:
        cost.seconds = time.monotonic() - started
        ended.set()
        watch.join()
        _await_orphans()
        cost.processor = _processor() - before


def _await_orphans() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.wait():
            pass


def _processor() -> float:
    return time.process_time() + processor_seconds()


def _watch(cost: Cost, ended: threading.Event) -> None:
    while not ended.wait(LOOKS):
        for process in _descendants(Path("/proc/self")):
            with contextlib.suppress(OSError):  # It has ended meanwhile.
                cost.mib = max(cost.mib, _peak(process))


def _descendants(process: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for file in process.glob("task/*/children"):
            for number in file.read_text().split():
                yield Path("/proc", number)
                yield from _descendants(Path("/proc", number))


def _peak(process: Path) -> float:
    # Until it has become another program, a new process has the memory of the one that started it.
    if (process / "exe").readlink() == Path("/proc/self/exe").readlink():
        return 0
    found = _PEAK.search((process / "status").read_text())
    return int(found["kib"]) / 1024 if found else 0
