"""One boot: a machine started with its questions, watched, and its answers read."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from immutable_base.boot.answers import Heard, read_answers, target_seconds
from immutable_base.boot.credentials import credentials, write_credentials
from immutable_base.boot.questions import SSH, SSH_FILE, GuestQuestion
from immutable_base.boot.watch import SILENCE, Watch
from immutable_base.errors import OUT_OF_SPACE_HINT, CheckError, CommandError, HostError
from immutable_base.model.boot import Boot, GuestAnswer
from immutable_base.process import Runner
from immutable_base.tools import qemu, ssh

PAUSE = 2.0
"""Seconds between two attempts to log in."""
STALE_CODE = b"Oops: int3: "
"""A breakpoint of the kernel's own, which it sets while it replaces code.

QEMU without KVM may still run it when it is gone: seen once in some hundred boots, with QEMU 7.2 on
a busy host. Source of the mechanism: text_poke_bp_batch in the kernel's alternative.c.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootAttempt:
    """What is started, and what it is asked."""

    machine: qemu.Machine
    """Without credentials and port: they are of this boot."""
    asked: Sequence[GuestQuestion]
    nonce: str
    folder: Path
    """For what is handed in, and the key."""
    seconds: float
    """After which the machine is ended."""
    powers_off: bool = False
    """Whether it has to power off by itself, as another boot of its disks follows. Else it is ended
    when it has answered, which spares a tenth of its time without KVM."""


def boot(run: Runner, attempt: BootAttempt) -> Boot:
    """Start a machine and return what it answered; what only the emulator did wrong is done again.

    Raises CheckError if it does not come up, or does not answer everything; HostError if the disk
    is full; CommandError or ToolMissingError if QEMU fails.
    """
    try:
        return _boot_once(run, attempt)
    except CheckError as error:
        console = _bytes(attempt.machine.console)
        if attempt.machine.accelerator != "tcg" or STALE_CODE not in console:
            raise
        why = f"QEMU ran code that the kernel had replaced; {error.message}"
    return _boot_once(run, attempt).model_copy(update={"again": why})


def _boot_once(run: Runner, attempt: BootAttempt) -> Boot:
    machine, key = _prepared(run, attempt)
    disks = [disk.path for disk in machine.disks]
    watch = Watch(
        console=machine.console,
        answers=machine.answers,
        seconds=attempt.seconds,
        silence=SILENCE[machine.accelerator],
        folders=tuple({path.parent: None for path in (machine.answers, *disks)}),
    )
    ended = threading.Event()
    guest = threading.Thread(target=_log_in, args=(run, attempt, machine, key, ended), daemon=True)
    started = time.monotonic()
    if key is not None:
        guest.start()
    try:
        qemu.start(
            run,
            machine,
            seconds=attempt.seconds,
            until=lambda: watch.stop() or _may_end(attempt),
        )
    finally:
        ended.set()
        if key is not None:
            guest.join()
    seconds = time.monotonic() - started
    watch.look()
    heard = _heard(attempt)
    _require_whole(watch, heard, machine.console)
    return Boot(
        accelerator=machine.accelerator,
        seconds=round(seconds, 1),
        targets=_targets(heard.answers),
        console=machine.console.name,
        answers=heard.answers,
    )


def _may_end(attempt: BootAttempt) -> bool:
    return not attempt.powers_off and _heard(attempt).complete


def _heard(attempt: BootAttempt) -> Heard:
    return read_answers(_bytes(attempt.machine.answers), attempt.nonce)


def _prepared(run: Runner, attempt: BootAttempt) -> tuple[qemu.Machine, Path | None]:
    """Return the machine with everything that is handed in, and the key that may log in."""
    machine = attempt.machine
    for path in (machine.console, machine.answers):
        path.unlink(missing_ok=True)
    key, public = None, None
    if SSH in attempt.asked:
        key = attempt.folder / "key"
        public = ssh.kept_key(run, key)
    found = credentials(attempt.asked, nonce=attempt.nonce, ssh_key=public)
    return replace(
        machine,
        credentials=write_credentials(found, attempt.folder),
        ssh_port=ssh.free_port() if key else None,
    ), key


def _log_in(
    run: Runner, attempt: BootAttempt, machine: qemu.Machine, key: Path, ended: threading.Event
) -> None:
    """Write this boot's nonce through sshd, as soon as it lets us."""
    command = f"echo {attempt.nonce} > {SSH_FILE}"
    while machine.ssh_port is not None and not ended.wait(PAUSE):
        if ssh.tell(run, key, machine.ssh_port, command):
            return


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _require_whole(watch: Watch, heard: Heard, console: Path) -> None:
    if watch.full:
        raise HostError(f"the machine was ended: {watch.verdict}", hint=OUT_OF_SPACE_HINT)
    if watch.verdict or heard.refused:
        reason = watch.verdict or heard.refused
    elif heard.complete:
        return
    elif heard.answers:
        reason = f"it stopped answering after '{heard.answers[-1].question}'"
    else:
        reason = "it powered off without an answer"
    raise CheckError(
        f"the machine did not come up: {reason}",
        details=_tail(console),
        hint=f"all that its console showed: {console}",
    )


def _tail(console: Path) -> str:
    lines = _bytes(console)[-4000:].decode("utf-8", "replace").splitlines()
    return "\n".join(line for line in lines if line.strip())[-1500:]


def _targets(answers: Iterable[GuestAnswer]) -> dict[str, float]:
    return target_seconds(next((it.text for it in answers if it.question == "targets"), ""))


def choose_accelerator() -> str:
    """Return QEMU's accelerator for this host, as far as that can be told without trying."""
    return "kvm" if qemu.kvm_opens() else "tcg"


def boot_anyhow(run: Runner, attempt: BootAttempt) -> tuple[Boot, str]:
    """Boot with KVM where it works, else without; return also why KVM was given up, if it was."""
    return Kvm().boot(run, attempt)


@dataclass(slots=True)
class Kvm:
    """Whether KVM works on this host: the first machine that is started with it shows that.

    One for all boots of a run; others wait for the first one's answer.
    """

    why: str = ""
    """Why it was given up; empty while nothing speaks against it."""
    _known: bool = False
    _first: threading.Lock = field(default_factory=threading.Lock)

    def boot(self, run: Runner, attempt: BootAttempt) -> tuple[Boot, str]:
        """Boot with KVM unless it is known not to work; return also why it was given up."""
        if attempt.machine.accelerator != "kvm":
            return boot(run, attempt), ""
        with contextlib.nullcontext() if self._known else self._first:
            if not self.why:
                found, self.why = _try_kvm(run, attempt)
                self._known = True
                if found is not None:
                    return found, ""
        plain = replace(attempt, machine=replace(attempt.machine, accelerator="tcg"))
        return boot(run, plain), self.why


def _try_kvm(run: Runner, attempt: BootAttempt) -> tuple[Boot | None, str]:
    """Boot with KVM; return None and why if that does not work here.

    A host may let machines be made and run none: under some hypervisors each instruction is
    emulated, and one that is not known stops the machine (KVM_EXIT_INTERNAL_ERROR).
    """
    try:
        return boot(run, attempt), ""
    except (CheckError, CommandError) as error:
        if isinstance(error, CheckError) and _bytes(attempt.machine.console):
            raise
        words = (error.details or error.message).strip().splitlines()[-1]
    return None, f"KVM is there and does not work: {words}"
