"""A program in namespaces of its own, so that nothing of it is left however it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from immutable_base.errors import HostError, ToolMissingError
from immutable_base.process.programs import INTERRUPTS
from immutable_base.process.tied import tied_to_us
from immutable_base.state import STARTED_BY

CONTAINED = "IMMUTABLE_BASE_CONTAINED"
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
"""Gives a program namespaces of its own."""
CONTAINER = (*NAMESPACES, "bash", "-c")
"""bash gives it our standard error, apart from unshare's."""
CHILD_POLLS, POLL_SECONDS = 50, 0.02
"""How often to look for what unshare starts, and how long to wait between two looks."""


def is_contained() -> bool:
    """Tell whether this process was started by `run_contained`."""
    return os.environ.get(CONTAINED) == "1"


def run_contained(argv: Sequence[str]) -> int:
    """Run a program in PID and mount namespaces of its own and return its exit status.

    When the program ends, or this process is killed in whatever way, the kernel ends every
    process and lets go of every mount in them (pid_namespaces(7), mount_namespaces(7)). SIGINT and
    SIGTERM are handed on to the program, once; it begins with both blocked, and calls
    `heed_interrupts`.
    """
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def hand_on(number: int, _frame: object) -> None:
        if started:
            _signal_child(started[0], number)
        else:
            early.append(number)

    before = {number: signal.signal(number, hand_on) for number in INTERRUPTS}
    try:
        process = _start(argv)
        started.append(process)
        for received in early:
            _signal_child(process, received)
        complaint = process.communicate()[1].decode("utf-8", "replace")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _require_regular_end(process.returncode, complaint)
    return process.returncode


def _start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    if shutil.which(NAMESPACES[0]) is None:
        raise ToolMissingError("`unshare` is not installed", hint="`apt-get install util-linux`")
    error_output = os.dup(2)
    # The first process of a namespace never gets a signal that it has no handler for
    # (pid_namespaces(7)), but a blocked one waits until it has.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    script = f'exec "$@" 2>&{error_output} {error_output}>&-'
    try:
        return subprocess.Popen(
            tied_to_us((*CONTAINER, script, "run", *argv)),
            env={**os.environ, CONTAINED: "1", STARTED_BY: str(os.getpid())},
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(error_output,),
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(error_output)


def _signal_child(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to what unshare started; it may be a moment before it has."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(CHILD_POLLS):
        try:
            found = children.read_text().split()
        except OSError:
            return
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(found[0]), number)
            return
        time.sleep(POLL_SECONDS)


def _require_regular_end(status: int, complaint: str) -> None:
    """Raise HostError if what ran contained was killed, or was not started at all.

    util-linux before 2.39 does not end by SIGKILL as its child did: it complains that nobody can
    unblock it, and exits with 1 (sys-utils/unshare.c).
    """
    if status < 0 or "sigprocmask unblock failed" in complaint:
        name = signal.Signals(-status).name if status < 0 else "SIGKILL"
        raise HostError(
            f"the run was ended by {name}",
            hint="out of memory? `dmesg` says so; nothing of the run is left",
        )
    if status and complaint:
        raise HostError(
            "the run could not be started in namespaces of its own",
            details=complaint,
            hint="it needs root, and a kernel that allows namespaces",
        )
