"""Programs that go on running after the command that started them."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from immutable_base.errors import CommandError, ToolMissingError
from immutable_base.process import environment

ENVIRONMENT_SECONDS = 5.0
"""Seconds that the kernel may take to show a new program's environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A program that goes on running: its pid, and when the kernel started it.

    Both together name one process for ever; a pid alone may be somebody else's by tomorrow.
    """

    pid: int
    start_ticks: int


def start_daemon(argv: Sequence[str], *, log_file: Path, env: Mapping[str, str]) -> Daemon:
    """Start a program that outlives us; its output goes to `log_file`."""
    full = environment(env)
    if shutil.which(argv[0], path=full.get("PATH")) is None:
        raise ToolMissingError(f"`{argv[0]}` is not installed", hint="run `make setup`")
    with log_file.open("ab") as sink:
        process = subprocess.Popen(
            argv,
            env=full,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    # The handle is dropped on purpose: the daemon is not ours to wait for.
    process.returncode = 0
    ticks = _await_environment(process.pid)
    if ticks is None:
        raise CommandError(
            f"`{shlex.join(argv)}` ended at once", details=log_file.read_text()[-2000:]
        )
    return Daemon(pid=process.pid, start_ticks=ticks)


def _await_environment(pid: int) -> int | None:
    """Wait until the new program's environment can be read; return its start, None if it ended.

    The kernel reports that a program was started shortly before `/proc/PID/environ` is filled, and
    that file is how a daemon that was never recorded is found.
    """
    deadline = time.monotonic() + ENVIRONMENT_SECONDS
    while (ticks := start_ticks(pid)) is not None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/environ").read_bytes():
                break
        time.sleep(0.001)
    return ticks


def start_ticks(pid: int) -> int | None:
    """Return when a live process started, in ticks since boot (proc(5), field 22), or None."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def is_alive(daemon: Daemon) -> bool:
    """Tell whether exactly this process still runs."""
    return start_ticks(daemon.pid) == daemon.start_ticks


def stop_daemon(daemon: Daemon, *, grace: float = 20) -> None:
    """End exactly this process and its group: SIGTERM, `grace` seconds, then SIGKILL."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if not is_alive(daemon):
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(daemon.pid, number)
        deadline = time.monotonic() + patience
        while is_alive(daemon) and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(daemon.pid, os.WNOHANG)
            time.sleep(0.05)


def find_marked(variable: str, value: str) -> list[Daemon]:
    """Find the process group leaders that were started with this variable in their environment."""
    mark = f"{variable}={value}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            pid = int(entry.name)
            ticks = start_ticks(pid)
            environ = (entry / "environ").read_bytes().split(b"\0")
            if ticks is not None and mark in environ and os.getpgid(pid) == pid:
                found.append(Daemon(pid=pid, start_ticks=ticks))
    return found


def become(argv: Sequence[str], *, env: Mapping[str, str]) -> NoReturn:
    """Let a program take this process's place: the terminal and the exit status are its own."""
    full = environment(env)
    if shutil.which(argv[0], path=full.get("PATH")) is None:
        raise ToolMissingError(f"`{argv[0]}` is not installed", hint="run `make setup`")
    os.execvpe(argv[0], list(argv), full)  # noqa: S606  no shell is wanted
