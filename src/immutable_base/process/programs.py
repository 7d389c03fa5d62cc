"""Start programs, wait for them, and end them all when the run is interrupted."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from typing import IO

from immutable_base.errors import (
    OUT_OF_SPACE_HINT,
    CommandError,
    HostError,
    ToolMissingError,
    is_out_of_space,
)
from immutable_base.process.command import Command, Result
from immutable_base.process.tied import tied_to_us
from immutable_base.state import tools_folder

log = logging.getLogger(__name__)

# Programs see these variables of ours and no others, so that a run does not depend on a login
# shell. SSL_CERT_*: machines whose outgoing TLS is signed by a CA of their own.
INHERITED = (
    "PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF",
)  # fmt: skip
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
TAIL_LINES = 40
TAIL_CHARACTERS = 4000
UNTIL_SECONDS = 0.25
ASKED_SECONDS = 20.0
"""Within which a program that is asked to end does so, on a busy machine."""
OUR_SIGNALS = (-signal.SIGTERM, -signal.SIGKILL)
"""How often `Command.until` is looked at."""
PIPE_SECONDS = 10.0
"""How long a pipe may stay open after its program has ended."""


class Programs:
    """The programs that run now, so that an interrupt can end them all."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._interrupted = threading.Event()

    def run(self, command: Command) -> Result:
        """Run a program to its end and return what it wrote.

        Raises ToolMissingError if the program is not there, HostError if it fails because the disk
        is full, CommandError if it fails otherwise or takes too long.
        """
        if self._interrupted.is_set() and not command.even_if_interrupted:
            raise CommandError(f"`{command.argv[0]}` was not started: the run is being interrupted")
        log.debug("start: %s", command)
        started = time.monotonic()
        process = _start(command)
        self._running.add(process)
        if self._interrupted.is_set() and not command.even_if_interrupted:
            # `end_all` came after the start, and did not find it among those that run.
            _terminate(process)
        try:
            stdout, tail, asked = _communicate(command, process)
        finally:
            self._running.discard(process)
        seconds = time.monotonic() - started
        log.debug("end: status %s after %.2f s: %s", process.returncode, seconds, command)
        if process.returncode not in (*command.ok, *(OUR_SIGNALS if asked else ())):
            raise _failure(
                command,
                process.returncode,
                tail or command.redact(stdout.decode("utf-8", "replace"))[-TAIL_CHARACTERS:],
            )
        return Result(status=process.returncode, stdout=stdout, stderr_tail=tail)

    def end_all(self) -> None:
        """End every program that runs now and start no other: the run is being interrupted."""
        self._interrupted.set()
        for process in list(self._running):
            _terminate(process)

    def is_interrupted(self) -> bool:
        """Tell whether `end_all` was called: what takes long should stop."""
        return self._interrupted.is_set()


