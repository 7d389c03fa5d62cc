"""The only module that starts programs."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from immutable_base.errors import (
    OUT_OF_SPACE_HINT,
    CommandError,
    HostError,
    ToolMissingError,
    is_out_of_space,
)
from immutable_base.state import tools_folder

log = logging.getLogger(__name__)

# Programs see these variables of ours and no others, so that a night does not depend on a login
# shell. SSL_CERT_* and *_CERT: machines whose outgoing TLS is signed by a CA of their own.
INHERITED = (
    "PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF",
)  # fmt: skip
TAIL_LINES = 40
TAIL_CHARACTERS = 4000
PIPE_SECONDS = 10.0
"""How long a pipe may stay open after its program has ended."""
PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program to start; never a shell."""

    argv: tuple[str, ...]
    timeout: float
    """Seconds; the whole process group is killed after them."""
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the allow-listed environment."""
    stdin: bytes | None = None
    ok: frozenset[int] = frozenset({0})
    """Exit statuses that are not failures."""
    secrets: tuple[str, ...] = ()
    """Texts replaced by `***` in logs and errors."""
    hint: str | None = None
    """The next step to show if the program fails."""
    even_if_interrupted: bool = False
    """Start it after `end_all` as well: it puts something back."""

    def redact(self, text: str) -> str:
        """Return `text` without any of the command's secrets."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def __str__(self) -> str:
        """Return a line that can be pasted into a shell, secrets hidden."""
        return self.redact(shlex.join(self.argv))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a program that succeeded left behind."""

    status: int
    stdout: bytes
    stderr_tail: str
    seconds: float

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")


Runner = Callable[[Command], Result]
"""What features receive to start programs; `run`, or a function in tests."""

LineSink = Callable[[str], None]


# Programs that run now, so that an interrupt can end them all.
_running: set[subprocess.Popen[bytes]] = set()
_interrupted = threading.Event()


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which programs start."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # Plain `su` on Debian keeps a user's PATH, without the folders of root's programs. What
    # `immutable-base tools` installed comes last, after a user's own choice.
    ours = tools_folder() / "bin"
    kept["PATH"] = f"{kept.get('PATH', os.defpath)}:/usr/sbin:/sbin:{ours}"
    return {**kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", **extra}


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(command: Command, *, on_line: LineSink | None = None) -> Result:
    """Run a program to its end and return what it wrote.

    `on_line` receives each line of standard error as it comes.
    Raises ToolMissingError if the program is not there, HostError if it fails because the disk is
    full, CommandError if it fails otherwise or takes too long.
    """
    if _interrupted.is_set() and not command.even_if_interrupted:
        raise CommandError(f"`{command.argv[0]}` was not started: the run is being interrupted")
    log.debug("start: %s", command)
    started = time.monotonic()
    process = _start(command)
    _running.add(process)
    if _interrupted.is_set() and not command.even_if_interrupted:
        # `end_all` came after the start, and did not find it among those that run.
        _terminate(process)
    try:
        stdout, tail = _communicate(command, process, on_line)
    except BaseException:
        _end_group(process)
        raise
    finally:
        _running.discard(process)
    seconds = time.monotonic() - started
    log.debug("end: status %s after %.2f s: %s", process.returncode, seconds, command)
    if process.returncode not in command.ok:
        raise _failure(
            command,
            process.returncode,
            tail or command.redact(stdout.decode("utf-8", "replace"))[-TAIL_CHARACTERS:],
        )
    return Result(status=process.returncode, stdout=stdout, stderr_tail=tail, seconds=seconds)


def _start(command: Command) -> subprocess.Popen[bytes]:
    env = environment(command.env)
    if shutil.which(command.argv[0], path=env.get("PATH")) is None:
        raise ToolMissingError(
            f"`{command.argv[0]}` is not installed",
            hint="run `make setup`, which installs what the product needs",
        )
    return subprocess.Popen(
        command.argv,
        cwd=command.cwd,
        env=env,
        stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509  prctl is safe after fork: it takes no lock
    )


def _communicate(
    command: Command, process: subprocess.Popen[bytes], on_line: LineSink | None
) -> tuple[bytes, str]:
    """Read both pipes at once, so that neither can fill and block the program."""
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    out: list[bytes] = []
    readers = [
        threading.Thread(target=_relay, args=(process.stderr, command, tail, on_line), daemon=True),
        threading.Thread(target=_collect, args=(process.stdout, out), daemon=True),
    ]
    for reader in readers:
        reader.start()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(command.stdin or b"")
    try:
        process.wait(command.timeout)
    except subprocess.TimeoutExpired as error:
        _end_group(process)
        raise CommandError(
            f"`{command}` did not end within {command.timeout:.0f} s",
            details="\n".join(tail),
            hint=command.hint,
        ) from error
    # A daemon that the program left behind may keep a pipe open: do not wait for it for ever, and
    # do not take what came so far for the whole answer.
    relay, collector = readers
    collector.join(timeout=PIPE_SECONDS)
    if collector.is_alive():
        raise CommandError(
            f"`{command}` ended, but something that it started keeps its output open",
            details="\n".join(tail),
            hint=command.hint,
        )
    relay.join(timeout=PIPE_SECONDS)
    return b"".join(out), "\n".join(tail)


def _relay(pipe: IO[bytes], command: Command, tail: deque[str], on_line: LineSink | None) -> None:
    with pipe:
        for raw in pipe:
            line = command.redact(raw.decode("utf-8", "replace").rstrip())
            tail.append(line)
            log.debug("%s: %s", command.argv[0], line)
            if on_line is not None:
                on_line(line)


def _collect(pipe: IO[bytes], out: list[bytes]) -> None:
    with pipe:
        out.extend(iter(lambda: pipe.read(65536), b""))


def _terminate(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    _terminate(process)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_all() -> None:
    """End every program that runs now and start no other: the run is being interrupted."""
    _interrupted.set()
    for process in list(_running):
        _terminate(process)


def is_interrupted() -> bool:
    """Tell whether `end_all` was called: what takes long should stop."""
    return _interrupted.is_set()


def heed_interrupts() -> None:
    """Let SIGINT and SIGTERM end all programs at once, and then raise KeyboardInterrupt."""

    def stop(_number: int, _frame: object) -> None:
        end_all()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


CONTAINED = "IMMUTABLE_BASE_CONTAINED"
CONTAINER = (
    "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "bash", "-c",
)  # fmt: skip
"""Gives a program namespaces of its own; bash, our standard error, apart from unshare's."""


