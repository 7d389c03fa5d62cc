"""Nights that are broken off: starting one, waiting for a stage, ending it, and what must not be left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from support.paths import ROOT


def start(
    lab, workspace: Path, *variants: str, arguments=(), env=None, stderr=subprocess.PIPE
) -> subprocess.Popen:
    """Start a run of these variants, all if none is named; its stderr goes to a pipe or a file.

    It heeds SIGINT as in a terminal, also where the tests run as a background job that ignores it.
    """
    selected = [part for variant in variants for part in ("--variant", variant)]
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "immutable_base", "run", *selected,
         *map(str, arguments)],
        env={**lab.env, "IMMUTABLE_BASE_WORKSPACE": str(workspace), **(env or {})},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        text=True,
    )  # fmt: skip


def wait_for(process: subprocess.Popen, words: str) -> bool:
    """Read stderr until a line has the words; tell if it came."""
    return any(words in line for line in process.stderr)


def kill_in_stage(lab, workspace: Path, stage: str, *variants: str, after: float = 0.0) -> None:
    """Start a night, send SIGKILL, and assert that all is gone.

    `stage`: words of the line to wait for; `after`: seconds to wait from then on.
    """
    process = start(lab, workspace, *variants)
    assert wait_for(process, stage), f"stage {stage} never came"
    time.sleep(after)
    kill(process, workspace)
    process.stderr.close()


def kill(process: subprocess.Popen, workspace: Path) -> None:
    """Send SIGKILL to a run, and assert that everything of it goes: the kernel ends its namespaces."""
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    deadline = time.monotonic() + 20
    while (left := leftovers(workspace)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def leftovers(workspace: Path) -> list[str]:
    """Return processes and mounts that still belong to a workspace."""
    found = [
        line
        for line in Path("/proc/self/mounts").read_text().splitlines()
        if str(workspace) in line
    ]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(workspace) in words and int(process.name) != os.getpid():
            found.append(words)
    return found