_OURS = Programs()
run, end_all, is_interrupted = _OURS.run, _OURS.end_all, _OURS.is_interrupted
"""Those of this process."""


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which programs start."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # Plain `su` on Debian keeps a user's PATH, without the folders of root's programs. What
    # `immutable-base tools` installed comes last, after a user's own choice.
    ours = tools_folder() / "bin"
    inherited["PATH"] = f"{inherited.get('PATH', os.defpath)}:/usr/sbin:/sbin:{ours}"
    return {**inherited, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", **extra}


def heed_interrupts() -> None:
    """Let SIGINT and SIGTERM end all programs at once, and then raise KeyboardInterrupt."""

    def stop(_number: int, _frame: object) -> None:
        end_all()
        raise KeyboardInterrupt

    for number in INTERRUPTS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    # One that came while this process was being started has waited: see `run_contained`.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)


def _start(command: Command) -> subprocess.Popen[bytes]:
    env = environment(command.env)
    if shutil.which(command.argv[0], path=env.get("PATH")) is None:
        raise ToolMissingError(
            f"`{command.argv[0]}` is not installed",
            hint="`immutable-base doctor` names what is missing and how to get it",
        )
    return subprocess.Popen(
        tied_to_us(command.argv),
        cwd=command.cwd,
        env=env,
        stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _communicate(command: Command, process: subprocess.Popen[bytes]) -> tuple[bytes, str, bool]:
    """Read both pipes at once, so that neither can fill and block the program.

    Returns what came by each, and whether `until` asked the program to end.
    """
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    out: list[bytes] = []
    relay = _reader(_relay, process.stderr, command, tail)
    collector = _reader(_collect, process.stdout, command, out)
    try:
        asked = _feed_and_wait(command, process, (relay, collector))
    except BaseException as error:
        _end_group(process)
        _let_go({relay: process.stderr, collector: process.stdout})
        if isinstance(error, subprocess.TimeoutExpired):
            raise CommandError(
                f"`{command}` did not end within {command.timeout:.0f} s",
                details="\n".join(tail),
                hint=command.hint,
            ) from error
        raise
    # A daemon that the program left behind may keep a pipe open: do not wait for it for ever, and
    # do not take what came so far for the whole answer.
    collector.join(timeout=PIPE_SECONDS)
    if collector.is_alive():
        raise CommandError(
            f"`{command}` ended, but something that it started keeps its output open",
            details="\n".join(tail),
            hint=command.hint,
        )
    relay.join(timeout=PIPE_SECONDS)
    return b"".join(out), "\n".join(tail), asked


def _reader(reads: Callable[..., None], *what: object) -> threading.Thread:
    """Return a thread that is to read this; its messages name the same work as those of ours."""
    return threading.Thread(target=copy_context().run, args=(reads, *what), daemon=True)


def _feed_and_wait(
    command: Command, process: subprocess.Popen[bytes], readers: Sequence[threading.Thread]
) -> bool:
    for reader in readers:
        reader.start()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(command.stdin or b"")
    if command.until is not None:
        return _end_when(process, command.until, command.timeout)
    _wait(process, command.timeout)
    return False


def _end_when(process: subprocess.Popen[bytes], until: Callable[[], bool], seconds: float) -> bool:
    """End a program as soon as `until` says so; return whether it did not end before by itself.

    One that does not heed SIGTERM is killed: QEMU hangs now and then while its firmware works.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            _wait(process, UNTIL_SECONDS)
            return False
        if until():
            _end_group(process, ASKED_SECONDS)
            return True
    raise subprocess.TimeoutExpired(process.args, seconds)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until a program ends, and notice it at once.

    `Popen.wait` with a limit looks again every 50 ms, which is longer than many a program takes.
    Raises subprocess.TimeoutExpired.
    """
    if process.poll() is not None:  # It has no number any more.
        return
    with _open_process(process.pid) as descriptor:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(seconds * 1000):
            raise subprocess.TimeoutExpired(process.args, seconds)
    process.wait()


@contextlib.contextmanager
def _open_process(pid: int) -> Iterator[int]:
    """Yield a descriptor that can be read when the process has ended. Source: pidfd_open(2)."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _let_go(readers: Mapping[threading.Thread, IO[bytes] | None]) -> None:
    """Close the pipes of a program that was ended: a reader closes its own, if it was started."""
    for reader, pipe in readers.items():
        if reader.ident is not None:
            reader.join(timeout=PIPE_SECONDS)
        elif pipe is not None:
            pipe.close()


# An interrupt in the middle of `Thread.start` leaves open whether a reader runs: `_let_go` may then
# close the pipe of one that is about to begin, which finds it closed (ValueError).


def _relay(pipe: IO[bytes], command: Command, tail: deque[str]) -> None:
    with contextlib.suppress(ValueError), pipe:
        for raw in pipe:
            line = command.redact(raw.decode("utf-8", "replace").rstrip())
            tail.append(line)
            log.debug("%s: %s", command.argv[0], line)


def _collect(pipe: IO[bytes], command: Command, out: list[bytes]) -> None:
    with contextlib.suppress(ValueError), pipe:
        if command.each_line is None:
            out.extend(iter(lambda: pipe.read(65536), b""))
            return
        for raw in pipe:
            out.append(raw)
            command.each_line(command.redact(raw.decode("utf-8", "replace").rstrip("\n")))


def _terminate(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _end_group(process: subprocess.Popen[bytes], seconds: float = 5) -> None:
    _terminate(process)
    with contextlib.suppress(subprocess.TimeoutExpired):
        _wait(process, seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failure(command: Command, status: int, output: str) -> CommandError | HostError:
    how = (
        f"exited with status {status}"
        if status >= 0
        else f"was ended by {signal.Signals(-status).name}"
    )
    if is_out_of_space(output):
        return HostError(
            f"`{command}` {how}: the disk is full", details=output, hint=OUT_OF_SPACE_HINT
        )
    return CommandError(f"`{command}` {how}", details=output, hint=command.hint)