def is_contained() -> bool:
    """Tell whether this process was started by `run_contained`."""
    return os.environ.get(CONTAINED) == "1"


def run_contained(argv: Sequence[str]) -> int:
    """Run a program in PID and mount namespaces of its own and return its exit status.

    When the program ends, or this process is killed in whatever way, the kernel ends every
    process and lets go of every mount in them (pid_namespaces(7), mount_namespaces(7)). SIGINT and
    SIGTERM are handed on to the program, once.
    """
    error_output = os.dup(2)
    try:
        process = subprocess.Popen(
            (*CONTAINER, f'exec "$@" 2>&{error_output} {error_output}>&-', "run", *argv),
            env={**os.environ, CONTAINED: "1"},
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(error_output,),
            preexec_fn=_die_with_parent,  # noqa: PLW1509  prctl is safe after fork: it takes no lock
        )
    finally:
        os.close(error_output)

    def hand_on(number: int, _frame: object) -> None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        with contextlib.suppress(OSError, IndexError):
            os.kill(int(children.read_text().split()[0]), number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
    complaint = process.communicate()[1].decode("utf-8", "replace")
    _require_regular_end(process.returncode, complaint)
    return process.returncode


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


def _failure(command: Command, status: int, words: str) -> CommandError | HostError:
    how = (
        f"exited with status {status}"
        if status >= 0
        else f"was ended by {signal.Signals(-status).name}"
    )
    if is_out_of_space(words):
        return HostError(
            f"`{command}` {how}: the disk is full", details=words, hint=OUT_OF_SPACE_HINT
        )
    return CommandError(f"`{command}` {how}", details=words, hint=command.hint)
